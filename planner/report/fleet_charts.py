"""A fleet's time and a surge as Vega-Lite specifications; see `planner.report.charts`."""

from __future__ import annotations

from typing import Any

from planner.report.charts import SCHEMA, Palette, Spec
from planner.report.fleet import protection_words
from planner.report.tables import Translate
from planner.schema import FleetSeries, Surge

RATE_PX, LATENCY_PX, KEPT_PX = 280, 200, 320  # with axes and legend
HOUR_S = 3600.0


def rates_chart(series: FleetSeries, palette: Palette, _: Translate) -> Spec:
    """What is sent, and what the ready replicas hold, over time."""
    columns = zip(
        series.time_s, series.rate_per_s, series.capacity_per_s, series.ready, series.spot, series.lost, strict=True
    )
    rows = [
        {"hour": at / HOUR_S, "rate": r, "capacity": c, "ready": n, "spot": s, "lost": x}
        for at, r, c, n, s, x in columns
    ]
    y = {"type": "quantitative", "title": _("requests per second")}
    tips = [
        _tip("hour", _("hour"), ".2f"),
        _tip("rate", _("requests/s"), ".3g"),
        _tip("capacity", _("held/s"), ".3g"),
        _tip("ready", _("Ready"), ".3g"),
    ]
    if any(series.spot):
        tips += [_tip("spot", _("On Spot"), ".3g"), _tip("lost", _("Lost"), ".3g")]
    step = {"interpolate": "step-after", "strokeWidth": 2.5}
    return {
        "$schema": SCHEMA,
        "data": {"values": rows},
        "height": RATE_PX,
        "encoding": {"x": _hours(_)},
        "layer": [
            _drawn("area", {"field": "rate", **y}, color=palette.untaken, opacity=0.9),
            _drawn("line", {"field": "rate", **y}, color=palette.lines[4], strokeWidth=1.5),
            _drawn("line", {"field": "capacity", **y}, tips, color=palette.answer, **step),
            _note(_("sent"), palette.lines[4], 12),
            _note(_("held by the ready replicas"), palette.answer, 26),
            *(_losses(y, palette, _) if any(series.lost) else ()),
        ],
    }


def _losses(y: Spec, palette: Palette, _: Translate) -> list[Spec]:
    """A mark wherever a zone took its replicas."""
    tips = [_tip("hour", _("hour"), ".2f"), _tip("lost", _("Lost"), ".3g")]
    marks = {
        **_drawn(
            "point",
            {"field": "capacity", **y},
            tips,
            color=palette.refused,
            shape="triangle-down",
            filled=True,
            size=140,
        ),
        "transform": [{"filter": "datum.lost > 0"}],
    }
    return [marks, _note(_("a zone is lost"), palette.refused, 40)]


def latency_chart(series: FleetSeries, ttft_s: float, palette: Palette, _: Translate) -> Spec:
    """99th percentile of the time to first token over time, with its promise; gaps where nobody was served.

    Parameters
    ----------
    ttft_s : promised 99th percentile. [s]
    """
    rows = [{"hour": at / HOUR_S, "ttft": ttft} for at, ttft in zip(series.time_s, series.ttft_p99_s, strict=True)]
    y = {"field": "ttft", "type": "quantitative", "title": _("P99 TTFT, s"), "scale": {"type": "log"}}
    promise = {"y": {"field": "promise", "type": "quantitative"}}
    tips = [_tip("hour", _("hour"), ".2f"), _tip("ttft", "s", ".3g")]
    return {
        "$schema": SCHEMA,
        "height": LATENCY_PX,
        "layer": [
            {
                "data": {"values": rows},
                "mark": _mark("line", palette.answer),
                "encoding": {"x": _hours(_), "y": y, "tooltip": tips},
            },
            {
                "data": {"values": [{"promise": ttft_s}]},
                "mark": _mark("rule", palette.refused, strokeDash=[4, 4]),
                "encoding": promise,
            },
        ],
    }


def surge_chart(found: Surge, palette: Palette, _: Translate) -> Spec:
    """Share of requests kept over time, a line per set of protections; the surge is shaded."""
    words = protection_words(_)
    rows = [
        {"second": number * found.part_s, "kept": kept, "case": words[case.protection]}
        for case in found.cases
        for number, kept in enumerate(case.attained_by_time)
        if kept is not None
    ]
    names = [words[case.protection] for case in found.cases]
    colour = {
        "field": "case",
        "type": "nominal",
        "title": None,
        "scale": {"domain": names, "range": list(palette.lines[: len(names)])},
        "legend": {"orient": "bottom", "columns": 2, "labelLimit": 260},
    }
    x = {"field": "second", "type": "quantitative", "title": _("seconds")}
    y = {"field": "kept", "type": "quantitative", "title": _("kept"), "axis": {"format": "%"}}
    shade = [{"begin": found.begin_s, "end": found.end_s}]
    span = {"x": {"field": "begin", "type": "quantitative"}, "x2": {"field": "end"}}
    return {
        "$schema": SCHEMA,
        "height": KEPT_PX,
        "layer": [
            {"data": {"values": shade}, "mark": _mark("rect", palette.untaken, opacity=0.6), "encoding": span},
            {"data": {"values": rows}, "mark": {"type": "line"}, "encoding": {"x": x, "y": y, "color": colour}},
        ],
    }


def _hours(_: Translate) -> Spec:
    return {"field": "hour", "type": "quantitative", "title": _("hour")}


def _mark(kind: str, color: str, **more: Any) -> Spec:
    return {"type": kind, "color": color, **more}


def _drawn(kind: str, y: Spec, tooltip: list[Spec] | None = None, **mark: Any) -> Spec:
    return {"mark": {"type": kind, **mark}, "encoding": {"y": y, **({"tooltip": tooltip} if tooltip else {})}}


def _note(text: str, color: str, y: int) -> Spec:
    """A name in the colour of its line, in the corner, in place of a legend."""
    mark = {"type": "text", "align": "left", "text": text, "color": color, "fontWeight": 600}
    return {"data": {"values": [{}]}, "mark": mark, "encoding": {"x": {"value": 8}, "y": {"value": y}}}


def _tip(field: str, title: str, format: str) -> Spec:
    return {"field": field, "type": "quantitative", "title": title, "format": format}
