"""Change assumptions, plan again, and say what the difference consists of."""

from __future__ import annotations

import time
from collections.abc import Mapping, Sequence

from planner.errors import NoPlan, WorkloadError
from planner.models.drivers import product_parts, shared_parts
from planner.schema import Plan, Workload
from planner.schema.whatif import Applied, Case, Comparison, Difference, Driver, Outcome, WhatIf
from planner.search.change import LIKE, Change, Question, apply
from planner.search.plan import plan
from planner.search.spread import HERE, Progress, Workers, spread

MOST_CASES = 100
FIGURES = (
    ("usd_per_month", "USD/month"),
    ("usd_per_million_output_tokens", "USD/1e6 tokens"),
    ("npv_usd", "USD"),
    ("gpus_total", "-"),
    ("output_tokens_per_s", "token/s"),
    ("ttft_p99_s", "s"),
    ("tpot_p99_s", "s"),
    ("availability", "-"),
    ("facility_w", "W"),
)
FACTORS = ("load", "accelerators per load", "spares", "price per accelerator")


class Outcomes:
    """Outcomes of questions, each planned once."""

    def __init__(self) -> None:
        self._known: dict[tuple[str, str], Outcome | NoPlan] = {}

    def of(self, question: Question) -> Outcome | NoPlan:
        """The best plan, or why there is none."""
        key = _key(question)
        if key not in self._known:
            self._known[key] = answer_to(question)
        return self._known[key]

    def fill(self, questions: Sequence[Question], workers: Workers, progress: Progress | None = None) -> None:
        """Plan many questions at once, by several workers."""
        new = {_key(one): one for one in questions if _key(one) not in self._known}
        self._known |= zip(new, spread(answer_to, list(new.values()), workers, progress), strict=True)


def _key(question: Question) -> tuple[str, str]:
    return question.workload.model_dump_json(), question.catalog.sha256


def answer_to(question: Question) -> Outcome | NoPlan:
    """The best plan, or why there is none."""
    try:
        return outcome(plan(question.workload, question.catalog, 1).plans[0])
    except NoPlan as none:
        return none.with_traceback(None)


def outcome(best: Plan) -> Outcome:
    """A plan in the figures that a difference is made of."""
    layout, unit = best.layout, best.supply[0]
    sizes = " ".join(f"{n.upper()}{s}" for n in ("tp", "dp", "pp", "ep") if (s := getattr(layout, n)) > 1 or n == "tp")
    return Outcome(
        title=best.title,
        accelerator=best.accelerator,
        layout=f"{layout.weights.upper()}/{layout.kv.upper()} {sizes}",
        option=unit.option,
        provider=unit.provider,
        gpus_total=best.gpus_total,
        replicas=best.replicas,
        spares=best.spares,
        output_tokens_per_s=best.serving.output_tokens_per_s * best.replicas,
        usd_per_month=best.cost.usd_per_month,
        usd_per_million_output_tokens=best.cost.usd_per_million_output_tokens,
        npv_usd=best.cost.npv_usd,
        ttft_p99_s=best.slo.ttft_p99_s,
        tpot_p99_s=best.slo.tpot_p99_s,
        availability=best.availability,
        facility_w=None if best.power.facility_w is None else best.power.facility_w * best.replicas,
        basis=best.basis,
    )


def whatif(question: Question, changes: Sequence[Change], keep: bool = False) -> WhatIf:
    """The best plan before and after some changes, and what the difference in cost consists of.

    Parameters
    ----------
    keep : hold on to accelerator, layout and supply of the plan before; only its size follows.

    Raises
    ------
    PlannerError
        For a field that nothing has, a value that it cannot hold, or a question that has no plan to begin with.
    """
    start = time.perf_counter()
    if not changes:
        raise WorkloadError("nothing is changed.\n  Give --set FIELD=VALUE, {like}.", like=LIKE)
    outcomes = Outcomes()
    before = outcomes.of(question)
    if isinstance(before, NoPlan):
        raise before
    if keep:
        question = Question(pinned(question), question.catalog)
        kept = outcomes.of(question)
        before = kept if isinstance(kept, Outcome) else before
    changed, applied = apply(question, changes)
    after = outcomes.of(changed)
    refused = isinstance(after, NoPlan)
    return WhatIf(
        workload=question.workload.name or question.workload.llm,
        changes=applied,
        before=before,
        after=None if isinstance(after, NoPlan) else after,
        refusal=str(after) if isinstance(after, NoPlan) else "",
        rejections=after.nearest if isinstance(after, NoPlan) else (),
        differences=differences(before, None if isinstance(after, NoPlan) else after),
        drivers=() if refused else drivers(before, after),  # type: ignore[arg-type]
        by_change=() if refused else _by_change(question, changes, outcomes),
        catalog_sha256=changed.catalog.sha256,
        wall_s=time.perf_counter() - start,
    )


def pinned(question: Question) -> Workload:
    """The workload, limited to accelerator, layout and supply of its best plan."""
    best = plan(question.workload, question.catalog, 1).plans[0]
    layout, unit = best.layout, best.supply[0]
    limits = {
        "accelerators": [best.accelerator],
        "engines": [best.engine],
        "weights": [layout.weights],
        "kv": [layout.kv],
        **{size: [getattr(layout, size)] for size in ("tp", "dp", "pp", "ep")},
    }
    table = question.workload.model_dump(mode="json")
    table["limits"] |= limits
    table["supply"]["options"] = [unit.option]
    return Workload.model_validate(table)


def differences(before: Outcome, after: Outcome | None) -> tuple[Difference, ...]:
    """Figures side by side."""
    found = []
    for figure, unit in FIGURES:
        first = getattr(before, figure)
        last = None if after is None else getattr(after, figure)
        change = None if first is None or last is None else last - first
        relative = None if change is None or not first else change / first
        found.append(Difference(figure=figure, unit=unit, before=first, after=last, change=change, relative=relative))
    return tuple(found)


def drivers(before: Outcome, after: Outcome) -> tuple[Driver, ...]:
    """Difference in monthly cost by factor: load, accelerators that it takes, spares, price. They add up."""
    parts = product_parts(_factors(before), _factors(after))
    return tuple(Driver(name=name, usd_per_month=float(part)) for name, part in zip(FACTORS, parts, strict=True))


def _factors(one: Outcome) -> tuple[float, float, float, float]:
    """Tokens/s, serving accelerators per token/s, all accelerators per serving one, USD per accelerator and month."""
    serving = one.gpus_total * one.replicas / (one.replicas + one.spares)
    load = one.output_tokens_per_s
    return load, serving / load, one.gpus_total / serving, one.usd_per_month / one.gpus_total


def _by_change(question: Question, changes: Sequence[Change], outcomes: Outcomes) -> tuple[Driver, ...]:
    """Difference in monthly cost by change; empty where every order passes through a question without a plan."""

    def cost(done: frozenset[int]) -> float | None:
        found = outcomes.of(apply(question, [c for n, c in enumerate(changes) if n in done])[0])
        return None if isinstance(found, NoPlan) else found.usd_per_month

    parts = shared_parts(len(changes), cost)
    if parts is None:
        return ()
    named = zip(changes, parts, strict=True)
    return tuple(Driver(name=f"{c.field}={c.asked}", usd_per_month=float(part)) for c, part in named)


def sweep(
    question: Question,
    fields: Mapping[str, Sequence[str]],
    changes: Sequence[Change] = (),
    workers: Workers = HERE,
    progress: Progress | None = None,
) -> Comparison:
    """The best plan at every combination of values of one or two fields.

    Parameters
    ----------
    fields : values as written, by field.
    changes : made before.
    workers, progress : see `spread`

    Raises
    ------
    WorkloadError
        For no field, more than two, or more than a hundred combinations.
    """
    combinations = _combinations(fields)
    start, outcomes = time.perf_counter(), Outcomes()
    base, _ = apply(question, changes)
    changed = [apply(base, swept) for swept in combinations]
    outcomes.fill([one for one, _ in changed], workers, progress)
    cases = [
        _case(", ".join(c.asked for c in swept), applied, outcomes.of(one))
        for swept, (one, applied) in zip(combinations, changed, strict=True)
    ]
    return _comparison(question, tuple(fields), cases, base, start)


def _combinations(fields: Mapping[str, Sequence[str]]) -> list[list[Change]]:
    if not 1 <= len(fields) <= 2:
        raise WorkloadError("--sweep: give one or two fields, each as FIELD=A,B,C.")
    count = 1
    for values in fields.values():
        count *= len(values)
    if count > MOST_CASES:
        raise WorkloadError(
            "--sweep: {count} combinations; at most {most_cases}.\n  Give fewer values.",
            count=count,
            most_cases=MOST_CASES,
        )
    found: list[list[Change]] = [[]]
    for field, values in fields.items():
        found = [[*row, Change(field, value)] for row in found for value in values]
    return found


def compare(questions: Mapping[str, tuple[Question, tuple[Applied, ...]]]) -> Comparison:
    """Named questions side by side, the first as the base."""
    start, outcomes = time.perf_counter(), Outcomes()
    cases = [_case(name, applied, outcomes.of(one)) for name, (one, applied) in questions.items()]
    fields = dict.fromkeys(a.field for _, applied in questions.values() for a in applied)
    first = next(iter(questions.values()))[0]
    return _comparison(first, tuple(fields), cases, first, start)


def _case(name: str, applied: Sequence[Applied], found: Outcome | NoPlan) -> Case:
    values = {a.field: a.asked if a.after is None else a.after for a in applied}
    if isinstance(found, NoPlan):
        return Case(name=name, values=values, outcome=None, refusal=str(found), rejections=found.nearest)
    return Case(name=name, values=values, outcome=found)


def _comparison(
    question: Question, fields: tuple[str, ...], cases: Sequence[Case], base: Question, start: float
) -> Comparison:
    return Comparison(
        workload=question.workload.name or question.workload.llm,
        fields=fields,
        cases=tuple(cases),
        catalog_sha256=base.catalog.sha256,
        wall_s=time.perf_counter() - start,
    )
