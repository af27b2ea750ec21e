"""Predicted against measured as Vega-Lite: both axes logarithmic, lines at the same, 20 % and a factor of 2."""

from __future__ import annotations

from typing import Any

from planner.report.charts import SCHEMA, Palette, Rows, Spec
from planner.report.tables import Translate

HEIGHT_PX = 400  # with axes and legend
SHAPES = ("circle", "square", "triangle-up", "diamond", "cross", "triangle-down")
# Predicted over measured, how the line is drawn, and what it is called.
LINES: tuple[tuple[float, list[int], float], ...] = (
    (1.0, [], 1.6),
    (1.2, [6, 3], 1.0),
    (1 / 1.2, [6, 3], 1.0),
    (2.0, [2, 3], 1.0),
    (0.5, [2, 3], 1.0),
)
ROOM = 1.15  # beyond the outermost point


def domain(rows: Rows) -> tuple[float, float]:
    """Range that both axes share."""
    values = [float(row[name]) for row in rows for name in ("measured", "predicted")]
    return min(values) / ROOM, max(values) * ROOM


def scatter_chart(
    rows: Rows, generations: list[str], ends: tuple[float, float], unit: str, palette: Palette, _: Translate
) -> Spec:
    """Points of one metric; colour and shape tell generations of accelerators.

    Parameters
    ----------
    rows : rows of `accuracy.points`.
    generations : every generation that any chart beside this one shows, so that all share their colours.
    ends : range of both axes, as `domain` gives it.
    """
    scale = {"type": "log", "domain": list(ends), "nice": False}
    axis = {"format": "~s" if ends[1] >= 1e4 else "~g", "tickCount": 4, "gridOpacity": 0.4}
    x = {"field": "measured", "type": "quantitative", "scale": scale, "axis": axis}
    y = {"field": "predicted", "type": "quantitative", "scale": scale, "axis": axis}
    x["title"], y["title"] = (f"{name}, {unit}" for name in (_("measured"), _("predicted")))
    return {
        "$schema": SCHEMA,
        "height": HEIGHT_PX,
        "layer": [*_line_layers(ends, x, y, palette), _point_layer(rows, generations, x, y, palette, _)],
    }


def _line_layers(ends: tuple[float, float], x: Spec, y: Spec, palette: Palette) -> list[Spec]:
    return [
        {
            "data": {"values": [{"measured": end, "predicted": end * ratio} for end in ends]},
            "mark": {"type": "line", "clip": True, "strokeDash": dash, "strokeWidth": width, "color": palette.lines[4]},
            "encoding": {"x": x, "y": y, "opacity": {"value": 0.75}},
        }
        for ratio, dash, width in LINES
    ]


def _point_layer(rows: Rows, generations: list[str], x: Spec, y: Spec, palette: Palette, _: Translate) -> Spec:
    field: dict[str, Any] = {"field": "generation", "type": "nominal"}
    colours = [palette.lines[i % len(palette.lines)] for i in range(len(generations))]
    shapes = [SHAPES[i % len(SHAPES)] for i in range(len(generations))]
    there = [name for name in generations if any(row["generation"] == name for row in rows)]
    legend = {"title": None, "orient": "top", "columns": 3, "symbolOpacity": 1, "values": there}
    tips = [
        ("id", "id", ""),
        ("measured", _("measured"), ",.4~r"),
        ("predicted", _("predicted"), ",.4~r"),
        ("error", _("error"), "+.1%"),
        ("llm", _("LLM"), ""),
        ("accelerator", _("Accelerator"), ""),
        ("setup", _("set-up"), ""),
        ("source", _("Source"), ""),
    ]
    return {
        "data": {"values": [dict(row) for row in rows]},
        "mark": {"type": "point", "filled": True, "size": 26, "opacity": 0.55, "clip": True},
        "encoding": {
            "x": x,
            "y": y,
            "color": {**field, "scale": {"domain": generations, "range": colours}, "legend": legend},
            "shape": {**field, "scale": {"domain": generations, "range": shapes}, "legend": legend},
            "tooltip": [
                {"field": name, "title": title, "type": "quantitative" if form else "nominal"}
                | ({"format": form} if form else {})
                for name, title, form in tips
            ],
        },
    }
