"""What every chart shares: colours by meaning, its frame, and names of lines and bars that fit at any width.

A chart is drawn as wide as its place: 300 px on a phone, 1,000 px on a desk. So names of lines stand in a column at the
right of the plot, for which Vega makes room, and names of bars above them.
"""

from __future__ import annotations

import math
import re
from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

Spec = dict[str, Any]
Rows = Sequence[Mapping[str, Any]]

SCHEMA = "https://vega.github.io/schema/vega-lite/v6.json"
TEXT_PX, CHARACTER_PX = 12, 6.9  # of names; the widest letters of a bold name are wider, its digits narrower
HAN_PX = 12.5  # width of a Chinese character
PHONE_PX = 640  # where columns of a page begin to stand below each other
SYMBOL_PX, AXIS_PX = 26, 60  # of a legend: a symbol and the gaps around it; of a plot: what stands at its left
BAR_PX = 46  # a bar and its name above it
_MEMORY_OR_FORM = re.compile(r"^(\d+(GB|TB)|SXM\d?|PCIe|OAM|HGX)$")


@dataclass(frozen=True)
class Palette:
    """Colours by meaning; each set is told apart with any colour vision, and readable on its background."""

    answer: str
    parts: tuple[str, str, str, str]
    lines: tuple[str, ...]
    refused: str
    untaken: str
    muted: str
    paper: str


# Blue is the answer, green fits, amber works, grey is left; after Okabe & Ito (2008), darkened for white paper.
LIGHT = Palette(
    answer="#1450b4",
    parts=("#2f6fe0", "#f2a033", "#56b49b", "#c5ccd6"),
    lines=("#1450b4", "#1f7a5c", "#b45f06", "#b0468f", "#3a4250"),
    refused="#c0392b",
    untaken="#dfe3e9",
    muted="#566070",
    paper="#ffffff",
)
DARK = Palette(
    answer="#7fb0ff",
    parts=("#4d84e5", "#f2b35c", "#6cc9b0", "#4a5466"),
    lines=("#7fb0ff", "#7ce0b8", "#f2b35c", "#d070c8", "#a5aebb"),
    refused="#f28b82",
    untaken="#2a3240",
    muted="#a5aebb",
    paper="#12161d",
)


def chart(palette: Palette, height: int, **rest: Any) -> Spec:
    """A specification with its frame; its height is that of everything, axes and legend included. [px]"""
    ink = {"labelColor": palette.muted, "titleColor": palette.muted}
    return {
        "$schema": SCHEMA,
        "height": height,
        "padding": {"left": 2, "top": 6, "right": 8, "bottom": 4},
        "config": {"axis": ink, "legend": {"labelColor": palette.muted, "titleColor": palette.muted}},
        **rest,
    }


def layer(rows: Rows, mark: Spec, encoding: Spec) -> Spec:
    """Marks of some rows."""
    return {"data": {"values": [dict(row) for row in rows]}, "mark": mark, "encoding": encoding}


def quantity(field: str, title: str | None = None, **options: Any) -> Spec:
    """A field of numbers on an axis."""
    return {"field": field, "type": "quantitative", **({"title": title} if title else {}), **options}


def tip(field: str, title: str, format: str = "") -> Spec:
    """A line of a tooltip; the title carries the unit."""
    kind = {"type": "quantitative", "format": format} if format else {"type": "nominal"}
    return {"field": field, "title": title or field, **kind}


def text(align: str, **options: Any) -> Spec:
    """A mark of words."""
    return {"type": "text", "align": align, "fontSize": TEXT_PX, **options}


def beside(right: bool, gap_px: int, **options: Any) -> Spec:
    """Words at the right of a point, or at its left."""
    return text("left" if right else "right", dx=gap_px if right else -gap_px, **options)


def haloed(rows: Rows, mark: Spec, encoding: Spec, palette: Palette) -> list[Spec]:
    """Words with paper behind them, readable over a line; what is behind is not read out."""
    halo = {**mark, "stroke": palette.paper, "strokeWidth": 4, "color": palette.paper, "aria": False}
    return [layer(rows, halo, encoding), layer(rows, mark, encoding)]


def legend(names: Sequence[str], share: float = 0.5, **options: Any) -> Spec:
    """A legend below the plot, in as many columns as there is room for its names.

    Reckoned from the window, since the plot's width is not settled yet where Vega lays out its legend: below
    `PHONE_PX` the page is one column, else it stands beside the sidebar, and the chart takes a share of it. The
    plot's width, times 0, only makes Vega reckon again when the window changes.
    """
    each = max((width_px(name) for name in names), default=0.0) + SYMBOL_PX
    window = "(windowSize()[0] + 0 * width)"
    place = f"({window} < {PHONE_PX} ? {window} - 60 : ({window} - 270) * {share:g} - 40)"
    columns = {"expr": f"max(1, floor(({place} - {AXIS_PX}) / {each:.0f}))"}
    return {"title": None, "orient": "bottom", "columns": columns, "labelLimit": 300, **options}


def width_px(words: str) -> float:
    """Width of a name in the bold type of charts, not less than it takes."""
    return sum(HAN_PX if ord(one) > 0x2E7F else CHARACTER_PX for one in words)


# ---- names of bars


def bar_names(rows: Rows, field: str, y: Spec, palette: Palette, up_px: int = 22) -> list[Spec]:
    """The name of each bar above its left end, where it never shortens the bar."""
    once = list({row[field]: row for row in rows}.values())
    mark = text("left", dy=-up_px, color=palette.muted, baseline="middle")
    words = {"x": {"value": 0}, "y": y, "text": {"field": field, "type": "nominal"}}
    return haloed(once, mark, words, palette)


# ---- names of lines


def line_names(ends: Rows, x: str, y: Spec, plot_px: float, colour: Spec, palette: Palette) -> list[Spec]:
    """Names of lines in the margin at the right, joined to the ends of their lines.

    Parameters
    ----------
    ends : the last row of each line; its name is `name`.
    x : field of the horizontal axis.
    y : encoding of the vertical axis; its scale has a `domain`, linear or logarithmic.
    plot_px : least height of the plot. [px]
    colour : encoding of the colour of a line.
    """
    field: str = y["field"]
    low, high = (float(end) for end in y["scale"]["domain"])
    to, back = (math.log, math.exp) if y["scale"].get("type") == "log" else (float, float)
    unit = (to(high) - to(low)) / plot_px
    places = spread([(to(row[field]) - to(low)) / unit for row in ends], TEXT_PX + 3, plot_px)
    rows = [{**row, "place": back(to(low) + at * unit)} for row, at in zip(ends, places, strict=True)]
    place = {"field": "place", "type": "quantitative"}
    rule = {"x": quantity(x), "x2": {"value": {"expr": "width + 6"}}, "y": y, "y2": {"field": "place"}}
    name = {"x": {"value": {"expr": "width + 9"}}, "y": place, "text": {"field": "name", "type": "nominal"}}
    return [
        layer(rows, {"type": "rule", "strokeWidth": 1, "opacity": 0.7}, {**rule, "color": colour}),
        layer(rows, text("left", fontWeight=600, baseline="middle"), {**name, "color": colour}),
    ]


def spread(heights: Sequence[float], gap: float, most: float) -> NDArray[np.float64]:
    """Heights at least `gap` apart between 0 and `most`, as near the wanted ones as can be, in their order.

    The least sum of squares, by the minimax formula of isotonic regression (Barlow et al. 1972).

    Examples
    --------
    >>> spread([0.0, 1.0, 50.0], 10, 100).tolist()
    [0.0, 10.0, 50.0]
    """
    order = np.argsort(heights, kind="stable")
    steps = gap * np.arange(len(order))
    wanted = np.asarray(heights, float)[order] - steps
    sums = np.concatenate([[0.0], np.cumsum(wanted)])
    first, last = np.indices((len(order), len(order)))
    means = np.where(last >= first, (sums[last + 1] - sums[first]) / np.maximum(last - first + 1, 1), np.inf)
    least = np.minimum.accumulate(means[:, ::-1], axis=1)[:, ::-1]  # of the means that end at or after a column
    fitted = np.array([least[: i + 1, i].max() for i in range(len(order))])
    room = max(most - (steps[-1] if len(steps) else 0.0), 0.0)
    found = np.empty(len(order))
    found[order] = np.clip(fitted, 0.0, room) + steps
    return found


def short_names(names: Sequence[str]) -> dict[str, str]:
    """Names of accelerators without form and memory, where that leaves them apart.

    Examples
    --------
    >>> short_names(["H200 SXM 141GB", "H100 SXM5 80GB", "H100 NVL 94GB"])
    {'H200 SXM 141GB': 'H200', 'H100 SXM5 80GB': 'H100', 'H100 NVL 94GB': 'H100 NVL'}
    >>> list(short_names(["A100 40GB PCIe", "A100 80GB PCIe"]).values())
    ['A100 40GB PCIe', 'A100 80GB PCIe']
    """
    bare = {
        name: " ".join(word for word in name.split() if not _MEMORY_OR_FORM.match(word)).removeprefix("GeForce ")
        for name in names
    }
    count = Counter(bare.values())
    return {name: short if count[short] == 1 else name for name, short in bare.items()}
