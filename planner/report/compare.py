"""Questions side by side: what was asked and what came out, with the rows that differ."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from itertools import compress

from planner.report.findings import short_name
from planner.report.tables import accelerator_name, layout_text, supply_text
from planner.report.words import basis_words
from planner.schema import PlanResult, Workload
from planner.units import floored, si, usd

Translate = Callable[[str], str]
NONE = "—"


@dataclass(frozen=True)
class SideBySide:
    """A row for each figure, a column for each question.

    Attributes
    ----------
    differs : rows that are not the same for all that have the figure
    cheapest : questions that cost least, several on a tie
    failed : questions without a plan
    cost_ratio : dearest over cheapest [-]
    """

    headings: tuple[str, ...]
    rows: tuple[tuple[str, ...], ...]
    differs: frozenset[str]
    cheapest: tuple[str, ...]
    failed: tuple[str, ...]
    cost_ratio: float


def side_by_side(
    names: Sequence[str], asked: Sequence[Workload], answers: Sequence[PlanResult | None], _: Translate
) -> SideBySide:
    """Questions and their best plans; a question that nothing serves keeps its column, with what it asked."""
    solved = [answer is not None for answer in answers]
    of_answers = list(_answer_rows(answers, _))
    told = [(label, *compress(cells, solved)) for label, *cells in of_answers]
    rows = [*_question_rows(asked, _), *of_answers]
    differs = frozenset(label for label, *cells in rows[: -len(told)] + told if len(set(cells)) > 1)
    costs = {n: a.plans[0].cost.usd_per_month for n, a in zip(names, answers, strict=True) if a is not None}
    least = min(costs.values(), default=1.0)
    cheapest = tuple(name for name, cost in costs.items() if usd(cost) == usd(least))
    failed = tuple(name for name in names if name not in costs)
    ratio = max(costs.values(), default=1.0) / least
    return SideBySide((_("Figure"), *names), tuple(rows), differs, cheapest, failed, ratio)


def finding(table: SideBySide, _: Translate) -> str:
    """What the comparison shows, in a sentence."""
    if not table.cheapest:
        return _("None of these questions has a plan.")
    if len(table.headings) == 2:
        return _("{name} alone: choose another to compare.").format(name=table.cheapest[0])
    rows = _("{n} of {all} rows differ.").format(n=len(table.differs), all=len(table.rows))
    return " ".join(part for part in (_cost_words(table, _), rows, _failed_words(table, _)) if part)


def _cost_words(table: SideBySide, _: Translate) -> str:
    """Which costs least; empty where only one has a cost."""
    solved = len(table.headings) - 1 - len(table.failed)
    if solved == 1:
        return ""
    if len(table.cheapest) == solved:
        return _("All cost the same.") if not table.failed else _("All that have a plan cost the same.")
    if len(table.cheapest) == 1:
        text = _("{name} costs least; the dearest costs {ratio:.2f} times as much.")
        return text.format(name=table.cheapest[0], ratio=table.cost_ratio)
    text = _("{names} cost least, all the same; the dearest costs {ratio:.2f} times as much.")
    return text.format(names=_(", ").join(table.cheapest), ratio=table.cost_ratio)


def _failed_words(table: SideBySide, _: Translate) -> str:
    return _("Without a plan: {names}.").format(names=_(", ").join(table.failed)) if table.failed else ""


def _question_rows(asked: Sequence[Workload], _: Translate) -> Iterable[tuple[str, ...]]:
    """What was asked, which is known whether or not something answers it."""

    def row(label: str, of: Callable[[Workload], str]) -> tuple[str, ...]:
        return (label, *map(of, asked))

    def load(w: Workload) -> str:
        if w.traffic.rate_per_s:
            return f"{w.traffic.rate_per_s:,g}/s"
        return _("{n:,} at once").format(n=w.traffic.concurrency)

    yield row(_("LLM"), lambda w: w.llm)
    yield row(_("Load"), load)
    yield row(_("Prompt → answer"), lambda w: f"{w.traffic.input_tokens:,g} → {w.traffic.output_tokens:,g}")
    yield row(_("Promise"), lambda w: f"{si(w.slo.ttft_p99_s, 's')}, {si(w.slo.tpot_p99_s, 's')}")


def _answer_rows(answers: Sequence[PlanResult | None], _: Translate) -> Iterable[tuple[str, ...]]:
    """What came out; nothing for a question without a plan."""

    def row(label: str, of: Callable[[PlanResult], str]) -> tuple[str, ...]:
        return (label, *(of(a) if a is not None else NONE for a in answers))

    yield row(_("Accelerators"), _accelerators)
    yield row(_("Layout"), lambda a: layout_text(a.plans[0]))
    yield row(_("Supply"), lambda a: supply_text(a.plans[0], _))
    yield row(_("$/month"), lambda a: usd(a.plans[0].cost.usd_per_month))
    yield row(_("$/M output tokens"), lambda a: usd(a.plans[0].cost.usd_per_million_output_tokens))
    yield row("P99 TTFT", lambda a: si(a.plans[0].slo.ttft_p99_s, "s"))
    yield row("P99 TPOT", lambda a: si(a.plans[0].slo.tpot_p99_s, "s"))
    yield row(_("Availability"), lambda a: f"{floored(a.plans[0].availability)}")
    yield row(_("Power at the meter"), _power)
    yield row(_("Basis"), lambda a: basis_words(_)[a.plans[0].basis])


def _accelerators(answer: PlanResult) -> str:
    plan = answer.plans[0]
    return f"{plan.gpus_total:,} × {short_name(accelerator_name(plan.title))}"


def _power(answer: PlanResult) -> str:
    plan = answer.plans[0]
    return NONE if plan.power.facility_w is None else si(plan.power.facility_w * plan.replicas, "W")
