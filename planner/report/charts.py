"""The charts as Vega-Lite specifications: direct labels, units on the axes, no colour that must be told apart alone.

Titles are findings and stand above a chart as text, where they wrap; see `planner.report.findings`.
Plain dicts, since building these two charts with Altair takes 0.4 s, longer than planning does;
`altair.Chart.from_dict` reads them, and a test validates them so.
"""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from planner.report.frames import COST, SPEED
from planner.report.labels import Box, place
from planner.report.tables import Translate

Spec = dict[str, Any]
Rows = Sequence[Mapping[str, Any]]

SCHEMA = "https://vega.github.io/schema/vega-lite/v6.json"
BAR_PX, BELOW_BARS_PX, CURVE_PX = 62, 112, 290  # heights; below the bars stand axis and legend
TEXT_PX = 12
ROOM_FOR_NAMES = 1.2  # of the fastest speed: how far the speed axis goes
PLOT_PX, PLOT_HEIGHT_PX, CHARACTER_PX = 500, 215, 6.4  # on a laptop: names of lines are placed for it


@dataclass(frozen=True)
class Palette:
    """Colours by meaning; each set is told apart with any colour vision, and readable on its background."""

    answer: str
    parts: tuple[str, str, str, str]
    lines: tuple[str, ...]
    refused: str
    untaken: str
    paper: str


# Blue is the answer, green fits, amber works, grey is left; after Okabe & Ito (2008), darkened for white paper.
LIGHT = Palette(
    answer="#1450b4",
    parts=("#2f6fe0", "#f2a033", "#56b49b", "#c5ccd6"),
    lines=("#1450b4", "#1f7a5c", "#b45f06", "#b0468f", "#3a4250"),
    refused="#c0392b",
    untaken="#dfe3e9",
    paper="#ffffff",
)
DARK = Palette(
    answer="#7fb0ff",
    parts=("#4d84e5", "#f2b35c", "#6cc9b0", "#4a5466"),
    lines=("#7fb0ff", "#7ce0b8", "#f2b35c", "#d070c8", "#a5aebb"),
    refused="#f28b82",
    untaken="#2a3240",
    paper="#12161d",
)


def memory_chart(parts: Rows, refused: Rows, palette: Palette, _: Translate) -> Spec:
    """What fills one accelerator, as a stacked bar; below it the nearest candidate that memory ruled out.

    Parameters
    ----------
    parts, refused : rows of `frames.memory` and `frames.refused_memory`. [GB]
    """
    bars = list(dict.fromkeys(row["bar"] for row in (*parts, *refused)))
    axis = {"labelLimit": 130, "ticks": False, "domain": False}
    y = {"field": "bar", "type": "nominal", "scale": {"domain": bars}, "title": None, "axis": axis}
    layers = [*_part_layers(parts, palette, _), *(_refused_layers(refused[0], palette, _) if refused else ())]
    return {
        "$schema": SCHEMA,
        "height": BAR_PX * len(bars) + BELOW_BARS_PX,
        "encoding": {"y": y},
        "layer": layers,
    }


def _part_layers(parts: Rows, palette: Palette, _: Translate) -> list[Spec]:
    rows = [
        {
            **part,
            "name": f"{part['part']} {part['gb']:,.3g} GB",
            "middle_gb": (part["start_gb"] + part["end_gb"]) / 2,
            "text": f"{part['share'] * 100:.0f} %" if part["share"] >= 0.1 else "",
        }
        for part in parts
    ]
    names = [row["name"] for row in rows]
    legend = {"title": None, "orient": "bottom", "columns": 2, "labelLimit": 260, "symbolType": "square"}
    colour = {"scale": {"domain": names, "range": list(palette.parts)}, "sort": names, "legend": legend}
    x = _quantity("start_gb", _("GB per accelerator"), axis={"grid": False, "tickCount": 6})
    bar = {"x": x, "x2": {"field": "end_gb"}, "color": {"field": "name", "type": "nominal", **colour}}
    tooltip = [_tip("part", _("Part")), _tip("gb", "GB", ",.1f")]
    ink = {"condition": {"test": "datum.id === 'weights'", "value": "#ffffff"}, "value": "#12202c"}
    text = {"x": _quantity("middle_gb"), "text": {"field": "text"}, "color": ink}
    return [
        _layer(rows, {"type": "bar", "height": 38}, {**bar, "tooltip": tooltip}),
        _layer(rows, {**_text("center"), "fontWeight": 600}, text),
    ]


def _refused_layers(refused: Mapping[str, Any], palette: Palette, _: Translate) -> list[Spec]:
    has = _("{gb:,.3g} GB usable").format(gb=refused["available_gb"])
    needs = _("needs {gb:,.3g} GB").format(gb=refused["needed_gb"])
    rows = [{**refused, "zero": 0, "has": has, "needs": needs}]
    tips = {"tooltip": [_tip("has", _("There")), _tip("needs", _("Needed"))]}
    bar = {"type": "bar", "height": 28, "color": palette.untaken, "stroke": palette.refused, "strokeWidth": 1.5}
    tick = {"type": "tick", "color": palette.refused, "thickness": 3, "size": 38}
    text = {**_text("left"), "dx": 7, "color": palette.refused}
    needed = _quantity("needed_gb")
    return [
        _layer(rows, bar, {"x": _quantity("zero"), "x2": {"field": "available_gb"}, **tips}),
        _layer(rows, tick, {"x": needed, **tips}),
        _layer(rows, text, {"x": needed, "text": {"field": "needs"}}),
    ]


def curve_chart(curves: Rows, shown: Mapping[str, Any], least_speed: float, palette: Palette, _: Translate) -> Spec:
    """Cost of a million output tokens against speed for one user, a line per accelerator.

    Parameters
    ----------
    curves, shown : rows of `frames.curves` and the point of `frames.shown_point`.
    least_speed : the slowest speed that the promise allows. [token/s per user]
    """
    everything = [*curves, shown]
    most = max(row[SPEED] for row in everything)
    promise = {SPEED: least_speed, "text": _("promise: at least {speed:.3g}").format(speed=least_speed)}
    x = _quantity(
        SPEED,
        _("tokens per second for one user"),
        scale={"domain": [0, most * ROOM_FOR_NAMES], "nice": False},
        axis={"tickCount": 7, "grid": False},
    )
    return {
        "$schema": SCHEMA,
        "height": CURVE_PX,
        "encoding": {"x": x},
        "layer": [
            *_promise_layers(promise, palette),
            *_line_layers(curves, _line_names(curves, shown, promise), _cost_axis(everything, _), palette, _),
            *_point_layers(shown, most, palette),
        ],
    }


def _cost_axis(everything: Rows, _: Translate) -> Spec:
    """Logarithmic, with the ticks 1, 2, 5, 10 that people read."""
    costs = [row[COST] for row in everything]
    ticks = [m * 10.0**e for e in range(-4, 6) for m in (1, 2, 5) if min(costs) <= m * 10.0**e <= max(costs)]
    axis = {"format": "$,.4~r", "values": ticks if len(ticks) < 9 else ticks[::2]}
    return _quantity(COST, _("$ per million output tokens"), scale={"type": "log", "nice": False}, axis=axis)


def _line_layers(curves: Rows, placed: Rows, y: Spec, palette: Palette, _: Translate) -> list[Spec]:
    names = list(dict.fromkeys(row["series"] for row in curves))
    scale = {"domain": names, "range": list(palette.lines[: len(names)])}
    colour = {"field": "series", "type": "nominal", "scale": scale, "legend": None}
    width = {"condition": {"test": "datum.chosen", "value": 3.5}, "value": 1.8}
    tooltip = [
        _tip("series", _("Accelerator")),
        _tip(SPEED, _("tokens/s per user"), ".1f"),
        _tip(COST, _("$/M out"), "$,.2f"),
    ]
    text = {**_text("left"), "fontWeight": 600}
    halo = {**text, "stroke": palette.paper, "strokeWidth": 4}
    spell = {"y": y, "text": {"field": "series"}}
    drawn = {"type": "line", "interpolate": "monotone"}
    return [
        _layer(curves, drawn, {"y": y, "color": colour, "strokeWidth": width}),
        _layer(curves, {"type": "point", "opacity": 0, "size": 120}, {"y": y, "tooltip": tooltip}),
        _layer(placed, halo, spell),
        _layer(placed, text, {**spell, "color": colour}),
    ]


def _line_names(curves: Rows, shown: Mapping[str, Any], promise: Mapping[str, Any]) -> list[Spec]:
    """Name of each line with a place beside its fast end, in the units of the axes."""
    everything = [*curves, shown]
    heights = [math.log(row[COST]) for row in everything]
    least, span = min(heights), max(heights) - min(heights) or 1.0
    widest = max(row[SPEED] for row in everything) * ROOM_FOR_NAMES
    lines: dict[str, list[tuple[float, float]]] = {}
    for row in curves:
        lines.setdefault(row["series"], []).append((row[SPEED] / widest, (math.log(row[COST]) - least) / span))
    scaled = {name: np.array(sorted(points)) for name, points in lines.items()}
    character, height = CHARACTER_PX / PLOT_PX, (TEXT_PX + 3) / PLOT_HEIGHT_PX
    texts = [
        Box(promise[SPEED] / widest, 1 - height, len(promise["text"]) * 0.85 * character, height),
        Box(shown[SPEED] / widest, (math.log(shown[COST]) - least) / span - height, character, height),
    ]
    places = place(scaled, character, height, 1.0, texts)
    return [
        {"series": name, SPEED: box.left * widest, COST: math.exp(least + box.middle * span)}
        for name, box in places.items()
    ]


def _promise_layers(promise: Mapping[str, Any], palette: Palette) -> list[Spec]:
    rows = [promise]
    text = {**_text("left"), "dx": 5, "color": palette.refused, "y": 10}
    return [
        _layer(rows, {"type": "rule", "strokeDash": [4, 4], "color": palette.refused, "opacity": 0.8}, {}),
        _layer(rows, text, {"text": {"field": "text"}}),
    ]


def _point_layers(shown: Mapping[str, Any], most: float, palette: Palette) -> list[Spec]:
    """The point of the plan, its name on the side where there is room."""
    right = shown[SPEED] < 0.6 * most
    place = {"dx": 9, "dy": 14} if right else {"dx": -9}
    text = {**_text("left" if right else "right"), **place, "color": palette.answer, "fontWeight": 600}
    y = {"field": COST, "type": "quantitative"}
    return [
        _layer(
            [shown], {"type": "point", "filled": True, "size": 130, "color": palette.answer, "opacity": 1}, {"y": y}
        ),
        _layer([shown], text, {"y": y, "text": {"field": "label"}}),
    ]


def binary_axis(values: Sequence[float], **options: Any) -> Spec:
    """An axis of powers of two, spelled as people do: 512, 4k, 128k, 1M."""
    spelled = "datum.value >= 1048576 ? datum.value / 1048576 + 'M' : datum.value >= 1024 ? datum.value / 1024 + 'k' : "
    return {"values": list(values), "labelExpr": f"{spelled}datum.value", "labelOverlap": "greedy", **options}


def _layer(rows: Rows, mark: Spec, encoding: Spec) -> Spec:
    return {"data": {"values": [dict(row) for row in rows]}, "mark": mark, "encoding": encoding}


def _quantity(field: str, title: str | None = None, **options: Any) -> Spec:
    return {"field": field, "type": "quantitative", **({"title": title} if title else {}), **options}


def _tip(field: str, title: str, format: str = "") -> Spec:
    kind = {"type": "quantitative", "format": format} if format else {"type": "nominal"}
    return {"field": field, "title": title, **kind}


def _text(align: str) -> Spec:
    return {"type": "text", "align": align, "fontSize": TEXT_PX}
