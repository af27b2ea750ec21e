"""Latency against throughput, and steps under the roof: findings, rows and charts."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np

from planner.report.drawing import Palette, Spec, beside, chart, haloed, layer, line_names, quantity, text, tip
from planner.report.tables import Translate
from planner.search.operating import Operating, Roofline, StepPoint
from planner.units import percent, si

CHART_PX, PLOT_PX = 300, 225  # with and without axis
MS = 1e3
FOOT = {"expr": "height - 9"}  # of the plot
Rows = list[dict[str, Any]]


# ---- latency against throughput


def curve_finding(found: Operating, _: Translate) -> str:
    """What one accelerator gives now, and what it could within the promise."""
    now, most = found.chosen, found.held_per_s_per_gpu
    text = _("Each GPU gives {now:,.0f} tokens/s at {tpot} per token; on this traffic, the promise allows {most:,.0f}")
    return text.format(now=found.tokens_per_s_per_gpu[now], tpot=si(float(found.tpot_s[now]), "s"), most=most)


def curve_rows(found: Operating) -> Rows:
    """One row per operating point, SI but for ms."""
    return [
        {
            "sequences": float(found.sequences[n]),
            "tokens_per_s_per_gpu": float(found.tokens_per_s_per_gpu[n]),
            "tpot_ms": float(found.tpot_s[n]) * MS,
            "tpot_p99_ms": float(found.tpot_p99_s[n]) * MS,
            "ttft_ms": float(found.ttft_s[n]) * MS,
            "ttft_p99_ms": float(found.ttft_p99_s[n]) * MS,
            "kept": bool(found.kept[n]),
        }
        for n in range(len(found.sequences))
    ]


def curve_chart(found: Operating, metric: str, promise_s: float, palette: Palette, _: Translate) -> Spec:
    """Mean and 99th percentile of TTFT or TPOT over the throughput of one accelerator; the plan as a point.

    Parameters
    ----------
    metric : tpot or ttft
    promise_s : limit of its 99th percentile [s]
    """
    rows, name = curve_rows(found), metric.upper()
    shown = [row for row in rows if row[f"{metric}_p99_ms"] <= 4 * promise_s * MS] or rows[:1]
    lines = [
        {**row, "ms": row[f"{metric}{end}_ms"], "line": label}
        for end, label in (("", _("mean")), ("_p99", "P99"))
        for row in shown
    ]
    x = quantity("tokens_per_s_per_gpu", _("output tokens per second and GPU"), axis={"grid": False, "tickCount": 7})
    most = max(promise_s * MS, *(line["ms"] for line in lines)) * 1.03
    y = quantity("ms", f"{name} [ms]", scale={"domain": [0, most], "nice": False}, axis={"tickCount": 5})
    tips = [
        tip("line", name),
        tip("ms", "ms", ",.3~r"),
        tip("tokens_per_s_per_gpu", _("tokens/s per GPU"), ",.0f"),
        tip("sequences", _("requests at once"), ",.3~r"),
    ]
    now = rows[found.chosen]
    point = [{**now, "ms": now[f"{metric}_ms"], "text": _("this plan, mean load")}]
    names = [_("mean"), "P99"]
    ends = [{**next(row for row in reversed(lines) if row["line"] == name), "name": name} for name in names]
    colour = {"field": "line", "type": "nominal", "legend": None,
              "scale": {"domain": names, "range": [palette.answer, palette.lines[2]]}}  # fmt: skip
    layers = [
        *_promise(promise_s * MS, palette, _),
        *_held(found.held_per_s_per_gpu, float(lines[-1]["tokens_per_s_per_gpu"]), x, palette, _),
        layer(lines, {"type": "line", "strokeWidth": 2.5}, {"x": x, "y": y, "color": colour}),
        layer(lines, {"type": "point", "opacity": 0, "size": 150}, {"x": x, "y": y, "tooltip": tips}),
        *line_names(ends, "tokens_per_s_per_gpu", y, PLOT_PX, colour, palette),
        layer(point, _dot(palette), {"x": x, "y": y, "tooltip": tips}),
        *_beside(point, x, y, now["tokens_per_s_per_gpu"] < 0.5 * lines[-1]["tokens_per_s_per_gpu"], palette),
    ]
    return chart(palette, CHART_PX, layer=layers)


def _beside(point: Rows, x: Spec, y: Spec, right: bool, palette: Palette) -> list[Spec]:
    """The name of a point below it, on the side where there is room; paper behind it keeps it readable over a line."""
    name = beside(right, 8, dy=14, color=palette.answer, fontWeight=600)
    return haloed(point, name, {"x": x, "y": y, "text": {"field": "text"}}, palette)


def _promise(limit_ms: float, palette: Palette, _: Translate) -> list[Spec]:
    rows, red = [{"limit": limit_ms, "text": _("promise for P99")}], palette.refused
    y = {"field": "limit", "type": "quantitative"}
    return [
        layer(rows, {"type": "rule", "strokeDash": [4, 4], "color": red}, {"y": y}),
        layer(rows, _name("left", x=6, dy=-8, color=red), {"y": y, "text": {"field": "text"}}),
    ]


def _held(most: float, last: float, x: Spec, palette: Palette, _: Translate) -> list[Spec]:
    """How far the mean load may go; nothing where that is off the chart."""
    if most > last:
        return []
    rows, ink = [{"tokens_per_s_per_gpu": most, "text": _("most on this traffic")}], palette.lines[4]
    name = _name("left" if most < 0.6 * last else "right", dx=6 if most < 0.6 * last else -6, color=ink)
    return [
        layer(rows, {"type": "rule", "strokeDash": [4, 4], "color": ink}, {"x": x}),
        *haloed(rows, {**name, "y": 8}, {"x": x, "text": {"field": "text"}}, palette),
    ]


# ---- roofline


def roof_finding(found: Roofline, _: Translate) -> str:
    """Where decode and prefill stand below the roof, and which side of the ridge."""
    decode = next(point for point in found.of("decode") if point.chosen)
    (prefill,) = found.of("prefill")
    text = _("Decode: {decode}. Prefill: {prefill}")
    return text.format(decode=_stands(decode, found, _), prefill=_stands(prefill, found, _))


def _stands(point: StepPoint, found: Roofline, _: Translate) -> str:
    if point.intensity < found.ridge:
        text = _("{times:,.3g} × below the ridge, so memory limits it; it reaches {share} of the roof")
        times = found.ridge / point.intensity
    else:
        text = _("{times:,.3g} × above the ridge, so arithmetic limits it; it reaches {share} of the peak")
        times = point.intensity / found.ridge
    return text.format(times=times, share=percent(point.achieved / point.attainable, 0))


def roof_rows(found: Roofline, _: Translate) -> Rows:
    """One row per step."""
    names = {"decode": _("decode, {n:,.0f} requests at once"), "prefill": _("prefill, {n:,.0f} tokens per rank")}
    return [
        {
            "step": names[point.phase].format(n=point.size),
            "phase": point.phase,
            "size": point.size,
            "intensity": point.intensity,
            "achieved_tflops": point.achieved / 1e12,
            "attainable_tflops": point.attainable / 1e12,
            "share": point.achieved / point.attainable,
            "chosen": point.chosen,
        }
        for point in found.points
    ]


def roof_chart(found: Roofline, palette: Palette, _: Translate) -> Spec:
    """Achieved arithmetic over arithmetic intensity, both logarithmic, below peak and bandwidth."""
    rows = roof_rows(found, _)
    low = min(0.5, *(point.intensity for point in found.points)) / 1.5
    high = max(found.ridge, *(point.intensity for point in found.points)) * 3
    roof = [_roof_at(found, at) for at in (low, found.ridge, high)]
    x = _log("intensity", _("arithmetic intensity [FLOP/B]"), [low, high])
    floor = min(point.achieved for point in found.points) / 1e12 / 2
    y = _log("achieved_tflops", _("TFLOP/s of one GPU"), [floor, found.peak_flops_per_s / 1e12 * 1.8])
    tips = [
        tip("step", _("Step")),
        tip("intensity", "FLOP/B", ",.3~r"),
        tip("achieved_tflops", _("reached, TFLOP/s"), ",.3~r"),
        tip("attainable_tflops", _("roof, TFLOP/s"), ",.3~r"),
        tip("share", _("of the roof"), ".0%"),
    ]
    decode = [row for row in rows if row["phase"] == "decode"]
    chosen = [{**row, "text": _("decode at mean load") if row["phase"] == "decode" else _("prefill")}
              for row in rows if row["chosen"]]  # fmt: skip
    edge = [{**roof[1], "text": _("ridge {n:,.0f} FLOP/B").format(n=found.ridge)}]
    slope = [{**_roof_at(found, np.sqrt(low * found.ridge) / 2),
              "text": f"{si(found.bandwidth_bytes_per_s, 'B/s')}"}]  # fmt: skip
    flat = [{**roof[2], "text": f"{found.precision.upper()} {si(found.peak_flops_per_s, 'FLOP/s')}"}]
    place = {"x": x, "y": y}
    name = {**place, "text": {"field": "text"}}
    ink = palette.lines[4]
    middle = np.sqrt(low * high)
    layers = [
            layer(roof, {"type": "line", "strokeWidth": 2.5, "color": ink}, place),
            layer(edge, {"type": "rule", "strokeDash": [3, 4], "color": ink, "opacity": 0.6}, {"x": x}),
            layer(edge, {**_name("right", dx=-6, color=ink), "y": FOOT}, {"x": x, "text": {"field": "text"}}),
            layer(slope, _name("right", dx=-14, color=ink), name),
            *haloed(flat, _name("right", dy=-9, color=ink), name, palette),
            layer(decode, {"type": "line", "color": palette.lines[1], "strokeDash": [2, 3]}, place),
            layer(decode, {"type": "point", "filled": True, "size": 55, "color": palette.lines[1], "opacity": 1},
                   {**place, "tooltip": tips}),
            layer(chosen, _dot(palette), {**place, "tooltip": tips}),
            *(one for row in chosen for one in _beside([row], x, y, row["intensity"] < middle, palette)),
    ]  # fmt: skip
    return chart(palette, CHART_PX, layer=layers)


def _roof_at(found: Roofline, intensity: float) -> dict[str, Any]:
    reached = min(found.peak_flops_per_s, intensity * found.bandwidth_bytes_per_s)
    return {"intensity": float(intensity), "achieved_tflops": reached / 1e12}


def _log(field: str, title: str, domain: Sequence[float]) -> Spec:
    ticks = [10.0**n for n in range(-3, 9) if domain[0] <= 10.0**n <= domain[1]]
    scale = {"type": "log", "domain": list(domain), "nice": False}
    return quantity(field, title, scale=scale, axis={"values": ticks, "format": ",~r", "gridOpacity": 0.4})


def _dot(palette: Palette) -> Spec:
    return {"type": "point", "filled": True, "size": 130, "color": palette.answer, "opacity": 1}


def _name(align: str, **options: Any) -> Spec:
    return text(align, fontWeight=600, **options)
