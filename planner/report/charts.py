"""The charts as Vega-Lite specifications: direct labels, units on the axes, no colour that must be told apart alone.

Titles are findings and stand above a chart as text, where they wrap; see `planner.report.findings`.
Plain dicts, since building these two charts with Altair takes 0.4 s, longer than planning does;
`altair.Chart.from_dict` reads them, and a test validates them so.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from planner.report.drawing import (
    DARK,
    LIGHT,
    Palette,
    Rows,
    Spec,
    bar_names,
    beside,
    chart,
    haloed,
    layer,
    legend,
    line_names,
    quantity,
    short_names,
    text,
    tip,
)
from planner.report.frames import COST, SPEED
from planner.report.tables import Translate

__all__ = ["DARK", "LIGHT", "Palette", "Spec", "binary_axis", "curve_chart", "memory_chart"]

ROW_PX, BELOW_BARS_PX, CURVE_PX = 62, 110, 290  # heights; below the bars stand axis and legend
PLOT_PX = 215  # of the height of the chart of curves, without its axis


def memory_chart(parts: Rows, refused: Rows, palette: Palette, _: Translate) -> Spec:
    """What fills one accelerator, as a stacked bar; below it the nearest candidate that memory ruled out.

    Parameters
    ----------
    parts, refused : rows of `frames.memory` and `frames.refused_memory`. [GB]
    """
    bars = list(dict.fromkeys(row["bar"] for row in (*parts, *refused)))
    y = {"field": "bar", "type": "nominal", "scale": {"domain": bars}, "title": None, "axis": None}
    layers = [
        *_part_layers(parts, palette, _),
        *(_refused_layers(refused[0], palette, _) if refused else ()),
        *bar_names([*parts, *refused], "bar", y, palette),
    ]
    return chart(palette, ROW_PX * len(bars) + BELOW_BARS_PX, encoding={"y": y}, layer=layers)


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
    keys = legend(names, columns=2, symbolType="square")
    colour = {"scale": {"domain": names, "range": list(palette.parts)}, "sort": names, "legend": keys}
    x = quantity("start_gb", _("GB per accelerator"), axis={"grid": False, "tickCount": 5})
    bar = {"x": x, "x2": {"field": "end_gb"}, "color": {"field": "name", "type": "nominal", **colour}}
    tooltip = [tip("part", _("Part")), tip("gb", "GB", ",.1f"), tip("share", _("Share"), ".0%")]
    ink = {"condition": {"test": "datum.id === 'weights'", "value": "#ffffff"}, "value": "#12202c"}
    share = {"x": quantity("middle_gb"), "text": {"field": "text"}, "color": ink}
    return [
        layer(rows, {"type": "bar", "height": 28}, {**bar, "tooltip": tooltip}),
        layer(rows, text("center", fontWeight=600), share),
    ]


def _refused_layers(refused: Mapping[str, Any], palette: Palette, _: Translate) -> list[Spec]:
    has = _("{gb:,.3g} GB usable").format(gb=refused["available_gb"])
    needs = _("needs {gb:,.3g} GB").format(gb=refused["needed_gb"])
    rows = [{**refused, "zero": 0, "has": has, "needs": needs}]
    tips = {"tooltip": [tip("has", _("There")), tip("needs", _("Needed"))]}
    bar = {"type": "bar", "height": 24, "color": palette.untaken, "stroke": palette.refused, "strokeWidth": 1.5}
    tick = {"type": "tick", "color": palette.refused, "thickness": 3, "size": 30}
    needed = quantity("needed_gb")
    return [
        layer(rows, bar, {"x": quantity("zero"), "x2": {"field": "available_gb"}, **tips}),
        layer(rows, tick, {"x": needed, **tips}),
        layer(rows, text("left", dx=7, color=palette.refused), {"x": needed, "text": {"field": "needs"}}),
    ]


def curve_chart(curves: Rows, shown: Mapping[str, Any], least_speed: float, palette: Palette, _: Translate) -> Spec:
    """Cost of a million output tokens against speed for one user, a line per accelerator.

    Parameters
    ----------
    curves, shown : rows of `frames.curves` and the point of `frames.shown_point`.
    least_speed : the slowest speed that the promise allows. [token/s per user]
    """
    everything = [*curves, shown]
    most = max([least_speed, *(row[SPEED] for row in everything)])
    promise = {SPEED: least_speed, "text": _("promise: at least {speed:.3g}").format(speed=least_speed)}
    x = quantity(
        SPEED,
        _("tokens per second for one user"),
        scale={"domain": [0, most * 1.02], "nice": False},
        axis={"tickCount": 6, "grid": False},
    )
    names = short_names(list(dict.fromkeys(row["series"] for row in curves)))
    layers = [
        *_promise_layers(promise, most, palette),
        *_line_layers(curves, names, _cost_axis(everything, _), palette, _),
        *_point_layers(shown, most, palette),
    ]
    return chart(palette, CURVE_PX, encoding={"x": x}, layer=layers)


def _cost_axis(everything: Rows, _: Translate) -> Spec:
    """Logarithmic, with the ticks 1, 2, 5, 10 that people read."""
    costs = [row[COST] for row in everything]
    low, high = min(costs) / 1.05, max(costs) * 1.05
    ticks = [m * 10.0**e for e in range(-4, 6) for m in (1, 2, 5) if low <= m * 10.0**e <= high]
    axis = {"format": "$,.4~r", "values": ticks if len(ticks) < 9 else ticks[::2]}
    scale = {"type": "log", "nice": False, "domain": [low, high]}
    return quantity(COST, _("$ per million output tokens"), scale=scale, axis=axis)


def _line_layers(curves: Rows, names: Mapping[str, str], y: Spec, palette: Palette, _: Translate) -> list[Spec]:
    scale = {"domain": list(names), "range": list(palette.lines[: len(names)])}
    colour = {"field": "series", "type": "nominal", "scale": scale, "legend": None}
    width = {"condition": {"test": "datum.chosen", "value": 3.5}, "value": 1.8}
    tooltip = [
        tip("series", _("Accelerator")),
        tip(SPEED, _("tokens/s per user"), ".1f"),
        tip(COST, _("$/M out"), "$,.2f"),
    ]
    fastest = {row["series"]: row for row in sorted(curves, key=lambda row: row[SPEED])}
    ends = [{**row, "name": names[series]} for series, row in fastest.items()]
    drawn = {"type": "line", "interpolate": "monotone"}
    return [
        layer(curves, drawn, {"y": y, "color": colour, "strokeWidth": width}),
        layer(curves, {"type": "point", "opacity": 0, "size": 120}, {"y": y, "tooltip": tooltip}),
        *line_names(ends, SPEED, y, PLOT_PX, colour, palette),
    ]


def _promise_layers(promise: Mapping[str, Any], most: float, palette: Palette) -> list[Spec]:
    """A dashed line, its name on the side where there is room."""
    rows = [promise]
    rule = {"type": "rule", "strokeDash": [4, 4], "color": palette.refused, "opacity": 0.8}
    name = beside(promise[SPEED] < 0.5 * most, 5, color=palette.refused, y=10)
    return [layer(rows, rule, {}), layer(rows, name, {"text": {"field": "text"}})]


def _point_layers(shown: Mapping[str, Any], most: float, palette: Palette) -> list[Spec]:
    """The point of the plan, its name on the side where there is room."""
    right = shown[SPEED] < 0.5 * most
    name = beside(right, 9, dy=14 if right else 0, color=palette.answer, fontWeight=600)
    y = quantity(COST)
    dot = {"type": "point", "filled": True, "size": 130, "color": palette.answer, "opacity": 1}
    return [layer([shown], dot, {"y": y}), *haloed([shown], name, {"y": y, "text": {"field": "label"}}, palette)]


def binary_axis(values: Sequence[float], **options: Any) -> Spec:
    """An axis of powers of two, spelled as people do: 512, 4k, 128k, 1M."""
    spelled = "datum.value >= 1048576 ? datum.value / 1048576 + 'M' : datum.value >= 1024 ? datum.value / 1024 + 'k' : "
    return {"values": list(values), "labelExpr": f"{spelled}datum.value", "labelOverlap": "greedy", **options}
