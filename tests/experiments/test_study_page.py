"""The page of a study, opened in headless Chromium, and a real cell run end to end."""

import json
import re
import shutil
import subprocess
from pathlib import Path

import pytest
from study_folder import Table
from test_report import add, found

from experiments.report import grids
from experiments.run import main

CHROMIUM = next(
    (path for name in ("chromium", "chromium-browser", "google-chrome") if (path := shutil.which(name))), None
)

PROBE = """
<pre id="probe"></pre><script>
window.addEventListener("load", () => {
  const table = document.querySelector("table"), button = table.querySelectorAll("th button")[2];
  const column = () => [...table.tBodies[0].rows].map((row) => row.children[2].textContent);
  const before = column(); button.click(); const up = column(); button.click(); const down = column();
  document.getElementById("probe").textContent = JSON.stringify({
    pictures: [...document.images].map((image) => image.complete && image.naturalWidth), before, up, down,
    wide: document.documentElement.scrollWidth, screen: window.innerWidth, title: document.title});
});
</script>"""


def page_of(table: Table, folder: Path) -> Path:
    pytest.importorskip("matplotlib")
    from experiments.study_page import write_study

    for seed in (1, 2):
        for cell, value in (("plain", 0.6), ("context", 0.4)):
            curve = [{"step": step, "val/word_accuracy": value * step / 100} for step in (50, 100)]
            add(table, cell, seed, value, curve=curve)
    folder.mkdir()
    standing = found(table)
    return write_study(standing, grids(standing), folder, table.folder)


def test_a_page_holds_its_pictures_and_what_the_numbers_are(table: Table, tmp_path: Path) -> None:
    page = page_of(table, tmp_path / "out")
    text = page.read_text(encoding="utf-8")
    assert (tmp_path / "out" / "learning-curves.png").stat().st_size > 5000
    assert "data:image/jpeg;base64" in text
    assert not re.search(r'(src|href)="(?!data:)', text)
    assert "Profile mini: a test." in text
    assert "rendered stand-in" in text


@pytest.mark.slow
@pytest.mark.skipif(CHROMIUM is None, reason="no Chromium here: make chromium-box installs it")
@pytest.mark.parametrize("width", [1280, 390])
def test_the_page_opens_sorts_and_fits_a_phone(table: Table, tmp_path: Path, width: int) -> None:
    page = page_of(table, tmp_path / "out")
    probed = page.with_name("probed.html")
    probed.write_text(page.read_text(encoding="utf-8").replace("</body>", f"{PROBE}</body>"), encoding="utf-8")
    options = ["--headless", "--no-sandbox", "--disable-gpu", f"--window-size={width},900", "--enable-logging=stderr"]
    command = [str(CHROMIUM), *options, f"--user-data-dir={tmp_path / 'profile'}", "--dump-dom", probed.as_uri()]
    done = subprocess.run(command, capture_output=True, text=True, timeout=200, check=True)
    seen = json.loads(re.search(r'<pre id="probe">(.*?)</pre>', done.stdout).group(1))  # type: ignore[union-attr]
    assert "CONSOLE" not in done.stderr
    assert seen["title"] == "two readers"
    assert seen["pictures"]
    assert all(seen["pictures"])
    assert seen["up"] == ["40.0", "60.0"]
    assert seen["down"] == ["60.0", "40.0"]
    assert seen["wide"] <= seen["screen"]


@pytest.mark.slow
def test_a_cell_of_the_grid_runs_from_data_to_report(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    from experiments import report, run, study

    for name in ("str_grid", "profiles"):
        shutil.copytree(study.HERE / name, tmp_path / name, ignore=shutil.ignore_patterns("results"))
    for module in (run, report):
        monkeypatch.setattr(module, "load_study", lambda name: study.load_study(name, tmp_path))
    monkeypatch.delenv("OCR_REAL_PACK", raising=False)
    places = ["--root", str(tmp_path / "data"), "--runs", str(tmp_path / "runs")]
    assert main(["str_grid", "--cells", "None-VGG-None-CTC", *places]) == 0
    (line,) = (tmp_path / "str_grid" / "results" / "smoke.jsonl").read_text().splitlines()
    row = json.loads(line)
    assert (row["state"], row["samples"], row["model"]) == ("finished", 48, "None-VGG-None-CTC")
    assert row["curve"]
    capsys.readouterr()
    assert report.main(["str_grid", "--runs", str(tmp_path / "runs")]) == 0
    out = capsys.readouterr().out
    assert re.search(r"None-VGG-None-CTC +\| 69.54 .*finished, not converged", out)
