"""A simulation as sentences and tables."""

from __future__ import annotations

from planner.report.tables import TextTable, Translate
from planner.schema import Percentiles, RouterName, Simulated
from planner.search.remarks import spelled
from planner.units import percent, si


def metric_words(_: Translate) -> dict[str, str]:
    """What the metrics are called."""
    return {"ttft": "TTFT", "tpot": "TPOT", "e2e": _("whole answer")}


def router_words(_: Translate) -> dict[RouterName, str]:
    """Who gets a request."""
    return {"round-robin": _("in turn"), "least-load": _("least load"), "prefix": _("by prefix")}


def headline(found: Simulated, _: Translate) -> str:
    """The answer in one sentence: does the fleet keep its promise under this traffic?"""
    fleet, traffic = found.fleet, found.traffic
    kept = (
        _("{n} × ({title}) under {trace} at {rate:.3g} requests/s: promise kept, for {share} of {requests:,} requests.")
        if found.slo_met
        else _(
            "{n} × ({title}) under {trace} at {rate:.3g} requests/s: promise BROKEN, kept for {share} of {requests:,}."
        )
    )
    return kept.format(
        n=fleet.replicas,
        title=fleet.title,
        trace=traffic_words(found, _),
        rate=traffic.rate_per_s,
        share=percent(found.slo_attainment, 2),
        requests=found.requests + found.refused,
    )


def traffic_words(found: Simulated, _: Translate) -> str:
    """What the requests were, in a few words."""
    traffic = found.traffic
    words = {
        "trace": "{trace}",
        "mmpp": _("times as bursty as {trace}"),
        "poisson": _("Poisson times with lengths of {trace}"),
    }[traffic.arrivals].format(trace=traffic.source)
    return (
        words if traffic.profile is None else _("{times}, along {profile}").format(times=words, profile=traffic.profile)
    )


def margin_sentence(found: Simulated, _: Translate) -> str:
    """How far the fleet is from its limit, and what would hold the load."""
    room, words = found.margin, metric_words(_)
    if room.replicas_needed is None:
        return _(
            "No number of replicas holds this: even alone, P99 {metric} is {value}. Choose a faster layout (--plan), "
            "a longer promise, or shorter requests."
        ).format(metric=words[room.limit], value=si(room.at_rest_s, "s"))
    holds = _("Held at most: {rate:.3g} requests/s of this traffic, {ratio:.2f} × this rate; then P99 {metric} breaks.")
    needs = _("Replicas that hold it as it is: {needed}; in the plan: {planned}.")
    router = _("Router: {router}.").format(router=router_words(_)[found.fleet.router])
    return " ".join(
        (
            holds.format(rate=room.rate_per_s, ratio=room.rate_ratio, metric=words[room.limit]),
            needs.format(needed=room.replicas_needed, planned=found.fleet.planned_replicas),
            router,
        )
    )


def percentile_table(found: Simulated, _: Translate) -> TextTable:
    """Percentiles of each time, the spread of the tail between parts, and its promise."""
    slo, words = found.workload.slo, metric_words(_)
    limits = {"ttft": slo.ttft_p99_s, "tpot": slo.tpot_p99_s, "e2e": slo.e2e_p99_s}
    planned = {"ttft": si(found.fleet.planned_ttft_p99_s, "s"), "tpot": si(found.fleet.planned_tpot_p99_s, "s")}
    rows = []
    for metric, limit in limits.items():
        values: Percentiles | None = getattr(found, f"{metric}_s")
        if values is None:
            continue
        low, high = getattr(found.spread, f"{metric}_p99_s")
        promise = "–" if limit is None else si(limit, "s")
        state = "" if limit is None else _("kept") if values.p99 <= limit else _("broken")
        spread = f"{si(low, 's')} … {si(high, 's')}"
        rows.append((words[metric], *_spelled(values), spread, planned.get(metric, "–"), promise, state))
    between = _("P99 in {n} parts") if found.spread.kind == "blocks" else _("P99 in {n} runs")
    headings = ("", "P50", "P90", "P99", between.format(n=found.spread.parts), _("P99 of the plan"), _("Promise"), "")
    return TextTable(_("What users see"), headings, tuple(rows))


def window_table(found: Simulated, _: Translate) -> TextTable:
    """Percentiles by time."""
    headings = (_("From"), _("Requests/s"), "P50 TTFT", "P90 TTFT", "P99 TTFT", "P99 TPOT", _("P99 whole"), _("Kept"))
    rows = []
    for window in found.windows:
        ttft = ("–",) * 3 if window.ttft_s is None else _spelled(window.ttft_s)
        tails = (("–" if p is None else si(p.p99, "s")) for p in (window.tpot_s, window.e2e_s))
        share = "–" if window.slo_attainment is None else percent(window.slo_attainment)
        rows.append((clock(window.begin_s), f"{window.rate_per_s:.3g}", *ttft, *tails, share))
    return TextTable(_("By time"), headings, tuple(rows))


def remarks(found: Simulated, _: Translate) -> list[str]:
    """What was done to the traffic, warnings first."""
    ordered = sorted(found.remarks, key=lambda one: not one.warning)
    return [(_("Warning: {text}").format(text=spelled(one, _)) if one.warning else spelled(one, _)) for one in ordered]


def clock(time_s: float) -> str:
    """Time since the start.

    Examples
    --------
    >>> clock(90), clock(3661), clock(90061)
    ('1:30', '1:01:01', '1 d 1:01:01')
    """
    minutes, seconds = divmod(round(time_s), 60)
    hours, minutes = divmod(minutes, 60)
    days, hours = divmod(hours, 24)
    if not (hours or days):
        return f"{minutes}:{seconds:02}"
    return f"{f'{days} d ' if days else ''}{hours}:{minutes:02}:{seconds:02}"


def _spelled(values: Percentiles) -> tuple[str, str, str]:
    return si(values.p50, "s"), si(values.p90, "s"), si(values.p99, "s")
