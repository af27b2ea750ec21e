"""How much one replica of each plan holds, trace by trace and seed by seed: a search that spreads over workers."""

from __future__ import annotations

import math
import statistics
import time
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass, replace

import numpy as np

from planner.catalog import Catalog
from planner.errors import WorkloadError
from planner.models.traffic import Trace
from planner.schema import Capacity, Plan, PlanCapacity, ReplicaRate, RouterName, Slo, Workload
from planner.search.demand import Demand, demand
from planner.search.margins import largest
from planner.search.observed import worst_tail
from planner.search.offered import DEFAULT_TRACE
from planner.search.plan import plan as run_plan
from planner.search.replay import Server, server_of
from planner.search.replica import Fleet
from planner.search.spread import HERE, Progress, Workers, spread

PART_S = 60.0  # of a trace that is drawn anew: longer than its bursts
REQUESTS = 20_000  # of each simulation
POISSON = -1  # in place of a seed: what sizing without bursts would say
MOST_CASES = 100_000


@dataclass(frozen=True)
class Case:
    """One search: a replica under one trace, drawn anew by a seed.

    Attributes
    ----------
    seed : 0: as recorded; POISSON: the same requests at independent times
    guess_per_s : where the search begins [1/s]
    answer_s : see `Fleet` [s]
    requests : of each simulation
    router : over the ranks of the replica
    """

    server: Server
    demand: Demand
    slo: Slo
    seed: int
    guess_per_s: float
    answer_s: float
    requests: int = REQUESTS
    router: RouterName = "round-robin"


def held(case: Case) -> tuple[float, str]:
    """Largest rate within the promise, 0 where none is, and the percentile that breaks beyond it. [1/s]"""
    trace = _drawn(case.demand.trace, case.seed)
    fleet = Fleet(case.server, 1, replace(case.demand, trace=trace), case.answer_s, case.router)
    asked = case.demand.trace.rate_per_s
    ratio, limit = largest(lambda r: worst_tail(fleet.at(r, case.requests), case.slo), case.guess_per_s / asked)
    return ratio * asked, limit


def capacity(
    workload: Workload,
    catalog: Catalog,
    traces: Sequence[str] = (),
    seeds: int = 1,
    top: int = 3,
    workers: Workers = HERE,
    progress: Progress | None = None,
    requests: int = REQUESTS,
) -> Capacity:
    """Largest rate of one replica of the first plans under traces, with its spread over seeds.

    Parameters
    ----------
    traces : names or files; none: the workload's own
    seeds : draws of every trace [-]
    top : plans at the head of the ranking [-]
    workers, progress : see `spread`
    requests : of each simulation [-]

    Raises
    ------
    UnknownName, WorkloadError, NoPlan
        For a workload, trace or number that gives no answer.
    """
    start = time.perf_counter()
    if workload.traffic.rate_per_s is None:
        raise WorkloadError("traffic.concurrency: users who wait have no rate to search for.\n  Give --rate instead.")
    plans = run_plan(workload, catalog, max(top, 3)).plans[:top]
    named = traces or (workload.traffic.trace or DEFAULT_TRACE,)
    count = len(plans) * len(named) * (seeds + 1)
    if count > MOST_CASES:
        raise WorkloadError(
            "{count:,} searches; at most {most_cases:,}.\n  Give fewer --seeds, --trace or --top.",
            count=count,
            most_cases=MOST_CASES,
        )
    pairs = [(one, name) for one in plans for name in named]
    cases = [case for one, name in pairs for case in _cases(workload, catalog, one, name, seeds, requests)]
    found = spread(held, cases, workers, progress)
    headroom = catalog.parameter("headroom").value
    told = [
        _summary(one, name, found[n * (seeds + 1) : (n + 1) * (seeds + 1)], workload.traffic.rate_per_s / headroom)
        for n, (one, name) in enumerate(pairs)
    ]
    return Capacity(
        workload=workload,
        catalog_sha256=catalog.sha256,
        seeds=seeds,
        simulations=len(cases),
        plans=tuple(told),
        wall_s=time.perf_counter() - start,
    )


def _cases(workload: Workload, catalog: Catalog, one: Plan, name: str, seeds: int, requests: int) -> list[Case]:
    traffic = workload.traffic
    asked = workload if name == traffic.trace else _under(workload, name)
    offered = demand(asked, catalog, catalog.llms[one.llm].max_context_tokens)
    server = server_of(one, catalog, offered.trace, traffic.prefix_hit_rate)
    answer_s = workload.slo.ttft_p99_s + float(offered.trace.output_tokens.mean()) * workload.slo.tpot_p99_s
    guess = one.serving.requests_per_s / one.serving.utilisation
    return [
        Case(server, offered, workload.slo, seed, guess, answer_s, requests, traffic.router)
        for seed in (*range(seeds), POISSON)
    ]


def _under(workload: Workload, name: str) -> Workload:
    """The workload under another trace; the default one stands for times, so its lengths are those asked."""
    traffic = workload.traffic
    lengths = traffic.lengths or ("scaled" if traffic.trace is None else "recorded")
    return workload.model_copy(update={"traffic": traffic.model_copy(update={"trace": name, "lengths": lengths})})


def _drawn(trace: Trace, seed: int) -> Trace:
    if seed == POISSON:
        times_s = np.sort(np.random.default_rng(0).uniform(0, trace.duration_s, len(trace)))
        return replace(trace, arrivals_s=times_s, span_s=trace.duration_s)
    return trace.resampled(PART_S * _compression(trace), seed) if seed else trace


def _compression(trace: Trace) -> float:
    """Span over that of the hour that the shipped traces last: parts shrink with the time."""
    return trace.duration_s / 3600


def _summary(one: Plan, name: str, found: Sequence[tuple[float, str]], needed_per_s: float) -> PlanCapacity:
    *drawn, (poisson, _) = found
    rates = [rate for rate, _ in drawn]
    median = statistics.median(rates)
    return PlanCapacity(
        rank=one.rank,
        title=one.title,
        trace=name,
        replicas_planned=one.replicas,
        rate_per_s=ReplicaRate(median=median, low=min(rates), high=max(rates)),
        replicas=math.ceil(needed_per_s / min(rates)) if min(rates) else None,
        limit=Counter(limit for _, limit in drawn).most_common(1)[0][0],
        poisson_ratio=poisson / median if median else None,
    )
