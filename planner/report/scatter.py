"""Predicted against measured as Vega-Lite: both axes logarithmic, lines at the same, 20 % and a factor of 2."""

from __future__ import annotations

from typing import Any

from planner.report.drawing import Palette, Rows, Spec, chart, layer, legend, quantity, tip
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
    names = _("measured"), _("predicted")
    x, y = (
        quantity(field, f"{name}, {unit}", scale=scale, axis=axis)
        for field, name in zip(("measured", "predicted"), names, strict=True)
    )
    points = _point_layer(rows, generations, x, y, palette, _)
    return chart(palette, HEIGHT_PX, layer=[*_line_layers(ends, x, y, palette), points])


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
    keys = legend(there, 0.33, symbolOpacity=1, values=there)
    encoding = {
        "x": x,
        "y": y,
        "color": {**field, "scale": {"domain": generations, "range": colours}, "legend": keys},
        "shape": {**field, "scale": {"domain": generations, "range": shapes}, "legend": keys},
        "tooltip": [
            tip("id", _("Point")),
            tip("measured", x["title"], ",.4~r"),
            tip("predicted", y["title"], ",.4~r"),
            tip("error", _("error"), "+.1%"),
            tip("llm", _("LLM")),
            tip("accelerator", _("Accelerator")),
            tip("setup", _("set-up")),
            tip("source", _("Source")),
        ],
    }
    return layer(rows, {"type": "point", "filled": True, "size": 26, "opacity": 0.55, "clip": True}, encoding)
