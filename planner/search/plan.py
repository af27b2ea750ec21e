"""The one use case: catalog + workload -> plans, rejections, curves."""

from __future__ import annotations

import time
from dataclasses import dataclass

from planner.catalog import Catalog
from planner.schema import PlanResult, Workload
from planner.search import answer, metrics, reject
from planner.search.choose import Market, choices, screen, unavailable
from planner.search.confirm import Confirmed, confirm
from planner.search.learned import own_names
from planner.search.misses import unserved
from planner.search.study import Study, evaluate

NEAREST = 3  # rejections that a refusal names


@dataclass(frozen=True)
class Screening:
    """What closed forms say: every candidate, and the market of those that keep the promise."""

    study: Study
    market: Market | None
    wall_s: float


def plan(workload: Workload, catalog: Catalog, most: int = 12, confirmed: int = 3) -> PlanResult:
    """Rank everything that serves a workload within its promise.

    Parameters
    ----------
    most : plans to return at most; the cheapest of each kind and the Pareto set come first.
    confirmed : plans at the head of the ranking that a simulation under a trace must confirm.

    Raises
    ------
    UnknownName, WorkloadError
        For a question that cannot be read.
    NoPlan
        When nothing satisfies it; the message names the nearest candidates.
    """
    return answered(screened(workload, catalog), most, confirmed)


def screened(workload: Workload, catalog: Catalog) -> Screening:
    """The first part of `plan`: candidates, closed forms, prices."""
    start = time.perf_counter()
    study = evaluate(workload, catalog)
    market = screen(study)
    return Screening(study, market, time.perf_counter() - start)


def answered(screening: Screening, most: int = 12, confirmed: int = 3) -> PlanResult:
    """The second part of `plan`: simulations and the answer."""
    start = time.perf_counter()
    study, market = screening.study, screening.market
    found = confirm(study, market, confirmed) if market else Confirmed([], {}, {})
    rejections = reject.rejections(study, found) + (unavailable(study, market) if market else ())
    if not found.entries:
        nearest = sorted(rejections, key=reject.nearness)[:NEAREST]
        raise unserved(study.llm_id, nearest)
    chosen = choices(study, found.entries[:most])
    plans = answer.plans(study, chosen, found.sizings)
    setups = ((p.accelerator, p.llm, p.engine) for p in plans)
    return PlanResult(
        workload=study.workload,
        catalog_sha256=study.catalog.sha256,
        catalog_as_of=study.catalog.as_of.isoformat(),
        plans=plans,
        rejections=tuple(sorted(rejections, key=reject.nearness)),
        curves=answer.curves(study, chosen),
        assumptions=metrics.assumptions(study.catalog, answer.SOURCES + own_names(study.catalog, setups)),
        wall_s=screening.wall_s + time.perf_counter() - start,
        candidates_evaluated=len(study.space.candidates) + study.capacity.points,
    )
