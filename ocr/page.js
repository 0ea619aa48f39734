// A click on a column's head sorts its table: numbers by value, everything else as text; a second click turns the order round.
for (const button of document.querySelectorAll("th button")) button.addEventListener("click", () => {
  const head = button.parentElement, row = head.parentElement, body = head.closest("table").tBodies[0];
  const column = [...row.children].indexOf(head), down = head.getAttribute("aria-sort") === "ascending";
  const key = (tr) => {
    const cell = tr.children[column];
    return "v" in cell.dataset ? Number(cell.dataset.v) : cell.textContent;
  };
  const compare = (a, b) => {
    if (typeof a === "number" && typeof b === "number") return a - b;
    if (typeof a === "string" && typeof b === "string") return a.localeCompare(b, undefined, { numeric: true });
    return typeof a === "number" ? -1 : 1;
  };
  const sorted = [...body.rows].sort((a, b) => compare(key(a), key(b)) * (down ? -1 : 1));
  for (const other of row.children) other.removeAttribute("aria-sort");
  head.setAttribute("aria-sort", down ? "descending" : "ascending");
  body.append(...sorted);
});
