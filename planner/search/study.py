"""A workload against the catalogs: every candidate, what fits, what it holds within the promise."""

from __future__ import annotations

from dataclasses import dataclass
from functools import lru_cache

import numpy as np

from planner.catalog import Catalog
from planner.errors import WorkloadError
from planner.models.layouts import take
from planner.models.operators import Efficiency, Placement
from planner.models.serving import Lengths, Server, server
from planner.models.shape import LlmShape
from planner.schema import Limits, Llm, Slo, Workload
from planner.search import metrics
from planner.search.columns import Array, Candidates, Index, efficiency, place
from planner.search.evaluate import CAPACITY_COLUMNS, Capacity, find_capacity
from planner.search.fit import Fit, fit_memory, started_for_tokens, take_fit
from planner.search.learned import own, tune
from planner.search.offers import Offer, offers, refuse_unpriced
from planner.search.space import Space, enumerate_space
from planner.shapes import llm_shape

ANY = Slo(ttft_p99_s=1.0, tpot_p99_s=1.0)  # stands for all promises where none matters
KEPT = 8  # answers about one promise at several loads, prices or places share what these say: 5 MB each


@dataclass(frozen=True)
class Layouts:
    """Every way to lay an LLM out over accelerators, and how many sequences the memory of each holds."""

    llm_id: str
    llm: Llm
    shape: LlmShape
    eff: Efficiency
    lengths: Lengths
    space: Space
    candidates: Candidates
    place: Placement
    fit: Fit

    def server(self, rows: Index) -> Server:
        """Replicas of some candidates, to be asked at any load."""
        place, eff, budget = take(self.place, rows), take(self.eff, rows), self.fit.budget_tokens[rows]
        return server(self.shape, place, eff, self.lengths, budget)


@dataclass(frozen=True)
class Study(Layouts):
    """Everything that one plan evaluated, for whoever tells it: answers, rejections, charts."""

    catalog: Catalog
    workload: Workload
    capacity: Capacity
    offers: dict[str, list[Offer]]


def evaluate(workload: Workload, catalog: Catalog) -> Study:
    """Enumerate layouts, see what fits, find what each holds within the promise, and what it is offered for."""
    catalog.site(workload.site, "workload.site")
    layouts, capacity = _held(_promise(workload).model_dump_json(), catalog)
    found = offers(catalog, workload, layouts.space.candidates.accelerator_ids)
    refuse_unpriced(workload, found)
    return Study(**vars(layouts), catalog=catalog, workload=workload, capacity=capacity, offers=found)


def _promise(workload: Workload) -> Workload:
    """What a replica's capacity depends on: not the load itself, nor supply, place and money."""
    alone = {"rate_per_s": 1.0} if workload.traffic.concurrency is None else {"concurrency": 1}
    return Workload(
        llm=workload.llm,
        traffic=workload.traffic.model_copy(update=alone),
        slo=workload.slo.model_copy(update={"availability": 0.5}),
        limits=workload.limits,
    )


@lru_cache(maxsize=KEPT)
def _held(promise_json: str, catalog: Catalog) -> tuple[Layouts, Capacity]:
    """Layouts, and the largest load at which each keeps the promise."""
    workload = Workload.model_validate_json(promise_json)
    layouts = _laid_out(workload.model_copy(update={"slo": ANY}).model_dump_json(), catalog)
    return layouts, _capacity(layouts, workload)


@lru_cache(maxsize=KEPT)
def _laid_out(question_json: str, catalog: Catalog) -> Layouts:
    """Layouts of questions that differ in what they promise."""
    return lay_out(Workload.model_validate_json(question_json), catalog)


def lay_out(workload: Workload, catalog: Catalog) -> Layouts:
    """Enumerate layouts, and see what fits.

    Raises
    ------
    UnknownName, WorkloadError
        For names that no catalog has, or lengths and precisions that the LLM cannot have.
    """
    llm_id = catalog.llm_id(workload.llm, "workload.llm")
    llm = catalog.llms[llm_id]
    shape = llm_shape(llm_id, llm)
    lengths = _lengths(catalog, workload, llm, llm_id)
    space, candidates, placed, eff = _possible(llm_id, workload.limits, workload.traffic.prefix_hit_rate > 0, catalog)
    longest = started_for_tokens(lengths, llm)
    context = lengths.final_context_tokens
    fit = fit_memory(catalog, llm, shape, candidates, placed.kv_width, context, longest_tokens=longest)
    keep = _distinct(candidates, fit, own(candidates, catalog, llm_id))
    candidates, fit = candidates.take(keep), take_fit(fit, keep)
    return Layouts(llm_id, llm, shape, take(eff, keep), lengths, space, candidates, take(placed, keep), fit)


@lru_cache(maxsize=KEPT)
def _possible(
    llm_id: str, limits: Limits, prefixes: bool, catalog: Catalog
) -> tuple[Space, Candidates, Placement, Efficiency]:
    """Candidates of an LLM that break no rule, and what their parts reach: the same whatever the traffic."""
    llm = catalog.llms[llm_id]
    shape = llm_shape(llm_id, llm)
    space = enumerate_space(catalog, limits, llm, shape, prefixes)
    possible = space.possible
    placed = place(catalog, shape, llm, possible)
    return space, possible, *tune(catalog, llm_id, possible, placed, efficiency(catalog))


def _distinct(candidates: Candidates, fit: Fit, own: Index) -> Index:
    """Candidates less those that only another engine tells apart: the same layout with no more room.

    Engines share one step-time model, unless the user measured one (`own`, numbered by engine); less
    than 2 % more sequences than an engine further up the catalog is a smaller difference than the
    memory model knows.
    """
    c = candidates
    keys = np.stack([c.accelerator, c.weights, c.kv, c.tp, c.dp, c.pp, c.ep, fit.budget_tokens.astype(np.int64), own])
    order = np.lexsort((c.engine, *keys[::-1]))
    new = np.ones(len(c), bool)
    new[1:] = (np.diff(keys[:, order], axis=1) != 0).any(axis=0)
    first = order[np.maximum.accumulate(np.where(new, np.arange(len(c)), 0))]
    more = fit.max_sequences[order] > 1.02 * fit.max_sequences[first]
    return np.sort(order[new | more])


def _capacity(layouts: Layouts, workload: Workload) -> Capacity:
    """Capacity of every candidate; those whose memory is too small are not timed."""
    fit, rows = layouts.fit, np.flatnonzero(layouts.fit.max_sequences >= 1)
    closed = workload.traffic.concurrency is not None
    eff = take(layouts.eff, rows)
    timed = find_capacity(layouts.server(rows), eff, workload.slo, fit.max_sequences[rows], closed)
    columns = {name: np.zeros(len(fit.max_sequences)) for name in CAPACITY_COLUMNS}
    for name, column in columns.items():
        column[rows] = getattr(timed, name)
    return Capacity(points=timed.points, **columns)


def _lengths(catalog: Catalog, workload: Workload, llm: Llm, llm_id: str) -> Lengths:
    t = workload.traffic
    context = t.input_tokens + t.output_tokens
    if llm.max_context_tokens and context > llm.max_context_tokens:
        raise WorkloadError(
            "traffic: {input_tokens} tokens in and {output_tokens} out exceed the "
            "{max_context_tokens}-token context of {llm_id}.\n"
            "  Shorten them or choose another llm.",
            input_tokens=t.input_tokens,
            output_tokens=t.output_tokens,
            max_context_tokens=llm.max_context_tokens,
            llm_id=llm_id,
        )
    return metrics.lengths_of(
        catalog, t.input_tokens, t.output_tokens, t.input_cv, t.input_p99_ratio, t.prefix_hit_rate
    )


def replicas_needed(study: Study, rows: Index, factor: float = 1.0) -> Index:
    """Replicas of each candidate that hold the busy load with headroom.

    Parameters
    ----------
    factor : what closed forms say that a candidate holds, over what it does hold [-]
    """
    headroom = study.catalog.parameter("headroom").value
    return np.ceil(factor / (headroom * held_by_one(study, rows))).astype(np.int64)


def held_by_one(study: Study, rows: Index) -> Array:
    """Share of the busy load, or of the users, that one replica of each candidate holds by closed forms. [-]"""
    users = study.workload.traffic.concurrency
    if users is not None:
        return np.asarray(study.capacity.sequences[rows] / users)
    return np.asarray(study.capacity.rate_per_s[rows] / busy_rate(study))


def busy_rate(study: Study) -> float:
    """Request rate to size for: the mean times the measured burst factor. [1/s]"""
    return (study.workload.traffic.rate_per_s or 0.0) * burst_factor(study.workload, study.catalog)


def burst_factor(workload: Workload, catalog: Catalog) -> float:
    """Rate at busy times over the mean; users who wait for their answers make no bursts. [-]"""
    if workload.traffic.concurrency is not None:
        return 1.0
    return workload.traffic.burst_factor or catalog.parameter("burst_factor").value
