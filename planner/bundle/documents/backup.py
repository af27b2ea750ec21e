"""The degraded backup: a smaller LLM of the same publisher on one accelerator, and how much of the load it carries."""

from __future__ import annotations

import math
from dataclasses import dataclass

from planner.bundle.documents.subject import Subject
from planner.catalog import Catalog
from planner.errors import PlannerError
from planner.schema import Estimate, Llm
from planner.search.estimate import estimate
from planner.search.question import Question

SMALLER = 4  # at least so many times fewer parameters, or it saves too little to be worth its errors
CONCURRENCIES = tuple(2**power for power in range(11))


@dataclass(frozen=True)
class Backup:
    """What answers while no replica is up.

    Attributes
    ----------
    llm, hf_id : catalog id and repository
    concurrency : largest number of requests in service whose means keep the promise on one accelerator. [-]
    requests_per_s : what one accelerator then serves. [1/s]
    ttft_s, tpot_s : means at that concurrency. [s]
    gpus_for_all : accelerators for the whole load of the plan. [-]
    context_tokens : longest context, the plan's where the caches of one accelerator hold it. [token]
    """

    llm: str
    hf_id: str
    concurrency: int
    requests_per_s: float
    ttft_s: float
    tpot_s: float
    gpus_for_all: int
    context_tokens: int


def backup(subject: Subject, catalog: Catalog) -> Backup | None:
    """Largest smaller LLM of the same publisher that one accelerator of the plan serves; None where there is none."""
    for llm_id, row in _candidates(subject, catalog):
        found = _on_one(subject, catalog, llm_id, row)
        if found is not None:
            return found
    return None


def _candidates(subject: Subject, catalog: Catalog) -> list[tuple[str, Llm]]:
    """Smaller LLMs of the publisher, the largest first; equal sizes by name, so that the order never changes."""
    own = subject.llm
    rows = [
        (llm_id, row)
        for llm_id, row in catalog.llms.items()
        if _publisher(row) == _publisher(own) and _size(own) and 0 < _size(row) <= _size(own) / SMALLER
    ]
    return sorted(rows, key=lambda found: (-_size(found[1]), found[0]))


def _on_one(subject: Subject, catalog: Catalog, llm_id: str, row: Llm) -> Backup | None:
    """Figures on one accelerator; None if it does not fit there, or the engine cannot run it."""
    slo = subject.result.workload.slo
    kept: tuple[int, Estimate] | None = None
    for concurrency in CONCURRENCIES:
        try:
            found = estimate(catalog, _question(subject, llm_id, concurrency))
        except PlannerError:
            break
        if found.serving.ttft_s > slo.ttft_p99_s or found.serving.tpot_s > slo.tpot_p99_s:
            break
        kept = (concurrency, found)
    if kept is None:
        return None
    concurrency, found = kept
    plan = subject.plan
    load_per_s = plan.serving.requests_per_s * plan.replicas
    return Backup(
        llm=llm_id,
        hf_id=row.hf_id,
        concurrency=concurrency,
        requests_per_s=found.serving.requests_per_s,
        ttft_s=found.serving.ttft_s,
        tpot_s=found.serving.tpot_s,
        gpus_for_all=math.ceil(load_per_s / found.serving.requests_per_s),
        context_tokens=min(
            plan.layout.max_context_tokens,
            math.floor(found.memory.kv_capacity_tokens),
            row.max_context_tokens or plan.layout.max_context_tokens,
        ),
    )


def _question(subject: Subject, llm_id: str, concurrency: int) -> Question:
    plan, traffic = subject.plan, subject.result.workload.traffic
    return Question(
        llm=llm_id,
        accelerator=plan.accelerator,
        gpus=1,
        tp=1,
        engine=plan.engine,
        input_tokens=traffic.input_tokens,
        output_tokens=traffic.output_tokens,
        concurrency=concurrency,
    )


def _publisher(row: Llm) -> str:
    return row.hf_id.partition("/")[0]


def _size(row: Llm) -> float:
    return row.params_total or 0.0
