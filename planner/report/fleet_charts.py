"""A fleet's time and a surge as Vega-Lite specifications; see `planner.report.charts`."""

from __future__ import annotations

from typing import Any

from planner.report.drawing import Palette, Spec, chart, layer, legend, quantity, text, tip
from planner.report.fleet import protection_words
from planner.report.tables import Translate
from planner.schema import FleetSeries, Surge

RATE_PX, LATENCY_PX, KEPT_PX = 280, 200, 320  # with axes and legend
HOUR_S = 3600.0
SHARES = {"format": ".0%", "values": [0, 0.25, 0.5, 0.75, 1]}


def rates_chart(series: FleetSeries, palette: Palette, _: Translate) -> Spec:
    """What is sent, and what the ready replicas hold, over time."""
    columns = zip(
        series.time_s, series.rate_per_s, series.capacity_per_s, series.ready, series.spot, series.lost, strict=True
    )
    rows = [
        {"hour": at / HOUR_S, "rate": r, "capacity": c, "ready": n, "spot": s, "lost": x}
        for at, r, c, n, s, x in columns
    ]
    most = max(*series.rate_per_s, *series.capacity_per_s) * 1.3  # room for the names of the lines
    y = {"type": "quantitative", "title": _("requests per second"), "scale": {"domain": [0, most], "nice": False}}
    tips = [
        tip("hour", _("hour"), ".2f"),
        tip("rate", _("requests/s"), ".3g"),
        tip("capacity", _("held/s"), ".3g"),
        tip("ready", _("Ready replicas"), ".3g"),
    ]
    if any(series.spot):
        tips += [tip("spot", _("On Spot"), ".3g"), tip("lost", _("Lost"), ".3g")]
    step = {"interpolate": "step-after", "strokeWidth": 2.5}
    layers = [
        _drawn("area", {"field": "rate", **y}, color=palette.untaken, opacity=0.9),
        _drawn("line", {"field": "rate", **y}, color=palette.lines[4], strokeWidth=1.5),
        _drawn("line", {"field": "capacity", **y}, tips, color=palette.answer, **step),
        _note(_("held by the ready replicas"), palette.answer, 6),
        _note(_("sent"), palette.lines[4], 21),
        *(_losses(y, palette, _) if any(series.lost) else ()),
    ]
    return chart(palette, RATE_PX, data={"values": rows}, encoding={"x": _hours(_)}, layer=layers)


def _losses(y: Spec, palette: Palette, _: Translate) -> list[Spec]:
    """A mark wherever a zone took its replicas."""
    tips = [tip("hour", _("hour"), ".2f"), tip("lost", _("Lost"), ".3g")]
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
    return [marks, _note(_("a zone is lost"), palette.refused, 36)]


def latency_chart(series: FleetSeries, ttft_s: float, palette: Palette, _: Translate) -> Spec:
    """99th percentile of the time to first token over time, with its promise; gaps where nobody was served.

    Parameters
    ----------
    ttft_s : promised 99th percentile. [s]
    """
    rows = [{"hour": at / HOUR_S, "ttft": ttft} for at, ttft in zip(series.time_s, series.ttft_p99_s, strict=True)]
    seen = [ttft_s, *filter(None, series.ttft_p99_s)]
    domain = [min(seen) / 1.2, max(seen) * 1.8]
    ticks = [m * 10.0**e for e in range(-4, 6) for m in (1, 2, 5) if domain[0] <= m * 10.0**e <= domain[1]]
    axis = {"format": "~g", "values": ticks if len(ticks) < 8 else ticks[::3]}
    y = quantity("ttft", _("P99 TTFT, s"), scale={"type": "log", "domain": domain, "nice": False}, axis=axis)
    promise = [{"promise": ttft_s, "text": _("promise of P99")}]
    name = text("left", baseline="bottom", dx=4, dy=-2, color=palette.refused)
    tips = [tip("hour", _("hour"), ".2f"), tip("ttft", _("P99 TTFT, s"), ".3g")]
    height = quantity("promise")
    layers = [
        layer(rows, _mark("line", palette.answer), {"x": _hours(_), "y": y, "tooltip": tips}),
        layer(promise, _mark("rule", palette.refused, strokeDash=[4, 4]), {"y": height}),
        layer(promise, name, {"x": {"value": 0}, "y": height, "text": {"field": "text"}}),
    ]
    return chart(palette, LATENCY_PX, layer=layers)


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
        "scale": {"domain": names, "range": list(palette.lines[: len(names)])},
        "legend": legend(names, 1.0, symbolType="stroke", symbolSize=400),
    }
    x = quantity("second", _("seconds"), axis={"grid": False, "tickCount": 6})
    y = quantity("kept", _("kept within the promise"), scale={"domain": [0, 1.08]}, axis=SHARES)
    shade = [{"begin": found.begin_s, "end": found.end_s, "middle": (found.begin_s + found.end_s) / 2}]
    span = {"x": quantity("begin"), "x2": {"field": "end"}}
    tips = [tip("case", _("Protection")), tip("second", _("seconds"), ",.0f"), tip("kept", _("Kept"), ".1%")]
    layers = [
        layer(shade, _mark("rect", palette.untaken, opacity=0.6), span),
        layer(shade, text("center", text=_("surge"), y=7, color=palette.muted), {"x": quantity("middle")}),
        layer(rows, {"type": "line", "strokeWidth": 2}, {"x": x, "y": y, "color": colour, "tooltip": tips}),
    ]
    return chart(palette, KEPT_PX, layer=layers)


def _hours(_: Translate) -> Spec:
    return quantity("hour", _("hour"), axis={"grid": False, "tickCount": 6})


def _mark(kind: str, color: str, **more: Any) -> Spec:
    return {"type": kind, "color": color, **more}


def _drawn(kind: str, y: Spec, tooltip: list[Spec] | None = None, **mark: Any) -> Spec:
    return {"mark": {"type": kind, **mark}, "encoding": {"y": y, **({"tooltip": tooltip} if tooltip else {})}}


def _note(words: str, color: str, y: int) -> Spec:
    """A name in the colour of its line, in the corner, in place of a legend."""
    mark = text("left", text=words, color=color, fontWeight=600)
    return layer([{}], mark, {"x": {"value": 8}, "y": {"value": y}})
