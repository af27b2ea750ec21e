"""Charts of costs as Vega-Lite specifications; titles are findings and stand above them as text."""

from __future__ import annotations

from planner.report.cost_frames import names_in
from planner.report.drawing import (
    BAR_PX,
    Palette,
    Rows,
    Spec,
    bar_names,
    beside,
    chart,
    layer,
    legend,
    quantity,
    text,
    tip,
)
from planner.report.tables import Translate

# Okabe & Ito (2008), told apart with any colour vision; grey for what is left.
PARTS = ("#0072b2", "#56b4e9", "#e69f00", "#f0c75e", "#009e73", "#cc79a7", "#d55e00", "#8a8f98", "#b9a5d6", "#5d4e8c")
DASHES = ([1, 0], [6, 3], [2, 2], [8, 3, 2, 3], [4, 4], [1, 3], [10, 2], [3, 1])
KEY_PX = 19  # a line of a legend; on a phone each name has its own
TICKS = [m * 10.0**e for e in range(-3, 5) for m in (1, 2, 5)]
BELOW_BARS_PX, LINE_PX = 120, 370  # axis and legend; lines with both


def months_chart(rows: Rows, palette: Palette, _: Translate) -> Spec:
    """Stacked months, a bar for each way."""
    ways, lines = names_in(rows, "way"), names_in(rows, "line")  # type: ignore[arg-type]
    scale = {"domain": lines, "range": list(PARTS[: len(lines)])}
    colour = {"field": "line", "type": "nominal", "scale": scale, "legend": legend(lines, 1.0, symbolType="square")}
    y = {"field": "way", "type": "nominal", "sort": ways, "title": None, "axis": None}
    x = quantity("usd", _("$ a month"), axis={**_dollars(), "grid": False, "tickCount": 5})
    tips = [tip("way", _("Way")), tip("line", _("Line")), tip("usd", _("$/month"), "$,.0f")]
    totals = [{"way": way, "usd": sum(r["usd"] for r in rows if r["way"] == way)} for way in ways]
    total = {"x": x, "text": {"field": "usd", "type": "quantitative", "format": "$,.0f"}}
    layers = [
        layer(rows, {"type": "bar", "height": 18}, {"x": x, "color": colour, "tooltip": tips}),
        layer(totals, text("left", dx=5, color=palette.answer), total),
        *bar_names(totals, "way", y, palette, 17),
    ]
    return chart(palette, BAR_PX * len(ways) + BELOW_BARS_PX, encoding={"y": y}, layer=layers)


def cash_chart(rows: Rows, crossings: Rows, palette: Palette, _: Translate) -> Spec:
    """Cash paid so far by month, with the months in which owning has paid less."""
    x = {"field": "month", "type": "quantitative", "title": _("month"), "axis": {"grid": False, "tickMinStep": 1}}
    y = {"field": "usd", "type": "quantitative", "title": _("$ paid so far"), "axis": _dollars()}
    tips = [tip("way", _("Way")), tip("month", _("Month"), ",.1f"), tip("usd", _("$ paid so far"), "$,.0f")]
    mark = {"type": "point", "filled": True, "size": 90, "color": palette.refused, "opacity": 1}
    layers = [_lines(rows, x, y, palette, tips)]
    if crossings:
        name = text("center", dy=-11, color=palette.refused)
        label = {"field": "month", "type": "quantitative", "format": ".0f"}
        layers += [layer(crossings, mark, {"x": x, "y": y, "tooltip": tips})]
        layers += [layer(crossings, name, {"x": x, "y": y, "text": label})]
    return chart(palette, LINE_PX, layer=layers)


def load_chart(rows: Rows, now: float, palette: Palette, _: Translate) -> Spec:
    """Cost of a million output tokens over the load; a rule where the load is now."""
    x = {
        "field": "load",
        "type": "quantitative",
        "title": _("load, of what the fleet holds"),
        "scale": {"type": "log", "nice": False},
        "axis": {"format": ".0%", "grid": False, "values": [0.03, 0.05, 0.1, 0.2, 0.4, 0.6, 1.0]},
    }
    least, most = (end(row["usd"] for row in rows) for end in (min, max))
    y = {
        "field": "usd",
        "type": "quantitative",
        "title": _("$ per million output tokens"),
        "scale": {"type": "log", "nice": False},
        "axis": {"format": "$,.4~r", "values": [tick for tick in TICKS if least <= tick <= most]},
    }
    tips = [tip("way", _("Way")), tip("load", _("Load"), ".0%"), tip("usd", _("$/M out"), "$,.2f")]
    rule = {"type": "rule", "strokeDash": [4, 4], "color": palette.refused}
    name = beside(now < 0.2, 5, y=10, color=palette.refused)
    here = [{"load": now, "text": _("load now")}]
    layers = [
        _lines(rows, x, y, palette, tips),
        layer(here, rule, {"x": x}),
        layer(here, name, {"x": x, "text": {"field": "text"}}),
    ]
    more = max(0, len(names_in(rows, "way")) - 4)  # type: ignore[arg-type]
    return chart(palette, LINE_PX + KEY_PX * more, layer=layers)


def _dollars() -> Spec:
    """Thousands and millions, each tick by itself: a shared prefix would spell 0 as 0k."""
    return {"labelExpr": "datum.value === 0 ? '0' : format(datum.value, '.3~s')"}


def _lines(rows: Rows, x: Spec, y: Spec, palette: Palette, tips: list[Spec]) -> Spec:
    """A line for each way, told apart by colour and dash."""
    names = names_in(rows, "way")  # type: ignore[arg-type]
    colours = [palette.lines[n % len(palette.lines)] for n in range(len(names))]
    keys = legend(names, symbolType="stroke", symbolSize=400)
    colour = {"field": "way", "type": "nominal", "scale": {"domain": names, "range": colours}, "legend": keys}
    dash = {
        "field": "way",
        "type": "nominal",
        "scale": {"domain": names, "range": [DASHES[n % len(DASHES)] for n in range(len(names))]},
        "legend": keys,
    }
    mark = {"type": "line", "strokeWidth": 2.2, "interpolate": "linear"}
    return layer(rows, mark, {"x": x, "y": y, "color": colour, "strokeDash": dash, "tooltip": tips})
