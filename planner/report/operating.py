"""Latency against throughput, and steps under the roof: findings, rows and charts."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np

from planner.report.charts import SCHEMA, TEXT_PX, Palette, Spec
from planner.report.tables import Translate
from planner.search.operating import Operating, Roofline, StepPoint
from planner.units import percent, si

CHART_PX = 300
MS = 1e3
Rows = list[dict[str, Any]]


# ---- latency against throughput


def curve_finding(found: Operating, _: Translate) -> str:
    """What one accelerator gives now, and what it could within the promise."""
    now = found.chosen
    most = float(found.tokens_per_s_per_gpu[found.kept].max()) if found.kept.any() else 0.0
    text = _("Each GPU gives {now:,.0f} tokens/s at {tpot} per token; the promise allows {most:,.0f}")
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
    x = _quantity("tokens_per_s_per_gpu", _("output tokens per second and GPU"), axis={"grid": False, "tickCount": 7})
    y = _quantity("ms", f"{name} [ms]", scale={"zero": True}, axis={"tickCount": 5})
    tips = [
        {"field": "line", "title": name},
        _tip("ms", "ms", ",.3~r"),
        _tip("tokens_per_s_per_gpu", _("tokens/s per GPU"), ",.0f"),
        _tip("sequences", _("requests at once"), ",.3~r"),
    ]
    now = rows[found.chosen]
    point = [{**now, "ms": now[f"{metric}_ms"], "text": _("this plan, mean load")}]
    ends = [next(row for row in reversed(lines) if row["line"] == label) for label in (_("mean"), "P99")]
    colour = {"field": "line", "type": "nominal", "legend": None,
              "scale": {"domain": [_("mean"), "P99"], "range": [palette.answer, palette.lines[2]]}}  # fmt: skip
    return {
        "$schema": SCHEMA,
        "height": CHART_PX,
        "layer": [
            *_promise(promise_s * MS, palette, _),
            _layer(lines, {"type": "line", "strokeWidth": 2.5}, {"x": x, "y": y, "color": colour}),
            _layer(lines, {"type": "point", "opacity": 0, "size": 150}, {"x": x, "y": y, "tooltip": tips}),
            _layer(ends, _text("left", dx=5), {"x": x, "y": y, "color": colour, "text": {"field": "line"}}),
            _layer(point, _dot(palette), {"x": x, "y": y, "tooltip": tips}),
            _layer(
                point, _text("left", dx=10, dy=14, color=palette.answer), {"x": x, "y": y, "text": {"field": "text"}}
            ),
        ],
    }


def _promise(limit_ms: float, palette: Palette, _: Translate) -> list[Spec]:
    rows, red = [{"limit": limit_ms, "text": _("promise for P99")}], palette.refused
    y = {"field": "limit", "type": "quantitative"}
    return [
        _layer(rows, {"type": "rule", "strokeDash": [4, 4], "color": red}, {"y": y}),
        _layer(rows, _text("left", x=6, dy=-8, color=red), {"y": y, "text": {"field": "text"}}),
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
        {"field": "step", "title": _("Step")},
        _tip("intensity", "FLOP/B", ",.3~r"),
        _tip("achieved_tflops", _("reached, TFLOP/s"), ",.3~r"),
        _tip("attainable_tflops", _("roof, TFLOP/s"), ",.3~r"),
        _tip("share", _("of the roof"), ".0%"),
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
    return {
        "$schema": SCHEMA,
        "height": CHART_PX,
        "layer": [
            _layer(roof, {"type": "line", "strokeWidth": 2.5, "color": ink}, place),
            _layer(edge, {"type": "rule", "strokeDash": [3, 4], "color": ink, "opacity": 0.6}, {"x": x}),
            _layer(edge, _text("right", dx=-6, dy=-9, color=ink), name),
            _layer(slope, _text("right", dx=-14, color=ink), name),
            _layer(flat, _text("right", dy=-9, color=ink), name),
            _layer(decode, {"type": "line", "color": palette.lines[1], "strokeDash": [2, 3]}, place),
            _layer(decode, {"type": "point", "filled": True, "size": 55, "color": palette.lines[1], "opacity": 1},
                   {**place, "tooltip": tips}),
            _layer(chosen, _dot(palette), {**place, "tooltip": tips}),
            _layer(chosen, _text("left", dx=9, dy=14, color=palette.answer), name),
        ],
    }  # fmt: skip


def _roof_at(found: Roofline, intensity: float) -> dict[str, Any]:
    reached = min(found.peak_flops_per_s, intensity * found.bandwidth_bytes_per_s)
    return {"intensity": float(intensity), "achieved_tflops": reached / 1e12}


def _log(field: str, title: str, domain: Sequence[float]) -> Spec:
    ticks = [10.0**n for n in range(-3, 9) if domain[0] <= 10.0**n <= domain[1]]
    scale = {"type": "log", "domain": list(domain), "nice": False}
    return _quantity(field, title, scale=scale, axis={"values": ticks, "format": ",~r", "gridOpacity": 0.4})


def _layer(rows: Sequence[Mapping[str, Any]], mark: Spec, encoding: Spec) -> Spec:
    return {"data": {"values": [dict(row) for row in rows]}, "mark": mark, "encoding": encoding}


def _quantity(field: str, title: str, **options: Any) -> Spec:
    return {"field": field, "type": "quantitative", "title": title, **options}


def _tip(field: str, title: str, form: str) -> Spec:
    return {"field": field, "type": "quantitative", "title": title, "format": form}


def _dot(palette: Palette) -> Spec:
    return {"type": "point", "filled": True, "size": 130, "color": palette.answer, "opacity": 1}


def _text(align: str, **options: Any) -> Spec:
    return {"type": "text", "align": align, "fontSize": TEXT_PX, "fontWeight": 600, **options}
