"""One self-contained HTML page: tables, pictures and curves in a single file that opens anywhere, with no network.

Every function returns :class:`Html`; plain strings given to any of them are text and are escaped.
"""

from __future__ import annotations

import base64
import html
import io
import math
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from numbers import Integral
from pathlib import Path
from typing import Any

from PIL import Image as Pillow

from ocr.types import Image, Score

KINDS = {"real": "real", "rendered": "rendered stand-in"}
"""What a manifest's ``kind`` is called on the page; anything else is shown as it is."""


class Html(str):
    """Markup: everything in it that came from outside is escaped already."""

    __slots__ = ()


Cell = str | int | float | None


_POLICY = "default-src 'none'; img-src data:; style-src 'unsafe-inline'; script-src 'unsafe-inline'"

# --- text and tables -------------------------------------------------------------------------------------------------


def escaped(value: Cell) -> Html:
    """A value as it stands in running text: markup stays, text is escaped, numbers are rounded, nothing is a dash."""
    if isinstance(value, Html):
        return value
    if isinstance(value, str):
        return Html(html.escape(value))
    if isinstance(value, bool):
        return Html("yes" if value else "no")
    if value is None or not math.isfinite(value):
        return Html("–")
    if isinstance(value, Integral):
        return Html(f"{int(value):,}")
    return Html(f"{value:.3f}" if abs(value) < 10 else f"{value:,.1f}")


def paragraph(text: str) -> Html:
    """A paragraph."""
    return Html(f"<p>{escaped(text)}</p>")


def command(text: str) -> Html:
    """A command line or program output, in a fixed-width face, line breaks kept."""
    return Html(f"<pre><code>{escaped(text)}</code></pre>")


def table(columns: Sequence[str], rows: Iterable[Sequence[Cell]], caption: str = "") -> Html:
    """A table that is sorted by a click on a column's head; numbers stand to the right.

    Raises:
        ValueError: a row has another number of cells than there are columns.
    """
    cells = [[_cell(value) for value in _whole(columns, row)] for row in rows]
    numeric = [bool(cells) and all('class="n"' in row[i] for row in cells) for i in range(len(columns))]
    head = "".join(_head(name, number) for name, number in zip(columns, numeric, strict=True))
    body = "".join(f"<tr>{''.join(row)}</tr>" for row in cells)
    title = f"<caption>{escaped(caption)}</caption>" if caption else ""
    return Html(f'<div class="wide"><table>{title}<thead><tr>{head}</tr></thead><tbody>{body}</tbody></table></div>')


def _whole(columns: Sequence[str], row: Sequence[Cell]) -> Sequence[Cell]:
    if len(row) != len(columns):
        raise ValueError(
            f"table row {list(row)} has {len(row)} cells for {len(columns)} columns ({', '.join(columns)})"
        )
    return row


def _head(name: str, number: bool) -> str:
    look = ' class="n"' if number else ""
    return f'<th scope="col"{look}><button type="button">{escaped(name)}</button></th>'


def _cell(value: Cell) -> str:
    if isinstance(value, str):
        wide = ' class="text"' if len(value) > 24 and not isinstance(value, Html) else ""
        return f"<td{wide}>{escaped(value)}</td>"
    if value is None or not math.isfinite(value):
        return f'<td class="n">{escaped(value)}</td>'
    return f'<td class="n" data-v="{float(value)!r}">{escaped(value)}</td>'


def kind_badge(kind: str) -> Html:
    """``real`` or ``rendered stand-in`` as a coloured word, so that one can never pass for the other."""
    name = "real" if kind == "real" else "rendered" if kind == "rendered" else "other"
    return Html(f'<span class="kind {name}">{escaped(KINDS.get(kind, kind))}</span>')


def data_table(manifests: Iterable[Mapping[str, Any]]) -> Html:
    """What the sets are, from their manifests: real or rendered, where from, how many, what was dropped, fingerprint."""
    rows = [
        (
            str(m["name"]),
            str(m["task"]),
            str(m["split"]),
            kind_badge(str(m["kind"])),
            int(m["count"]),
            sum(int(n) for n in m.get("dropped", {}).values()),
            str(m["source"]),
            Html(f"<code>{escaped(str(m['fingerprint'])[:12])}</code>"),
        )
        for m in manifests
    ]
    columns = ("Set", "Task", "Split", "Data", "Samples", "Dropped", "What it is", "Fingerprint")
    return table(columns, rows, "Data of this page")


def score_table(scores: Iterable[Score], kinds: Mapping[str, str], caption: str = "") -> Html:
    """Scores with their 95 % intervals; ``kinds`` gives each set's kind, which stands beside every number.

    Raises:
        ValueError: a set has no kind.
    """
    rows = [(s.set, _kind(s.set, kinds), s.metric, s.value, _interval(s), s.n, s.protocol) for s in scores]
    return table(("Set", "Data", "Metric", "Value", "95 % interval", "n", "Protocol"), rows, caption)


def _kind(name: str, kinds: Mapping[str, str]) -> Html:
    if name not in kinds:
        raise ValueError(f"score of {name}: its kind (real or rendered) is not given; pass it in kinds")
    return kind_badge(kinds[name])


def _interval(score: Score) -> str | None:
    return None if score.low is None or score.high is None else f"{score.low:.3f} – {score.high:.3f}"


# --- pictures --------------------------------------------------------------------------------------------------------


def picture(image: Image, caption: str, max_side: int = 1280) -> Html:
    """A picture with its caption, embedded; scaled down to ``max_side`` pixels, small ones stored without loss."""
    copy = Pillow.fromarray(image)
    copy.thumbnail((max_side, max_side), Pillow.Resampling.LANCZOS)
    kind, options = ("png", {"optimize": True}) if max(copy.size) <= 256 else ("jpeg", {"quality": 85})
    stored = io.BytesIO()
    copy.save(stored, kind, **options)
    data = base64.b64encode(stored.getvalue()).decode("ascii")
    text = escaped(caption)
    return Html(
        f'<figure><img src="data:image/{kind};base64,{data}" width="{copy.width}" height="{copy.height}" alt="{text}">'
        f"<figcaption>{text}</figcaption></figure>"
    )


def gallery(figures: Iterable[Html]) -> Html:
    """Figures side by side, as many in a row as the screen has room for."""
    return Html(f'<div class="gallery">{"".join(figures)}</div>')


# --- curves ----------------------------------------------------------------------------------------------------------


@dataclass(frozen=True)
class Series:
    """One curve: values over positions; values that are not finite leave a gap."""

    name: str
    x: Sequence[float]
    y: Sequence[float]


WIDTH, HEIGHT = 600, 320
LEFT, RIGHT, TOP, BOTTOM = 66, 24, 34, 52
MOST_POINTS = 400
"""A longer curve is thinned to this many points, evenly, first and last kept."""
MARKED_POINTS = 40
"""A curve of at most this many points shows each as a dot that tells its value."""
DASHES = ("", "8 4", "2 4", "12 4 2 4")
COLOURS = 6


def charts(drawn: Iterable[Html]) -> Html:
    """Charts side by side where the screen is wide enough."""
    return Html(f'<div class="charts">{"".join(drawn)}</div>')


def line_chart(
    series: Sequence[Series], title: str, x_label: str, y_label: str, y_range: tuple[float, float] | None = None
) -> Html:
    """Curves over a common axis as inline SVG, told apart by colour and dashes, with a legend; labels carry the units.

    ``y_range`` fixes the vertical axis, otherwise it spans the values.  Without a single finite value the frame says
    so.
    """
    points = [[p for p in zip(s.x, s.y, strict=True) if math.isfinite(p[0]) and math.isfinite(p[1])] for s in series]
    if not any(points):
        return Html(f"<figure><figcaption>{escaped(title)}: no values</figcaption></figure>")
    flat = [p for curve in points for p in curve]
    frame = _Frame(
        _span([x for x, _ in flat], None),
        _span([y for _, y in flat], y_range),
    )
    curves = "".join(_curve(i, s, frame) for i, s in enumerate(series))
    legend = "".join(_key(i, s.name) for i, s in enumerate(series))
    return Html(
        f'<figure class="chart"><figcaption>{escaped(title)}</figcaption><div class="wide">'
        f'<svg viewBox="0 0 {WIDTH} {HEIGHT}" role="img" aria-label="{escaped(title)}">'
        f"{_axes(frame, x_label, y_label)}{curves}</svg></div>"
        f'<ul class="legend">{legend}</ul></figure>'
    )


@dataclass(frozen=True)
class _Frame:
    """From values to places in the drawing."""

    x: tuple[float, float]
    y: tuple[float, float]

    def at(self, x: float, y: float) -> tuple[float, float]:
        across = (x - self.x[0]) / (self.x[1] - self.x[0])
        up = (y - self.y[0]) / (self.y[1] - self.y[0])
        return LEFT + across * (WIDTH - LEFT - RIGHT), HEIGHT - BOTTOM - up * (HEIGHT - TOP - BOTTOM)


def _span(values: Sequence[float], fixed: tuple[float, float] | None) -> tuple[float, float]:
    low, high = fixed or (min(values), max(values))
    if high > low:
        return low, high
    margin = abs(low) / 2 or 0.5
    return low - margin, low + margin


def ticks(low: float, high: float, most: int = 6) -> list[float]:
    """Round numbers (1, 2 or 5 times a power of ten apart) inside a range, at most ``most``."""
    rough = (high - low) / (most - 1)
    power = 10.0 ** math.floor(math.log10(rough))
    step = next(power * m for m in (1, 2, 5, 10) if power * m >= rough * (1 - 1e-9))
    first, last = math.ceil(low / step - 1e-9), math.floor(high / step + 1e-9)
    return [k * step for k in range(first, last + 1)]


def _tick_text(value: float) -> str:
    for unit, size in (("M", 1e6), ("k", 1e3)):
        if abs(value) >= 10 * size or (unit == "M" and abs(value) >= size):
            return f"{value / size:g}{unit}"
    return f"{round(value, 12):g}"


def _axes(frame: _Frame, x_label: str, y_label: str) -> str:
    parts = []
    for value in ticks(*frame.y):
        _, y = frame.at(frame.x[0], value)
        parts.append(f'<line class="grid" x1="{LEFT}" x2="{WIDTH - RIGHT}" y1="{y:.1f}" y2="{y:.1f}"/>')
        parts.append(f'<text x="{LEFT - 8}" y="{y + 4.5:.1f}" text-anchor="end">{_tick_text(value)}</text>')
    for value in ticks(*frame.x):
        x, _ = frame.at(value, frame.y[0])
        parts.append(
            f'<line class="axis" x1="{x:.1f}" x2="{x:.1f}" y1="{HEIGHT - BOTTOM}" y2="{HEIGHT - BOTTOM + 5}"/>'
        )
        parts.append(f'<text x="{x:.1f}" y="{HEIGHT - BOTTOM + 20}" text-anchor="middle">{_tick_text(value)}</text>')
    parts.append(f'<path class="axis" d="M{LEFT} {TOP}V{HEIGHT - BOTTOM}H{WIDTH - RIGHT}"/>')
    middle = (LEFT + WIDTH - RIGHT) / 2
    parts.append(f'<text x="{middle}" y="{HEIGHT - 8}" text-anchor="middle">{escaped(x_label)}</text>')
    parts.append(f'<text x="4" y="18">{escaped(y_label)}</text>')
    return "".join(parts)


def _curve(number: int, series: Series, frame: _Frame) -> str:
    points = _thinned(list(zip(series.x, series.y, strict=True)))
    look = f'class="c{number % COLOURS}" stroke-dasharray="{DASHES[number // COLOURS % len(DASHES)]}"'
    path, pen_down = "", False
    dots = []
    for x, y in points:
        if not (math.isfinite(x) and math.isfinite(y)):
            pen_down = False
            continue
        across, down = frame.at(x, y)
        path += f"{'L' if pen_down else 'M'}{across:.1f} {down:.1f}"
        pen_down = True
        if len(points) <= MARKED_POINTS:
            note = escaped(f"{series.name}: {_tick_text(x)}, {y:.4g}")
            place = f'cx="{across:.1f}" cy="{down:.1f}" r="3"'
            dots.append(f'<circle class="c{number % COLOURS}" {place}><title>{note}</title></circle>')
    return f'<path {look} d="{path}"/>{"".join(dots)}'


def _thinned(points: list[tuple[float, float]]) -> list[tuple[float, float]]:
    if len(points) <= MOST_POINTS:
        return points
    last = len(points) - 1
    return [points[round(i * last / (MOST_POINTS - 1))] for i in range(MOST_POINTS)]


def _key(number: int, name: str) -> str:
    dash = DASHES[number // COLOURS % len(DASHES)]
    line = f'<path class="c{number % COLOURS}" stroke-dasharray="{dash}" d="M0 6H28"/>'
    return f'<li><svg viewBox="0 0 28 12" width="28" height="12" aria-hidden="true">{line}</svg> {escaped(name)}</li>'


# --- the page --------------------------------------------------------------------------------------------------------


def section(title: str, *parts: Html) -> Html:
    """A headed part of the page."""
    return Html(f"<section><h2>{escaped(title)}</h2>{''.join(parts)}</section>")


def page(title: str, lead: str, *sections: Html) -> Html:
    """The whole document; its own security policy forbids it to load anything."""
    return Html(
        '<!DOCTYPE html>\n<html lang="en"><head><meta charset="utf-8">'
        f'<meta http-equiv="Content-Security-Policy" content="{_POLICY}">'
        '<meta name="viewport" content="width=device-width, initial-scale=1">'
        f"<title>{escaped(title)}</title><style>{_beside('.css')}</style></head>"
        f'<body><main><h1>{escaped(title)}</h1><p class="lead">{escaped(lead)}</p>{"".join(sections)}</main>'
        f"<script>{_beside('.js')}</script></body></html>\n"
    )


def write_page(path: str | Path, document: Html) -> Path:
    """Write a document and return its absolute path; missing folders are made."""
    target = Path(path).resolve()
    target.parent.mkdir(parents=True, exist_ok=True)
    target.write_text(document, encoding="utf-8")
    return target


def _beside(suffix: str) -> str:
    return Path(__file__).with_suffix(suffix).read_text(encoding="utf-8")
