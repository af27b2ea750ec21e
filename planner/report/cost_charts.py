"""Charts of costs as Vega-Lite specifications; titles are findings and stand above them as text."""

from __future__ import annotations

from typing import Any

from planner.report.charts import SCHEMA, Palette, Rows, Spec
from planner.report.cost_frames import names_in
from planner.report.tables import Translate

# Okabe & Ito (2008), told apart with any colour vision; grey for what is left.
PARTS = ("#0072b2", "#56b4e9", "#e69f00", "#f0c75e", "#009e73", "#cc79a7", "#d55e00", "#8a8f98", "#b9a5d6", "#5d4e8c")
DASHES = ([1, 0], [6, 3], [2, 2], [8, 3, 2, 3], [4, 4], [1, 3], [10, 2], [3, 1])
BAR_PX, BELOW_BARS_PX, LINE_PX = 34, 130, 380  # heights with axis and legend


def months_chart(rows: Rows, palette: Palette, _: Translate) -> Spec:
    """Stacked months, a bar for each way."""
    ways, lines = names_in(rows, "way"), names_in(rows, "line")  # type: ignore[arg-type]
    colour = {
        "field": "line",
        "type": "nominal",
        "scale": {"domain": lines, "range": list(PARTS[: len(lines)])},
        "legend": {"title": None, "orient": "bottom", "columns": 4},
    }
    y = {"field": "way", "type": "nominal", "sort": ways, "title": None, "axis": {"labelLimit": 190, "ticks": False}}
    x = {"field": "usd", "type": "quantitative", "title": _("$ a month"), "axis": {**_dollars(), "grid": False}}
    tips = [_tip("way", _("Way")), _tip("line", _("Line")), _tip("usd", _("$/month"), ",.0f")]
    totals = [{"way": way, "usd": sum(r["usd"] for r in rows if r["way"] == way)} for way in ways]
    text = {"type": "text", "align": "left", "dx": 5, "fontSize": 12, "color": palette.answer}
    return {
        "$schema": SCHEMA,
        "height": BAR_PX * len(ways) + BELOW_BARS_PX,
        "encoding": {"y": y},
        "layer": [
            _layer(rows, {"type": "bar", "height": 20}, {"x": x, "color": colour, "tooltip": tips}),
            _layer(totals, text, {"x": x, "text": {"field": "usd", "type": "quantitative", "format": "$,.0f"}}),
        ],
    }


def cash_chart(rows: Rows, crossings: Rows, palette: Palette, _: Translate) -> Spec:
    """Cash paid so far by month, with the months in which owning has paid less."""
    x = {"field": "month", "type": "quantitative", "title": _("month"), "axis": {"grid": False, "tickMinStep": 1}}
    y = {"field": "usd", "type": "quantitative", "title": _("$ paid so far"), "axis": _dollars()}
    tips = [_tip("way", _("Way")), _tip("month", _("Month"), ",.1f"), _tip("usd", _("$ paid so far"), ",.0f")]
    mark = {"type": "point", "filled": True, "size": 90, "color": palette.refused, "opacity": 1}
    layers = [_lines(rows, x, y, palette, tips)]
    if crossings:
        text = {"type": "text", "dy": -11, "fontSize": 12, "color": palette.refused}
        label = {"field": "month", "type": "quantitative", "format": ".0f"}
        layers += [_layer(crossings, mark, {"x": x, "y": y, "tooltip": tips})]
        layers += [_layer(crossings, text, {"x": x, "y": y, "text": label})]
    return {"$schema": SCHEMA, "height": LINE_PX, "layer": layers}


def load_chart(rows: Rows, now: float, palette: Palette, _: Translate) -> Spec:
    """Cost of a million output tokens over the load; a rule where the load is now."""
    x = {
        "field": "load",
        "type": "quantitative",
        "title": _("load, of what the fleet holds"),
        "scale": {"type": "log", "nice": False},
        "axis": {"format": ".0%", "grid": False, "values": [0.03, 0.05, 0.1, 0.2, 0.4, 0.6, 1.0]},
    }
    y = {
        "field": "usd",
        "type": "quantitative",
        "title": _("$ per million output tokens"),
        "scale": {"type": "log", "nice": False},
        "axis": {"format": "$,.4~r", "tickCount": 5},
    }
    tips = [_tip("way", _("Way")), _tip("load", _("Load"), ".0%"), _tip("usd", _("$/M out"), "$,.2f")]
    rule = {"type": "rule", "strokeDash": [4, 4], "color": palette.refused}
    text = {"type": "text", "align": "left", "dx": 5, "y": 10, "fontSize": 12, "color": palette.refused}
    here = [{"load": now, "text": _("load now")}]
    return {
        "$schema": SCHEMA,
        "height": LINE_PX,
        "layer": [
            _lines(rows, x, y, palette, tips),
            _layer(here, rule, {"x": x}),
            _layer(here, text, {"x": x, "text": {"field": "text"}}),
        ],
    }


def _dollars() -> Spec:
    """Thousands and millions, each tick by itself: a shared prefix would spell 0 as 0k."""
    return {"labelExpr": "datum.value === 0 ? '0' : format(datum.value, '.3~s')"}


def _lines(rows: Rows, x: Spec, y: Spec, palette: Palette, tips: list[Spec]) -> Spec:
    """A line for each way, told apart by colour and dash."""
    names = names_in(rows, "way")  # type: ignore[arg-type]
    colours = [palette.lines[n % len(palette.lines)] for n in range(len(names))]
    legend = {"title": None, "orient": "bottom", "columns": 3, "labelLimit": 220, "symbolType": "stroke"}
    colour = {"field": "way", "type": "nominal", "scale": {"domain": names, "range": colours}, "legend": legend}
    dash = {
        "field": "way",
        "type": "nominal",
        "scale": {"domain": names, "range": [DASHES[n % len(DASHES)] for n in range(len(names))]},
        "legend": legend,
    }
    mark = {"type": "line", "strokeWidth": 2.2, "interpolate": "linear"}
    return _layer(rows, mark, {"x": x, "y": y, "color": colour, "strokeDash": dash, "tooltip": tips})


def _layer(rows: Rows, mark: Spec, encoding: Spec) -> Spec:
    return {"data": {"values": [dict(row) for row in rows]}, "mark": mark, "encoding": encoding}


def _tip(field: str, title: str, format: str = "") -> Spec:
    kind: dict[str, Any] = {"type": "quantitative", "format": format} if format else {"type": "nominal"}
    return {"field": field, "title": title, **kind}
