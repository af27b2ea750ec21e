"""Why not the others: one reason per accelerator and precision, the nearest miss first."""

from __future__ import annotations

import numpy as np

from planner.models.precision import compute_dtype
from planner.schema import Accelerator, Rejection
from planner.search.columns import KV, WEIGHTS, Index, reach
from planner.search.confirm import Confirmed
from planner.search.metrics import describe
from planner.search.misses import rejection
from planner.search.observed import Tail
from planner.search.space import FACTS, possible_weights, runs_on
from planner.search.study import Study
from planner.units import si

NEAREST_FIRST = (
    "tpot_p99_s",
    "ttft_p99_s",
    "e2e_p99_s",
    "price",
    "availability",
    "memory_bytes",
    "prefix",
    "link",
    "shape",
    "engine",
    "precision",
    "facts",
)


def nearness(rejection: Rejection) -> tuple[int, float, str]:
    """Sort key: misses of the promise before misses of memory before impossible ones."""
    ratio = 1.0
    if rejection.needed and rejection.available:
        ratio = max(rejection.needed / rejection.available, rejection.available / rejection.needed)
    return NEAREST_FIRST.index(rejection.limit), ratio, rejection.candidate


def rejections(study: Study, found: Confirmed) -> tuple[Rejection, ...]:
    """One rejection per accelerator and weight precision that has no plan."""
    served = {_kind(study, entry.row) for entry in found.entries}
    worst_first = sorted(found.broken, key=lambda row: -found.broken[row].ratio)
    broken = {_kind(study, row): row for row in worst_first}  # of each kind the nearest
    every = study.space.candidates
    asked = np.flatnonzero(np.bincount(every.weights, minlength=1)).tolist()
    kinds = [(accelerator, weights) for accelerator in range(len(every.accelerator_ids)) for weights in asked]
    return tuple(
        _simulated(study, broken[kind], found.broken[broken[kind]]) if kind in broken else _why(study, *kind)
        for kind in kinds
        if kind not in served
    )


def _kind(study: Study, row: int) -> tuple[int, int]:
    return int(study.candidates.accelerator[row]), int(study.candidates.weights[row])


def _why(study: Study, accelerator: int, weights: int) -> Rejection:
    c = study.candidates
    rows = np.flatnonzero((c.accelerator == accelerator) & (c.weights == weights))
    if not len(rows):
        return _impossible(study, accelerator, weights)
    if not (study.fit.max_sequences[rows] >= 1).any():
        return _memory(study, rows)
    timed = rows[study.fit.max_sequences[rows] >= 1]
    if not (study.capacity.rate_per_s[timed] > 0).any():
        return _promise(study, timed)
    return _price(study, accelerator)


def _impossible(study: Study, accelerator: int, weights: int) -> Rejection:
    """The rule that the best of its combinations broke."""
    every = study.space.candidates
    here = (every.accelerator == accelerator) & (every.weights == weights)
    rule = study.space.rules[int(study.space.broken[here].max())]
    id = every.accelerator_ids[accelerator]
    row, precision = study.catalog.accelerators[id], WEIGHTS[weights].upper()
    values: dict[str, str | int] = {"llm": study.llm_id}
    if rule == "prefix":
        values["precision"] = precision
    if rule in ("precision", "engine"):
        values = {"precision": precision, "others": ", ".join(_served_precisions(study, row))}
    elif rule == "facts":
        values = {"facts": ", ".join(f for f in FACTS if getattr(row, f) is None)}
    elif rule == "link":
        values = {"count": row.scaleup_domain_gpus, "link": row.scaleup_link}
    kind = {"engine": "no_kernels", "precision": "no_arithmetic"}.get(rule, rule)
    title = f"{row.name}, {precision}"
    return rejection(kind, {"name": row.name, **values}, candidate=title, accelerator=id, limit=rule)


def _served_precisions(study: Study, row: Accelerator) -> list[str]:
    """Weight precisions that some engine runs on an accelerator and that this LLM can have."""
    found = []
    for weights in possible_weights(study.llm):
        computes = compute_dtype(weights, frozenset(row.peak_flops_per_s)) is not None
        if computes and any(runs_on(engine, row, weights) for engine in study.catalog.engines.values()):
            found.append(weights.upper())
    return found


def _memory(study: Study, rows: Index) -> Rejection:
    """The candidate that comes nearest, within one server if any layout is."""
    c, fit = study.candidates, study.fit
    row_of = study.catalog.accelerators[c.accelerator_ids[c.accelerator[rows[0]]]]
    inside = rows[c.gpus[rows] <= reach(row_of)]
    near = inside if len(inside) else rows
    i = int(near[np.argmax(fit.room_bytes[near])])
    other = fit.activation_bytes[i] + fit.reserve_bytes[i]
    sequence = fit.sequence_bytes[i] / fit.shards[i]
    needed = float(fit.weights_bytes[i] + other + sequence)
    return rejection(
        "memory",
        {
            "weights": si(float(fit.weights_bytes[i]), "B"),
            "reserve": si(float(other), "B"),
            "sequence": si(float(sequence), "B"),
            "usable": si(float(fit.usable_bytes[i]), "B"),
        },
        candidate=_title(study, i),
        accelerator=c.accelerator_ids[c.accelerator[i]],
        limit="memory_bytes",
        needed=needed,
        available=float(fit.usable_bytes[i]),
        unit="B per accelerator",
    )


def _promise(study: Study, rows: Index) -> Rejection:
    slo, cap = study.workload.slo, study.capacity
    steps = cap.best_tpot_s[rows] * (study.lengths.output_tokens > 1)  # one token has no time per further token
    miss = np.maximum(cap.best_ttft_s[rows] / slo.ttft_p99_s, steps / slo.tpot_p99_s)
    i = int(rows[np.argmin(miss)])
    ttft, tpot = float(cap.best_ttft_s[i]), float(cap.best_tpot_s[i])
    late = ttft / slo.ttft_p99_s >= tpot / slo.tpot_p99_s
    limit, got, asked = ("ttft_p99_s", ttft, slo.ttft_p99_s) if late else ("tpot_p99_s", tpot, slo.tpot_p99_s)
    id = study.candidates.accelerator_ids[study.candidates.accelerator[i]]
    return rejection(
        "crowd" if got <= asked else "alone",
        {"metric": "TTFT" if late else "TPOT", "got": si(got, "s"), "promise": si(asked, "s")},
        candidate=_title(study, i),
        accelerator=id,
        limit=limit,
        needed=asked,
        available=got,
        unit="s",
    )


def _simulated(study: Study, row: int, tail: Tail) -> Rejection:
    """What closed forms found able breaks the promise under the trace."""
    promise = tail.p99_s / tail.ratio
    return rejection(
        "simulated",
        {"metric": tail.metric.upper(), "got": si(tail.p99_s, "s"), "promise": si(promise, "s")},
        candidate=_title(study, row),
        accelerator=study.candidates.accelerator_ids[study.candidates.accelerator[row]],
        limit=f"{tail.metric}_p99_s",
        needed=promise,
        available=tail.p99_s,
        unit="s",
    )


def _price(study: Study, accelerator: int) -> Rejection:
    id = study.candidates.accelerator_ids[accelerator]
    name = study.catalog.accelerators[id].name
    values: dict[str, str | int] = {"name": name, "options": ", ".join(study.workload.supply.options)}
    return rejection("price", values, candidate=name, accelerator=id, limit="price", unit="USD/h")


def _title(study: Study, i: int) -> str:
    c = study.candidates
    row = study.catalog.accelerators[c.accelerator_ids[c.accelerator[i]]]
    sizes = int(c.tp[i]), int(c.dp[i]), int(c.pp[i]), int(c.ep[i])
    text = describe(row, int(c.gpus[i]), WEIGHTS[c.weights[i]], *sizes)
    return text if KV[c.kv[i]] == "bf16" else f"{text}, FP8 KV"
