"""Predicted against measured as small multiples in one SVG, for documents: no JavaScript, the same bytes each time."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from html import escape

import numpy as np
from numpy.typing import NDArray

Array = NDArray[np.float64]

COLUMNS, PANEL_PX, GAP_PX, LEFT_PX, TOP_PX, BELOW_PX = 4, 190, 52, 52, 74, 4
INSIDE, OUTSIDE, INK, GREY, PAPER = "#2f6fe0", "#d55e00", "#1a2230", "#6b7685", "#ffffff"
LINES = ((1.0, ""), (1.2, "5 3"), (1 / 1.2, "5 3"), (2.0, "1.5 3"), (0.5, "1.5 3"))
ROOM = 1.2  # beyond the outermost point


@dataclass(frozen=True)
class Panel:
    """One scatter: values in the unit of the axes, and whether each lies outside its interval; shape (n,)."""

    title: str
    below: str
    measured: Array
    predicted: Array
    outside: NDArray[np.bool_]


def scatter_svg(title: str, unit: str, panels: Sequence[Panel]) -> str:
    """All panels on the same logarithmic axes; lines at the same, 20 % and a factor of 2.

    Points outside their interval are larger, orange diamonds, so that colour does not speak alone.
    """
    ends = _ends(panels)
    rows = math.ceil(len(panels) / COLUMNS)
    width = LEFT_PX + COLUMNS * (PANEL_PX + GAP_PX)
    height = TOP_PX + rows * (PANEL_PX + GAP_PX + 10) + BELOW_PX
    parts = [_text(LEFT_PX, 24, title, 16, "700"), *_legend(unit)]
    for number, panel in enumerate(panels):
        x = LEFT_PX + number % COLUMNS * (PANEL_PX + GAP_PX)
        y = TOP_PX + 18 + number // COLUMNS * (PANEL_PX + GAP_PX + 10)
        parts.append(f'<g transform="translate({x} {y})">{"".join(_panel(panel, ends))}</g>')
    style = 'font-family="system-ui, sans-serif" role="img"'
    head = f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {width} {height}" width="{width}" {style}>'
    label = f'<title>{escape(title)}</title><rect width="{width}" height="{height}" fill="{PAPER}"/>'
    return "\n".join([head, label, *parts, "</svg>"]) + "\n"


def _ends(panels: Sequence[Panel]) -> tuple[float, float]:
    values = np.concatenate([values for panel in panels for values in (panel.measured, panel.predicted)])
    return float(values.min()) / ROOM, float(values.max()) * ROOM


def _legend(unit: str) -> list[str]:
    y, marks = 46, []
    for x, inside, words in (
        (LEFT_PX, True, "in its 80 % interval, or has none"),
        (LEFT_PX + 224, False, "outside it"),
    ):
        marks += [_dots(np.array([[x + 4, y - 4]]), inside), _text(x + 14, y, words, 12)]
    texts = ((LEFT_PX + 318, "", "as measured"), (LEFT_PX + 430, "5 3", "± 20 %"), (LEFT_PX + 514, "1.5 3", "factor 2"))
    for x, dash, words in texts:
        marks += [f'<path d="M{x} {y - 4}h24" {_stroke(dash)}/>', _text(x + 30, y, words, 12)]
    return [*marks, _text(LEFT_PX + 620, y, f"across: measured; up: predicted; {unit}", 12, colour=GREY)]


def _panel(panel: Panel, ends: tuple[float, float]) -> list[str]:
    size = PANEL_PX
    frame = f'<rect width="{size}" height="{size}" fill="none" stroke="#c5ccd6"/>'
    parts = [_text(0, -20, panel.title, 12, "650"), _text(0, -6, panel.below, 11, colour=GREY), frame]
    parts += [_line(ratio, dash, ends) for ratio, dash in LINES]
    for tick in _ticks(ends):
        at = _place(tick, ends)
        parts.append(_text(at, size + 14, f"{tick:,g}", 10, colour=GREY, anchor="middle"))
        parts.append(_text(-5, size - at + 3, f"{tick:,g}", 10, colour=GREY, anchor="end"))
    places = np.column_stack([_place(panel.measured, ends), size - _place(panel.predicted, ends)])
    return [*parts, _dots(places[~panel.outside], True), _dots(places[panel.outside], False)]


def _line(ratio: float, dash: str, ends: tuple[float, float]) -> str:
    """The line predicted = ratio × measured, cut at the frame."""
    up = math.log(ratio) / math.log(ends[1] / ends[0]) * PANEL_PX
    x1, x2 = max(0.0, -up), min(PANEL_PX, PANEL_PX - up)
    return f'<path d="M{x1:.1f} {PANEL_PX - x1 - up:.1f}L{x2:.1f} {PANEL_PX - x2 - up:.1f}" {_stroke(dash)}/>'


def _stroke(dash: str) -> str:
    return f'stroke="{GREY}" fill="none"' + (f' stroke-dasharray="{dash}"' if dash else "")


def _ticks(ends: tuple[float, float]) -> list[float]:
    """Whole decades; with fewer than three of them also 2 and 5."""
    exponents = range(math.floor(math.log10(ends[0])), math.ceil(math.log10(ends[1])) + 1)
    found = [10.0**e for e in exponents if ends[0] <= 10.0**e <= ends[1]]
    if len(found) >= 3:
        return found
    return [m * 10.0**e for e in exponents for m in (1, 2, 5) if ends[0] <= m * 10.0**e <= ends[1]]


def _place(value: Array | float, ends: tuple[float, float]) -> Array:
    return np.asarray(np.log(np.asarray(value) / ends[0]) / math.log(ends[1] / ends[0]) * PANEL_PX)


def _dots(places: Array, inside: bool) -> str:
    """All marks of one kind as one path: round dots, or diamonds."""
    spots = sorted({(round(float(x) * 2) / 2, round(float(y) * 2) / 2) for x, y in places})
    if not spots:
        return ""
    if inside:
        drawn = "".join(f"M{x:g} {y:g}h0" for x, y in spots)
        return f'<path d="{drawn}" stroke="{INSIDE}" stroke-width="4.4" stroke-linecap="round" opacity=".6"/>'
    drawn = "".join(f"M{x:g} {y - 3:g}l3 3-3 3-3-3z" for x, y in spots)
    return f'<path d="{drawn}" fill="{OUTSIDE}" opacity=".75"/>'


def _text(
    x: float | Array, y: float | Array, words: str, size: int, weight: str = "400", colour: str = INK, anchor: str = ""
) -> str:
    aligned = f' text-anchor="{anchor}"' if anchor else ""
    place = f'x="{float(x):g}" y="{float(y):g}"'
    return f'<text {place} font-size="{size}" font-weight="{weight}" fill="{colour}"{aligned}>{escape(words)}</text>'
