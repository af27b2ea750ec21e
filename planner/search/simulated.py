"""The one use case of traffic: a workload, its plan, and what users see when requests come as they really do."""

from __future__ import annotations

import time
from collections.abc import Sequence
from dataclasses import replace

import numpy as np

from planner.catalog import Catalog
from planner.errors import Message, NoPlan, WorkloadError
from planner.models.burstiness import dispersion, peak_ratio
from planner.models.simulate import Result
from planner.schema import (
    FleetOptions,
    Plan,
    Remark,
    RouterName,
    Simulated,
    SimulatedFleet,
    SimulatedTraffic,
    Spread,
    Workload,
)
from planner.search import observed
from planner.search.margins import margin
from planner.search.offered import MOST, Offered, offer, refuse_closed, without_longer
from planner.search.plan import plan as run_plan
from planner.search.remarks import remark
from planner.search.replay import Served, Server, percentile, server_of
from planner.search.replay import replay as run_replay
from planner.search.sections import sections_of

PEAK_WINDOW_S = 10.0
DISPERSION_WINDOWS_S = (1.0, 10.0, 60.0, 600.0)
FEW_REQUESTS, LONG = 1000, 300_000
LEAST_ANSWERS = 10  # mean answers that a replayed trace lasts at least: ranks must fill before they show what they hold


def simulate(
    workload: Workload,
    catalog: Catalog,
    rank: int = 1,
    replicas: int | None = None,
    drop_longer: bool = False,
    seed: int = 0,
    busiest_h: float | None = None,
    most_requests: int = MOST,
    fleet: FleetOptions | None = None,
    plans: Sequence[Plan] | None = None,
) -> Simulated:
    """Percentiles of a plan under the workload's trace.

    Parameters
    ----------
    rank : which plan
    replicas : how many serve; None: as planned
    drop_longer : requests that exceed the LLM's context are refused, and count; else the trace is
    seed : of whatever is drawn
    busiest_h : hours of a rate profile to simulate, its busiest; None: all of it [h]
    most_requests : to simulate at most [-]
    fleet : sections about the fleet over time to add
    plans : of this very workload, where they are known; None: to be found

    Raises
    ------
    UnknownName, WorkloadError, NoPlan
        For a workload, trace or plan that gives no answer.
    """
    start = time.perf_counter()
    refuse_closed(workload.traffic)
    known = _plans(workload, catalog, rank) if plans is None else plans
    chosen = _ranked(known, rank)
    count = chosen.replicas if replicas is None else replicas
    offered = offer(workload, catalog, drop_longer, seed, busiest_h, most_requests, count * chosen.layout.dp)
    server = server_of(chosen, catalog, offered.trace, workload.traffic.prefix_hit_rate)
    offered = _within_cache(offered, server, chosen.title, drop_longer)
    offered = _long_enough(offered, chosen, count * chosen.layout.dp)
    trace, slo = offered.trace, workload.slo
    share = offered.share
    router = workload.traffic.router
    run = run_replay(server, trace, count, kept=offered.kept, router=router)
    room = margin(server, trace, count, slo, offered.kept, share, router)
    kept = int(observed.within(run, slo).sum())
    ttft, e2e = observed.percentiles(run.ttft_s), observed.percentiles(run.e2e_s)
    assert ttft is not None and e2e is not None
    whole = trace if offered.kept is None else trace.at_rate(trace.rate_per_s / share)
    over_time = sections_of(fleet or FleetOptions(), workload, catalog, chosen, count, server, whole, seed)
    return Simulated(
        workload=workload,
        catalog_sha256=catalog.sha256,
        traffic=_traffic(offered),
        fleet=_fleet(chosen, count, router),
        requests=len(trace),
        simulated_share=share,
        refused=offered.refused,
        ttft_s=ttft,
        tpot_s=observed.percentiles(run.tpot_s),
        e2e_s=e2e,
        prefix_hit_share=run.hit_share,
        goodput_per_s=kept / trace.duration_s / share,
        slo_attainment=kept / (len(trace) + offered.refused),
        slo_met=observed.worst_tail(run, slo).ratio <= 1,
        utilisation=1 / room.rate_ratio if room.rate_ratio else None,
        windows=observed.windows(run, slo, trace.duration_s, share),
        spread=_spread(offered, server, count, run, seed, router),
        margin=room,
        remarks=(
            *offered.remarks,
            *_of_the_cache(offered, server, count, run, router),
            *_of_the_plan(chosen, offered),
            *_of_all(known),
        ),
        autoscale=over_time.autoscale,
        failures=over_time.failures,
        spot=over_time.spot,
        surge=over_time.surge,
        seed=seed,
        wall_s=time.perf_counter() - start,
    )


def _within_cache(offered: Offered, server: Server, title: str, drop: bool) -> Offered:
    """Less what no empty cache takes, if that is wanted; raises WorkloadError where it is not."""
    limit = int(server.kv_tokens)
    what = Message("the {limit:,} tokens that a rank of {title} caches", limit=limit, title=title)
    return without_longer(offered, limit, what, Message("choose another --plan"), drop)


def _long_enough(offered: Offered, plan: Plan, ranks: int) -> Offered:
    """Of a trace that a high rate squeezes into a few answers, what some ranks get, over a longer time."""
    trace = offered.trace
    answer_s = plan.serving.ttft_s + float(trace.output_tokens.mean()) * plan.serving.tpot_s
    kept = max(int(ranks * trace.duration_s / (LEAST_ANSWERS * answer_s)), 1)
    if offered.redraw is not None or kept >= ranks:
        return offered
    longer = trace.at_rate(trace.rate_per_s * kept / ranks)
    told = remark(
        "squeezed", True, trace=offered.source, span_s=trace.duration_s, answer_s=answer_s, kept=kept, ranks=ranks
    )
    said = (_stretched(one, ranks / kept) if one.kind == "scaled_in_rate" else one for one in offered.remarks)
    return replace(offered, trace=longer, kept=kept, share=kept / ranks, remarks=(*said, told))


def _stretched(one: Remark, times: float) -> Remark:
    """What was told of a change of time scale, for a trace that lasts so many times as long."""
    return remark(one.kind, one.warning, **{**one.values, "longer": float(one.values["longer"]) * times})


def _spread(offered: Offered, server: Server, replicas: int, run: Result, seed: int, router: RouterName) -> Spread:
    """Between parts of a recording, or between seeds of what is drawn, unless that is long enough for parts."""
    if offered.redraw is None or len(offered.trace) > LONG:
        return observed.spread_over_blocks(run, offered.trace.duration_s)
    again = (offered.redraw(seed + n) for n in range(1, observed.PARTS))
    others = (run_replay(server, trace, replicas, kept=offered.kept, router=router) for trace in again)
    return observed.spread_over_runs([run, *others])


def _of_the_cache(offered: Offered, server: Server, replicas: int, run: Served, router: RouterName) -> list[Remark]:
    """Where prefix hits come from, and what fewer of them would do: the figure that errs most."""
    hit_rate = server.hit_rate
    if offered.trace.blocks is not None:
        return [remark("blocks", trace=offered.source, share=run.hit_share, hit_rate=hit_rate)]
    found = [remark("blocks_unused", True, trace=offered.source, hit_rate=hit_rate)] if offered.had_blocks else []
    if router == "prefix":
        found.append(remark("router_without_blocks", True, trace=offered.source, hit_rate=hit_rate))
    if hit_rate:
        halved = replace(server, hit_rate=hit_rate / 2)
        other = run_replay(halved, offered.trace, replicas, kept=offered.kept, router=router)
        found.append(
            remark(
                "half_hits",
                True,
                hit_rate=hit_rate,
                before_s=percentile(run.ttft_s, 99),
                ttft_s=percentile(other.ttft_s, 99),
                tpot_ms=1e3 * percentile(other.tpot_s, 99),
            )
        )
    return found


def _of_the_plan(plan: Plan, offered: Offered) -> list[Remark]:
    trace, context = offered.trace, plan.layout.max_context_tokens
    longest = int((trace.input_tokens + trace.output_tokens).max())
    found = []
    if longest > context:
        found.append(remark("context", longest=longest, context=context))
    if len(trace) < FEW_REQUESTS:
        found.append(remark("short", True, requests=len(trace), beyond=len(trace) / 100))
    return found


def _plans(workload: Workload, catalog: Catalog, rank: int) -> Sequence[Plan]:
    """Plans that keep the promise in simulation; where none does, those of closed forms, to see how it breaks."""
    most = max(rank, 12)
    try:
        return run_plan(workload, catalog, most).plans
    except NoPlan:
        return run_plan(workload, catalog, most, confirmed=0).plans


def _ranked(plans: Sequence[Plan], rank: int) -> Plan:
    if rank > len(plans):
        raise WorkloadError(
            "--plan {rank}: there are {count} plans.\n  List them: planner plan", rank=rank, count=len(plans)
        )
    return plans[rank - 1]


def _of_all(plans: Sequence[Plan]) -> list[Remark]:
    return [] if any(one.sizing for one in plans) else [remark("unconfirmed", warning=True)]


def _fleet(plan: Plan, replicas: int, router: RouterName) -> SimulatedFleet:
    return SimulatedFleet(
        rank=plan.rank,
        title=plan.title,
        llm=plan.llm,
        accelerator=plan.accelerator,
        engine=plan.engine,
        gpus_per_replica=plan.gpus_per_replica,
        replicas=replicas,
        planned_replicas=plan.replicas,
        planned_ttft_p99_s=plan.slo.ttft_p99_s,
        planned_tpot_p99_s=plan.slo.tpot_p99_s,
        router=router,
    )


def _traffic(offered: Offered) -> SimulatedTraffic:
    trace = offered.trace
    whole = offered.kept is None  # what some ranks get is smoother than what the fleet gets
    found = {w: dispersion(trace.arrivals_s, trace.duration_s, w) for w in DISPERSION_WINDOWS_S if whole}
    peak = peak_ratio(trace.arrivals_s, trace.duration_s, PEAK_WINDOW_S) if whole else np.nan
    return SimulatedTraffic(
        source=offered.source,
        profile=offered.profile,
        arrivals=offered.arrivals,
        duration_s=trace.duration_s,
        rate_per_s=trace.rate_per_s / offered.share,
        peak_ratio=None if np.isnan(peak) else peak,
        dispersion={f"{window:g}": value for window, value in found.items() if not np.isnan(value)},
        input_tokens=observed.lengths(trace.input_tokens),
        output_tokens=observed.lengths(trace.output_tokens),
    )
