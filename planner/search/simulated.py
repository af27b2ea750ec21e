"""The one use case of traffic: a workload, its plan, and what users see when requests come as they really do."""

from __future__ import annotations

import time
from dataclasses import dataclass, replace

import numpy as np

from planner.catalog import Catalog
from planner.errors import WorkloadError
from planner.models.burstiness import dispersion, gaps, peak_ratio
from planner.models.traffic import Trace
from planner.schema import Plan, Remark, Simulated, SimulatedFleet, SimulatedTraffic, Workload
from planner.search import observed
from planner.search.margins import margin
from planner.search.plan import plan as run_plan
from planner.search.remarks import remark
from planner.search.replay import Server, server_of
from planner.search.replay import replay as run_replay
from planner.traces import choose_trace

DEFAULT_TRACE = "azure-conv"
PEAK_WINDOW_S = 10.0
DISPERSION_WINDOWS_S = (1.0, 10.0, 60.0, 600.0)
FEW_REQUESTS = 1000
SAME = 0.02  # means that differ by less are not worth a remark


@dataclass(frozen=True)
class Offered:
    """Requests as the fleet gets them, and what was done to them."""

    source: str
    trace: Trace
    refused: int
    remarks: tuple[Remark, ...]


def simulate(
    workload: Workload,
    catalog: Catalog,
    rank: int = 1,
    replicas: int | None = None,
    drop_longer: bool = False,
    seed: int = 0,
) -> Simulated:
    """Percentiles of a plan under the workload's trace.

    Parameters
    ----------
    rank : which plan
    replicas : how many serve; None: as planned
    drop_longer : requests that exceed the LLM's context are refused, and count; else the trace is
    seed : of whatever is drawn

    Raises
    ------
    UnknownName, WorkloadError, NoPlan
        For a workload, trace or plan that gives no answer.
    """
    start = time.perf_counter()
    offered = offer(workload, catalog, drop_longer)
    chosen = _plan(workload, catalog, rank)
    count = chosen.replicas if replicas is None else replicas
    server = server_of(chosen, catalog, offered.trace, workload.traffic.prefix_hit_rate)
    offered = _within_cache(offered, server, chosen.title, drop_longer)
    trace, slo = offered.trace, workload.slo
    run = run_replay(server, trace, count)
    room = margin(server, trace, count, slo)
    kept = int(observed.within(run, slo).sum())
    ttft, e2e = observed.percentiles(run.ttft_s), observed.percentiles(run.e2e_s)
    assert ttft is not None and e2e is not None
    return Simulated(
        workload=workload,
        catalog_sha256=catalog.sha256,
        traffic=_traffic(offered),
        fleet=_fleet(chosen, count),
        requests=len(trace),
        refused=offered.refused,
        ttft_s=ttft,
        tpot_s=observed.percentiles(run.tpot_s),
        e2e_s=e2e,
        goodput_per_s=kept / trace.duration_s,
        slo_attainment=kept / (len(trace) + offered.refused),
        slo_met=observed.worst_tail(run, slo).ratio <= 1,
        utilisation=1 / room.rate_ratio if room.rate_ratio else None,
        windows=observed.windows(run, slo, trace.duration_s),
        spread=observed.spread_over_blocks(run, trace.duration_s),
        margin=room,
        remarks=(*offered.remarks, *_of_the_plan(chosen, offered, workload)),
        seed=seed,
        wall_s=time.perf_counter() - start,
    )


def offer(workload: Workload, catalog: Catalog, drop_longer: bool) -> Offered:
    """The workload's trace at the workload's rate and, where asked, lengths."""
    traffic = workload.traffic
    if traffic.rate_per_s is None:
        raise WorkloadError(
            f"traffic.concurrency {traffic.concurrency}: users who wait for their answers leave no times to replay.\n"
            "  Give a rate instead: --rate, or traffic.rate_per_s."
        )
    named = traffic.trace or DEFAULT_TRACE
    recorded = choose_trace(named, catalog)
    remarks = [] if traffic.trace else [remark("default_trace", trace=named)]
    row = catalog.traces.get(named)
    if row and row.origin != "recorded":
        remarks.append(remark("synthetic_trace", trace=named, origin=row.notes or row.name))
    trace, told = _at_lengths(recorded, workload)
    remarks += [*told, *_about_times(recorded, traffic.rate_per_s)]
    whole = Offered(recorded.name, trace.at_rate(traffic.rate_per_s), 0, tuple(remarks))
    return _within_context(whole, workload, catalog, drop_longer)


def _at_lengths(trace: Trace, workload: Workload) -> tuple[Trace, list[Remark]]:
    """Lengths as recorded, or scaled to the workload's means; the default trace lends its times alone."""
    traffic = workload.traffic
    means = float(trace.input_tokens.mean()), float(trace.output_tokens.mean())
    asked = float(traffic.input_tokens), float(traffic.output_tokens)
    if all(abs(a - m) <= SAME * m for a, m in zip(asked, means, strict=True)):
        return trace, []
    scaled = (traffic.lengths or ("recorded" if traffic.trace else "scaled")) == "scaled"
    told = remark(
        "scaled_lengths" if scaled else "recorded_lengths",
        trace=trace.name,
        input_tokens=means[0],
        output_tokens=means[1],
        planned_input=asked[0],
        planned_output=asked[1],
    )
    return (trace.at_lengths(*asked) if scaled else trace), [told]


def _within_context(offered: Offered, workload: Workload, catalog: Catalog, drop: bool) -> Offered:
    """Less what the LLM cannot take, if that is wanted; raises WorkloadError where it is not."""
    llm_id = catalog.llm_id(workload.llm, "workload.llm")
    limit = catalog.llms[llm_id].max_context_tokens
    if not limit:
        return offered
    longest = int((offered.trace.input_tokens + offered.trace.output_tokens).max())
    known = ((row.max_context_tokens or 0, id) for id, row in catalog.llms.items())
    others = sorted((tokens, id) for tokens, id in known if tokens >= longest)
    also = f"; {others[0][1]} takes {others[0][0]:,}" if others else ""
    advice = f"choose another llm{also}"
    return _without_longer(offered, limit, f"the {limit:,}-token context of {llm_id}", advice, drop)


def _within_cache(offered: Offered, server: Server, title: str, drop: bool) -> Offered:
    """Less what no empty cache takes, if that is wanted; raises WorkloadError where it is not."""
    limit = int(server.kv_tokens)
    what = f"the {limit:,} tokens that a rank of {title} caches"
    return _without_longer(offered, limit, what, "choose another --plan", drop)


def _without_longer(offered: Offered, limit: int, what: str, advice: str, drop: bool) -> Offered:
    trace = offered.trace
    whole = trace.input_tokens + trace.output_tokens
    longer = int((whole > limit).sum())
    if not longer:
        return offered
    if not drop or longer == len(trace):
        raise WorkloadError(
            f"trace {trace.name}: {longer:,} of {len(trace):,} requests exceed {what}: the longest has "
            f"{whole.max():,} tokens.\n"
            f"  Leave them out with --drop-longer (they count as broken promises), or {advice}."
        )
    told = remark("refused", True, count=longer, requests=len(trace), limit=limit, longest=int(whole.max()))
    return replace(
        offered,
        trace=trace.keep(whole <= limit),
        refused=offered.refused + longer,
        remarks=(*offered.remarks, told),
    )


def _about_times(trace: Trace, rate_per_s: float) -> list[Remark]:
    """Holes in the recording, and the scale of its time."""
    found = []
    if holes := gaps(trace):
        begin, end = max(holes, key=lambda hole: hole[1] - hole[0])
        found.append(remark("gaps", True, trace=trace.name, count=len(holes), longest_s=end - begin, begin_s=begin))
    recorded = trace.rate_per_s
    if recorded and abs(rate_per_s - recorded) > SAME * recorded:
        found.append(
            remark(
                "scaled_in_rate",
                trace=trace.name,
                recorded_per_s=recorded,
                rate_per_s=rate_per_s,
                longer=recorded / rate_per_s,
            )
        )
    return found


def _of_the_plan(plan: Plan, offered: Offered, workload: Workload) -> list[Remark]:
    trace, context = offered.trace, plan.layout.max_context_tokens
    longest = int((trace.input_tokens + trace.output_tokens).max())
    found = []
    if longest > context:
        found.append(remark("context", longest=longest, context=context))
    if trace.blocks is not None:
        hit = workload.traffic.prefix_hit_rate
        found.append(remark("blocks_unused", True, trace=offered.source, hit_rate=hit))
    if len(trace) < FEW_REQUESTS:
        found.append(remark("short", True, requests=len(trace), beyond=len(trace) / 100))
    return found


def _plan(workload: Workload, catalog: Catalog, rank: int) -> Plan:
    plans = run_plan(workload, catalog, max(rank, 12)).plans
    if rank > len(plans):
        raise WorkloadError(f"--plan {rank}: there are {len(plans)} plans.\n  List them: planner plan")
    return plans[rank - 1]


def _fleet(plan: Plan, replicas: int) -> SimulatedFleet:
    return SimulatedFleet(
        rank=plan.rank,
        title=plan.title,
        llm=plan.llm,
        accelerator=plan.accelerator,
        engine=plan.engine,
        gpus_per_replica=plan.gpus_per_replica,
        replicas=replicas,
        planned_replicas=plan.replicas,
        router="round-robin",
    )


def _traffic(offered: Offered) -> SimulatedTraffic:
    trace = offered.trace
    found = {w: dispersion(trace.arrivals_s, trace.duration_s, w) for w in DISPERSION_WINDOWS_S}
    peak = peak_ratio(trace.arrivals_s, trace.duration_s, PEAK_WINDOW_S)
    return SimulatedTraffic(
        source=offered.source,
        arrivals="trace",
        duration_s=trace.duration_s,
        rate_per_s=trace.rate_per_s,
        peak_ratio=None if np.isnan(peak) else peak,
        dispersion={f"{window:g}": value for window, value in found.items() if not np.isnan(value)},
        input_tokens=observed.lengths(trace.input_tokens),
        output_tokens=observed.lengths(trace.output_tokens),
    )
