"""Charts of what-if and risk as Vega-Lite specifications; see `planner.report.charts` for the rules they follow."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from planner.report.charts import SCHEMA, TEXT_PX, Palette, Spec
from planner.report.tables import Translate

Rows = Sequence[Mapping[str, Any]]

ROW_PX, AXIS_PX, CURVE_PX = 32, 120, 380  # axes and legends are inside the height


def parts_chart(parts: Rows, palette: Palette, _: Translate) -> Spec:
    """Parts of a difference as bars from zero: more to the right, less to the left.

    Parameters
    ----------
    parts : rows of `name` and `usd`. [USD/month]
    """
    rows = [{**row, "name": f"{row['name']}  {row['usd']:+,.0f}"} for row in parts]
    names = [row["name"] for row in rows]
    y = {"field": "name", "type": "nominal", "sort": names, "title": None, "axis": _plain_axis()}
    colour = {"condition": {"test": "datum.usd > 0", "value": palette.refused}, "value": palette.lines[1]}
    x = {"field": "usd", "type": "quantitative", "title": _("USD a month"), "axis": {"format": "$,.0f", "tickCount": 4}}
    return {
        "$schema": SCHEMA,
        "height": ROW_PX * len(rows) + AXIS_PX,
        "data": {"values": rows},
        "mark": {"type": "bar", "height": 14},
        "encoding": {"y": y, "x": x, "color": colour, "tooltip": [{"field": "name", "title": _("Part")}]},
    }


def tornado_chart(bars: Rows, at_mid: float, axis: str, form: str, palette: Palette, _: Translate) -> Spec:
    """What each input does alone: from its low to its high end, around the outcome with all at mid.

    Parameters
    ----------
    bars : rows of `name`, `at_low`, `at_high`, `low`, `high`, the widest first.
    axis, form : title of the outcome, and how it is written.
    """
    rows = [
        {**bar, "end": end, "value": bar[f"at_{key}"], "at": f"{bar[key]:,.4g}"}
        for bar in bars
        for key, end in (("low", _("input low")), ("high", _("input high")))
        if bar[f"at_{key}"] is not None
    ]
    names = list(dict.fromkeys(bar["name"] for bar in bars))
    y = {"field": "name", "type": "nominal", "sort": names, "title": None, "axis": _plain_axis()}
    ends = [_("input low"), _("input high")]
    scale = {"domain": ends, "range": [palette.lines[1], palette.parts[1]]}
    legend = {"title": None, "orient": "top", "symbolType": "square"}
    x = {
        "field": "value",
        "type": "quantitative",
        "title": axis,
        "scale": {"zero": False},
        "axis": {"format": form, "tickCount": 6},
    }
    tips = [
        {"field": "name", "title": _("Input")},
        {"field": "at", "title": _("At")},
        {"field": "value", "title": axis, "format": form},
    ]
    bar = {
        "x": x,
        "x2": {"datum": at_mid},
        "color": {"field": "end", "type": "nominal", "scale": scale, "legend": legend},
    }
    return {
        "$schema": SCHEMA,
        "height": ROW_PX * len(names) + AXIS_PX,
        "data": {"values": rows},
        "layer": [
            {"mark": {"type": "bar", "height": 16}, "encoding": {"y": y, **bar, "tooltip": tips}},
            {
                "mark": {"type": "rule", "color": palette.answer, "strokeWidth": 2, "aria": False},
                "encoding": {"x": {"datum": at_mid}},
            },  # it carries no value of its own to read out
        ],
    }


def chance_chart(points: Rows, budget: float | None, palette: Palette, _: Translate) -> Spec:
    """Chance that a month costs no more, a line per plan; the budget as a rule.

    Parameters
    ----------
    points : rows of `plan`, `chance`, `usd`. [-], [USD/month]
    """
    plans = list(dict.fromkeys(row["plan"] for row in points))
    scale = {"domain": plans, "range": list(palette.lines[: len(plans)])}
    legend = {"title": None, "orient": "top", "columns": 1, "labelLimit": 320}
    x = {"field": "usd", "type": "quantitative", "title": _("USD a month"), "axis": {"format": "$,.0f", "tickCount": 6}}
    y = {
        "field": "chance", "type": "quantitative", "title": _("chance to cost no more"),
        "scale": {"domain": [0, 1]}, "axis": {"format": ".0%", "tickCount": 5},
    }  # fmt: skip
    tips = [
        {"field": "plan", "title": _("Plan")},
        {"field": "chance", "title": _("chance to cost no more"), "format": ".0%"},
        {"field": "usd", "title": _("USD a month"), "format": "$,.0f"},
    ]
    line = {
        "data": {"values": [dict(row) for row in points]},
        "mark": {"type": "line", "strokeWidth": 2.5, "interpolate": "step-after"},
        "encoding": {
            "x": x,
            "y": y,
            "color": {"field": "plan", "type": "nominal", "scale": scale, "legend": legend},
            "tooltip": tips,
        },
    }
    return {"$schema": SCHEMA, "height": CURVE_PX, "layer": [line, *_budget(budget, palette, _)]}


def _budget(budget: float | None, palette: Palette, _: Translate) -> list[Spec]:
    if budget is None:
        return []
    data = {"values": [{"usd": budget, "text": _("budget")}]}
    x = {"x": {"field": "usd", "type": "quantitative"}}
    text = {"type": "text", "align": "left", "dx": 5, "y": 10, "fontSize": TEXT_PX, "color": palette.refused}
    return [
        {"data": data, "mark": {"type": "rule", "strokeDash": [4, 4], "color": palette.refused}, "encoding": x},
        {"data": data, "mark": text, "encoding": {**x, "text": {"field": "text"}}},
    ]


def fleet_chart(rows: Rows, palette: Palette, _: Translate) -> Spec:
    """Servers at the end of each year, owned and rented, stacked.

    Parameters
    ----------
    rows : `year`, `what`, `servers`.
    """
    kinds = list(dict.fromkeys(row["what"] for row in rows))
    scale = {"domain": kinds, "range": list(palette.parts[: len(kinds)])}
    legend = {"title": None, "orient": "top", "columns": 2, "labelLimit": 260}
    return {
        "$schema": SCHEMA,
        "height": CURVE_PX,
        "data": {"values": [dict(row) for row in rows]},
        "mark": {"type": "bar", "width": {"band": 0.55}},
        "encoding": {
            "x": {"field": "year", "type": "ordinal", "title": _("end of year"), "axis": {"labelAngle": 0}},
            "y": {"field": "servers", "type": "quantitative", "title": _("servers")},
            "color": {"field": "what", "type": "nominal", "scale": scale, "legend": legend},
            "tooltip": [
                {"field": f, "title": t}
                for f, t in (("year", _("Year")), ("what", _("Supply")), ("servers", _("servers")))
            ],
        },
    }


def sweep_chart(rows: Rows, field: str, series: str, palette: Palette, _: Translate) -> Spec:
    """Cost of the best plan over the values of one field, a line for each value of a second one.

    Parameters
    ----------
    rows : `x`, `series`, `plan`, `usd` in the order of the values; without a plan there is no row. [USD/month]
    field, series : names of the fields; the second may be empty.
    """
    numbers = all(isinstance(row["x"], int | float) for row in rows)
    x = {"field": "x", "type": "quantitative" if numbers else "ordinal", "title": field, "sort": None,
         "scale": {"zero": False} if numbers else {}, "axis": {"labelAngle": 0}}  # fmt: skip
    lines = list(dict.fromkeys(row["series"] for row in rows))
    colour = {
        "field": "series", "type": "nominal", "scale": {"domain": lines, "range": _cycled(palette, len(lines))},
        "legend": {"title": series, "orient": "top", "columns": 3} if series else None,
    }  # fmt: skip
    tips = [{"field": "x", "title": field}, {"field": "plan", "title": _("Plan")},
            {"field": "usd", "title": _("USD a month"), "format": "$,.0f"}]  # fmt: skip
    tips += [{"field": "series", "title": series}] if series else []
    return {
        "$schema": SCHEMA,
        "height": CURVE_PX,
        "data": {"values": [dict(row) for row in rows]},
        "mark": {"type": "line", "strokeWidth": 2.5, "point": {"size": 60}},
        "encoding": {
            "x": x,
            "y": {"field": "usd", "type": "quantitative", "title": _("USD a month"), "axis": {"format": "$,.0f"}},
            "color": colour,
            "tooltip": tips,
        },
    }


def _cycled(palette: Palette, count: int) -> list[str]:
    return [palette.lines[n % len(palette.lines)] for n in range(count)]


def _plain_axis() -> Spec:
    return {"labelLimit": 260, "labelOverlap": False, "ticks": False, "domain": False}
