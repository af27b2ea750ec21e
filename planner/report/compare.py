"""Questions side by side: what was asked and what came out, with the rows that differ."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass

from planner.report.tables import layout_text, supply_text
from planner.report.words import basis_words
from planner.schema import PlanResult
from planner.units import floored, si, usd

Translate = Callable[[str], str]
NONE = "—"


@dataclass(frozen=True)
class SideBySide:
    """A row for each figure, a column for each question; `differs` names the rows that are not the same for all."""

    headings: tuple[str, ...]
    rows: tuple[tuple[str, ...], ...]
    differs: frozenset[str]
    cheapest: str
    cost_ratio: float


def side_by_side(names: Sequence[str], answers: Sequence[PlanResult | None], _: Translate) -> SideBySide:
    """Questions and their best plans; a question that nothing serves keeps its column."""
    rows = list(_rows(answers, _))
    costs = {n: a.plans[0].cost.usd_per_month for n, a in zip(names, answers, strict=True) if a is not None}
    cheapest = min(costs, key=lambda name: costs[name], default="")
    ratio = max(costs.values()) / costs[cheapest] if costs else 1.0
    differs = frozenset(label for label, *cells in rows if len(set(cells)) > 1)
    return SideBySide((_("Figure"), *names), tuple(rows), differs, cheapest, ratio)


def finding(table: SideBySide, _: Translate) -> str:
    """What the comparison shows, in a sentence."""
    if not table.cheapest:
        return _("None of these questions has a plan.")
    if len(table.headings) == 2:
        return _("{name} alone: choose another to compare.").format(name=table.cheapest)
    text = _("{name} costs least; the dearest costs {ratio:.1f} times as much. {n} of {all} rows differ.")
    return text.format(name=table.cheapest, ratio=table.cost_ratio, n=len(table.differs), all=len(table.rows))


def _rows(answers: Sequence[PlanResult | None], _: Translate) -> Iterable[tuple[str, ...]]:
    def row(label: str, of: Callable[[PlanResult], str]) -> tuple[str, ...]:
        return (label, *(of(a) if a is not None else NONE for a in answers))

    def load(a: PlanResult) -> str:
        traffic = a.workload.traffic
        return f"{traffic.rate_per_s:g}/s" if traffic.rate_per_s else f"{traffic.concurrency} ∥"

    yield row(_("LLM"), lambda a: a.workload.llm)
    yield row(_("Load"), load)
    yield row(
        _("Prompt → answer"), lambda a: f"{a.workload.traffic.input_tokens:g} → {a.workload.traffic.output_tokens:g}"
    )
    yield row(_("Promise"), lambda a: f"{si(a.workload.slo.ttft_p99_s, 's')}, {si(a.workload.slo.tpot_p99_s, 's')}")
    yield row(_("Accelerators"), lambda a: f"{a.plans[0].gpus_total} × {a.plans[0].accelerator}")
    yield row(_("Layout"), lambda a: layout_text(a.plans[0]))
    yield row(_("Supply"), lambda a: supply_text(a.plans[0], _))
    yield row(_("$/month"), lambda a: usd(a.plans[0].cost.usd_per_month))
    yield row(_("$/M output tokens"), lambda a: usd(a.plans[0].cost.usd_per_million_output_tokens))
    yield row("P99 TTFT", lambda a: si(a.plans[0].slo.ttft_p99_s, "s"))
    yield row("P99 TPOT", lambda a: si(a.plans[0].slo.tpot_p99_s, "s"))
    yield row(_("Availability"), lambda a: f"{floored(a.plans[0].availability)}")
    yield row(_("Power at the meter"), _power)
    yield row(_("Basis"), lambda a: basis_words(_)[a.plans[0].basis])


def _power(answer: PlanResult) -> str:
    plan = answer.plans[0]
    return NONE if plan.power.facility_w is None else si(plan.power.facility_w * plan.replicas, "W")
