"""Traffic over time as Vega-Lite: what came, what users waited, and how many of them within the promise."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from planner.report.drawing import Palette, Spec, chart, layer, line_names, quantity, text, tip
from planner.report.simulated import clock, metric_words
from planner.report.tables import Translate
from planner.schema import Percentiles, Simulated
from planner.units import percent, si

HEIGHT_PX, PLOT_PX = 240, 165  # with and without axes
METRICS = ("ttft", "tpot", "e2e")
LEVELS = ("p50", "p90", "p99")
TIME_AXIS = {"grid": False, "tickCount": 8}
MINUTE_S, HOUR_S, DAY_S = 60.0, 3600.0, 86400.0


def arrivals_finding(found: Simulated, _: Translate) -> str:
    """Title of the chart of arrivals."""
    busiest = max(found.windows, key=lambda window: window.rate_per_s)
    text = _(
        "Busiest at {time}: {rate:.3g} requests/s, {ratio:.2g} times the mean; the fleet holds {held:.3g} on average"
    )
    return text.format(
        time=clock(busiest.begin_s),
        rate=busiest.rate_per_s,
        ratio=busiest.rate_per_s / found.traffic.rate_per_s,
        held=found.margin.rate_per_s,
    )


def latency_finding(found: Simulated, metric: str, _: Translate) -> str:
    """Title of the chart of percentiles over time."""
    tails = [(values.p99, window) for window in found.windows if (values := getattr(window, f"{metric}_s")) is not None]
    if not tails:
        return _("No answer has two tokens")
    worst, window = max(tails, key=lambda one: one[0])
    return _("P99 {metric} is worst at {time}: {value}").format(
        metric=metric_words(_)[metric], time=clock(window.begin_s), value=si(worst, "s")
    )


def attainment_finding(found: Simulated, _: Translate) -> str:
    """Title of the chart of kept promises."""
    shares = [(w.slo_attainment, w) for w in found.windows if w.slo_attainment is not None]
    least, window = min(shares, key=lambda one: one[0])
    return _("{share} of all requests within the promise; {least} at {time}").format(
        share=percent(found.slo_attainment, 2), least=percent(least), time=clock(window.begin_s)
    )


def window_rows(found: Simulated) -> list[dict[str, Any]]:
    """A row per window: SI units in the names; what is unknown is None."""
    return [
        {
            "begin_s": window.begin_s,
            "end_s": window.end_s,
            "time": clock(window.begin_s),
            "requests": window.requests,
            "rate_per_s": window.rate_per_s,
            **{f"{m}_{level}_s": _level(getattr(window, f"{m}_s"), level) for m in METRICS for level in LEVELS},
            "attainment": window.slo_attainment,
        }
        for window in found.windows
    ]


def _level(values: Percentiles | None, level: str) -> float | None:
    return None if values is None else float(getattr(values, level))


def arrivals_chart(found: Simulated, palette: Palette, _: Translate) -> Spec:
    """Requests per second by window; the line is what the fleet holds."""
    unit, scale = _time_unit(found, _)
    rows = _scaled(window_rows(found), scale)
    held = {"value": found.margin.rate_per_s, "text": _("held on average")}
    most = max(window.rate_per_s for window in found.windows)
    y = quantity("rate_per_s", _("requests per second"), axis={"tickCount": 5})
    tips = [tip("time", _("From")), tip("requests", _("Requests"), ",d"), tip("rate_per_s", _("Requests/s"), ".3~r")]
    bar = {"type": "bar", "color": palette.answer, "opacity": 0.55}
    layers = [
        layer(rows, bar, {"x": _begin(unit), "x2": {"field": "end"}, "y": y, "y2": {"datum": 0}, "tooltip": tips})
    ]
    if 0 < found.margin.rate_per_s < 4 * most:
        layers += _rule(held, palette)
    return chart(palette, HEIGHT_PX, layer=layers)


def latency_chart(found: Simulated, metric: str, palette: Palette, _: Translate) -> Spec:
    """Median, 90th and 99th percentile by window, against the promise; logarithmic."""
    unit, scale = _time_unit(found, _)
    windows = _scaled(window_rows(found), scale)
    rows = [
        {"middle": (row["begin"] + row["end"]) / 2, "time": row["time"], "level": level.upper(), "value": value}
        for level in LEVELS
        for row in windows
        if (value := row[f"{metric}_{level}_s"]) is not None
    ]
    names = [level.upper() for level in LEVELS]
    ends = [{**[row for row in rows if row["level"] == name][-1], "name": name} for name in names]
    limit = _promise(found, metric)
    values = [*(row["value"] for row in rows), *([] if limit is None else [limit])]
    colours = {
        "domain": names,
        "range": [palette.lines[4], palette.lines[2], palette.answer],
    }
    colour = {"field": "level", "type": "nominal", "scale": colours, "legend": None}
    x = quantity("middle", unit, axis=TIME_AXIS)
    title = f"{metric_words(_)[metric]}, s"
    domain = [min(filter(None, values)) / 1.1, max(values) * 1.25]
    ticks = [m * 10.0**e for e in range(-4, 5) for m in (1, 2, 5) if domain[0] <= m * 10.0**e <= domain[1]]
    scale_of_y = {"type": "log", "nice": False, "domain": domain}
    y = quantity("value", title, scale=scale_of_y, axis={"format": "~g", "values": ticks})
    tips = [tip("time", _("From")), tip("level", _("Percentile")), tip("value", title, ".3~r")]
    layers = [
        layer(rows, {"type": "line", "point": {"size": 18}}, {"x": x, "y": y, "color": colour, "tooltip": tips}),
        *line_names(ends, "middle", y, PLOT_PX, colour, palette),
    ]
    if limit is not None:
        layers += _rule({"value": limit, "text": _("promise of P99")}, palette)
    return chart(palette, HEIGHT_PX, layer=layers)


def attainment_chart(found: Simulated, palette: Palette, _: Translate) -> Spec:
    """Share of requests within the promise, by when they were sent."""
    unit, scale = _time_unit(found, _)
    rows = [row for row in _scaled(window_rows(found), scale) if row["attainment"] is not None]
    least = min(row["attainment"] for row in rows)
    domain = [max(0.0, min(0.95, least - 0.05)), 1.0]
    y = {
        "field": "attainment",
        "type": "quantitative",
        "title": _("within the promise"),
        "scale": {"domain": domain, "clamp": True},
        "axis": {"format": ".0%", "tickCount": 5},
    }
    colour = {"condition": {"test": "datum.attainment < 0.99", "value": palette.refused}, "value": palette.parts[2]}
    tips = [tip("time", _("From")), tip("attainment", _("Kept"), ".2%"), tip("requests", _("Requests"), ",d")]
    encoding = {
        "x": _begin(unit),
        "x2": {"field": "end"},
        "y": y,
        "y2": {"datum": domain[0]},
        "color": colour,
        "tooltip": tips,
    }
    return chart(palette, HEIGHT_PX, layer=[layer(rows, {"type": "bar"}, encoding)])


def _promise(found: Simulated, metric: str) -> float | None:
    slo = found.workload.slo
    return {"ttft": slo.ttft_p99_s, "tpot": slo.tpot_p99_s, "e2e": slo.e2e_p99_s}[metric]


def _time_unit(found: Simulated, _: Translate) -> tuple[str, float]:
    """Unit of the axis of time, and its seconds."""
    end_s = found.windows[-1].end_s
    if end_s > 3 * DAY_S:
        return _("days"), DAY_S
    if end_s > 3 * HOUR_S:
        return _("hours"), HOUR_S
    return (_("minutes"), MINUTE_S) if end_s > 3 * MINUTE_S else (_("seconds"), 1.0)


def _scaled(rows: Sequence[Mapping[str, Any]], scale: float) -> list[dict[str, Any]]:
    return [{**row, "begin": row["begin_s"] / scale, "end": row["end_s"] / scale} for row in rows]


def _begin(unit: str) -> Spec:
    return {"field": "begin", "type": "quantitative", "title": unit, "axis": TIME_AXIS}


def _rule(at: Mapping[str, Any], palette: Palette) -> list[Spec]:
    """A dashed line across, with its name above its left end."""
    y = quantity("value")
    rule = {"type": "rule", "strokeDash": [4, 4], "color": palette.refused, "opacity": 0.8}
    name = text("left", baseline="bottom", dx=4, dy=-2, color=palette.refused)
    return [layer([at], rule, {"y": y}), layer([at], name, {"x": {"value": 0}, "y": y, "text": {"field": "text"}})]
