"""Charts of what-if and risk as Vega-Lite specifications; see `planner.report.charts` for the rules they follow."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from planner.report.drawing import (
    BAR_PX,
    Palette,
    Rows,
    Spec,
    bar_names,
    chart,
    layer,
    legend,
    line_names,
    quantity,
    text,
    tip,
)
from planner.report.tables import Translate

AXIS_PX, CURVE_PX, CURVE_PLOT_PX = 62, 340, 265  # below bars; a chart of lines with and without its axis


def parts_chart(parts: Rows, palette: Palette, _: Translate) -> Spec:
    """Parts of a difference as bars from zero: more to the right, less to the left.

    Parameters
    ----------
    parts : rows of `name` and `usd`. [USD/month]
    """
    rows = [{**row, "name": f"{row['name']}  {signed_usd(row['usd'])}"} for row in parts]
    y = _by_name(rows)
    colour = {"condition": {"test": "datum.usd > 0", "value": palette.refused}, "value": palette.lines[1]}
    x = quantity("usd", _("USD a month"), axis={"format": "$,.0f", "tickCount": 4})
    tips = [tip("name", _("Part")), tip("usd", _("USD a month"), "+$,.0f")]
    bars = layer(rows, {"type": "bar", "height": 14}, {"x": x, "color": colour, "tooltip": tips})
    layers = [bars, *bar_names(rows, "name", y, palette, 16)]
    return chart(palette, BAR_PX * len(rows) + AXIS_PX, encoding={"y": y}, layer=layers)


def signed_usd(value: float) -> str:
    """A difference in whole dollars; none is a plain zero.

    Examples
    --------
    >>> signed_usd(1234.5), signed_usd(-20.0), signed_usd(-0.2)
    ('+$1,234', '−$20', '$0')
    """
    whole = round(value)
    return f"{'+' if whole > 0 else '−'}${abs(whole):,}" if whole else "$0"


def tornado_chart(bars: Rows, at_mid: float, axis: str, form: str, palette: Palette, _: Translate) -> Spec:
    """What each input does alone: from its low to its high end, around the outcome with all at mid.

    Parameters
    ----------
    bars : rows of `name`, `at_low`, `at_high`, `low`, `high`, the widest first.
    axis, form : title of the outcome, and how it is written.
    """
    ends = {"low": _("input low"), "high": _("input high")}
    rows = [
        {**bar, "end": words, "value": bar[f"at_{key}"], "at": f"{bar[key]:,.4g}"}
        for bar in bars
        for key, words in ends.items()
        if bar[f"at_{key}"] is not None
    ]
    y = _by_name(bars)
    scale = {"domain": list(ends.values()), "range": [palette.lines[1], palette.parts[1]]}
    x = quantity("value", axis, scale={"zero": False}, axis={"format": form, "tickCount": 4})
    colour = {
        "field": "end",
        "type": "nominal",
        "scale": scale,
        "legend": legend(list(ends.values()), symbolType="square"),
    }
    tips = [tip("name", _("Input")), tip("at", _("At")), tip("value", axis, form)]
    layers = [
        layer(
            rows,
            {"type": "bar", "height": 16},
            {"y": y, "x": x, "x2": {"datum": at_mid}, "color": colour, "tooltip": tips},
        ),
        layer(
            [{"mid": at_mid}],
            {"type": "rule", "color": palette.answer, "strokeWidth": 2, "aria": False},
            {"x": quantity("mid")},
        ),  # it carries no value of its own to read out
        *bar_names(bars, "name", y, palette, 17),
    ]
    return chart(palette, BAR_PX * len(bars) + AXIS_PX + 30, layer=layers)


def chance_chart(points: Rows, budget: float | None, palette: Palette, _: Translate) -> Spec:
    """Chance that a month costs no more, a line per plan; the budget as a rule.

    Parameters
    ----------
    points : rows of `plan`, `title`, `chance`, `usd`; the name of the plan is short. [-], [USD/month]
    """
    plans = list(dict.fromkeys(row["plan"] for row in points))
    scale = {"domain": plans, "range": cycled(palette, len(plans))}
    colour = {"field": "plan", "type": "nominal", "scale": scale, "legend": None}
    x = quantity("usd", _("USD a month"), axis={"format": "$,.0f", "tickCount": 4, "grid": False})
    axis = {"format": ".0%", "tickCount": 5}
    y = quantity("chance", _("chance to cost no more"), scale={"domain": [0, 1]}, axis=axis)
    tips = [
        tip("plan", _("Plan")),
        tip("title", _("Layout")),
        tip("chance", _("chance to cost no more"), ".0%"),
        tip("usd", _("USD a month"), "$,.0f"),
    ]
    last = {row["plan"]: row for row in points}
    ends = [{**row, "name": plan} for plan, row in last.items()]
    lines = {"type": "line", "strokeWidth": 2.5, "interpolate": "step-after"}
    layers = [
        layer(points, lines, {"x": x, "y": y, "color": colour, "tooltip": tips}),
        *line_names(ends, "usd", y, CURVE_PLOT_PX, colour, palette),
        *_budget(budget, palette, _),
    ]
    return chart(palette, CURVE_PX, layer=layers)


def _budget(budget: float | None, palette: Palette, _: Translate) -> list[Spec]:
    if budget is None:
        return []
    rows, x = [{"usd": budget, "text": _("budget")}], {"x": quantity("usd")}
    name = text("left", dx=5, y=10, color=palette.refused)
    return [
        layer(rows, {"type": "rule", "strokeDash": [4, 4], "color": palette.refused}, x),
        layer(rows, name, {**x, "text": {"field": "text"}}),
    ]


def fleet_chart(rows: Rows, palette: Palette, _: Translate) -> Spec:
    """Servers at the end of each year, owned and rented, stacked.

    Parameters
    ----------
    rows : `year`, `what`, `servers`.
    """
    kinds = list(dict.fromkeys(row["what"] for row in rows))
    scale = {"domain": kinds, "range": list(palette.parts[: len(kinds)])}
    colour = {"field": "what", "type": "nominal", "scale": scale, "legend": legend(kinds, symbolType="square")}
    tips = [tip("year", _("Year")), tip("what", _("Supply")), tip("servers", _("servers"), ",d")]
    encoding = {
        "x": {"field": "year", "type": "ordinal", "title": _("end of year"), "axis": {"labelAngle": 0}},
        "y": quantity("servers", _("servers"), axis={"tickMinStep": 1}),
        "color": colour,
        "tooltip": tips,
    }
    return chart(palette, CURVE_PX, **layer(rows, {"type": "bar", "width": {"band": 0.55}}, encoding))


def sweep_chart(rows: Rows, field: str, series: str, palette: Palette, _: Translate) -> Spec:
    """Cost of the best plan over the values of one field, a line for each value of a second one.

    Parameters
    ----------
    rows : `x`, `series`, `plan`, `usd` in the order of the values; without a plan there is no row. [USD/month]
    field, series : names of the fields; the second may be empty.
    """
    numbers = all(isinstance(row["x"], int | float) for row in rows)
    x: Mapping[str, Any] = (
        quantity("x", field, scale={"zero": False}, axis={"tickCount": 6, "grid": False})
        if numbers
        else {"field": "x", "type": "ordinal", "title": field, "sort": None, "axis": {"labelAngle": 0}}
    )
    lines = list(dict.fromkeys(row["series"] for row in rows))
    keys = legend(lines, 1.0, title=series, titleLimit=300) if series else None
    scale = {"domain": lines, "range": cycled(palette, len(lines))}
    tips = [tip("x", field), tip("plan", _("Plan")), tip("usd", _("USD a month"), "$,.0f")]
    tips += [tip("series", series)] if series else []
    encoding = {
        "x": x,
        "y": quantity("usd", _("USD a month"), axis={"format": "$,.0f", "tickCount": 5}),
        "color": {"field": "series", "type": "nominal", "scale": scale, "legend": keys},
        "tooltip": tips,
    }
    return chart(
        palette, CURVE_PX, **layer(rows, {"type": "line", "strokeWidth": 2.5, "point": {"size": 60}}, encoding)
    )


def cycled(palette: Palette, count: int) -> list[str]:
    """Colours of so many lines, from the first again where there are more."""
    return [palette.lines[n % len(palette.lines)] for n in range(count)]


def _by_name(rows: Rows) -> Spec:
    """A bar for each name, in the order of the rows; names stand above the bars, not beside them."""
    names = list(dict.fromkeys(row["name"] for row in rows))
    return {"field": "name", "type": "nominal", "sort": names, "title": None, "axis": None}
