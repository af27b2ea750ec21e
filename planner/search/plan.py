"""The one use case: catalog + workload -> plans, rejections, curves."""

from __future__ import annotations

import time

from planner.catalog import Catalog
from planner.errors import NoPlan
from planner.schema import PlanResult, Rejection, Workload
from planner.search import answer, metrics, reject
from planner.search.choose import choose
from planner.search.learned import own_names
from planner.search.study import Study, evaluate


def plan(workload: Workload, catalog: Catalog, most: int = 12) -> PlanResult:
    """Rank everything that serves a workload within its promise.

    Parameters
    ----------
    most : plans to return at most; the cheapest of each kind and the Pareto set come first.

    Raises
    ------
    UnknownName, WorkloadError
        For a question that cannot be read.
    NoPlan
        When nothing satisfies it; the message names the nearest candidates.
    """
    start = time.perf_counter()
    study = evaluate(workload, catalog)
    choices, unavailable = choose(study)
    rejections = reject.rejections(study, choices) + unavailable
    if not choices:
        raise NoPlan(_no_plan(study, rejections))
    plans = answer.plans(study, choices[:most])
    setups = ((p.accelerator, p.llm, p.engine) for p in plans)
    return PlanResult(
        workload=workload,
        catalog_sha256=catalog.sha256,
        catalog_as_of=catalog.as_of.isoformat(),
        plans=plans,
        rejections=tuple(sorted(rejections, key=reject.nearness)),
        curves=answer.curves(study, choices[:most]),
        assumptions=metrics.assumptions(catalog, answer.SOURCES + own_names(catalog, setups)),
        wall_s=time.perf_counter() - start,
        candidates_evaluated=len(study.space.candidates) + study.capacity.points,
    )


def _no_plan(study: Study, rejections: tuple[Rejection, ...]) -> str:
    nearest = sorted(rejections, key=reject.nearness)[:3]
    lines = [f"  {r.message}" for r in nearest]
    return "\n".join(
        [
            f"no candidate serves {study.llm_id} within the promise. Nearest:",
            *lines,
            "  Relax [slo], widen [limits] or [supply], or allow narrower limits.weights.",
        ]
    )
