"""What the answer says: the sentence above it, chart titles that state a finding, what a person would weigh."""

from __future__ import annotations

import math
import re
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass
from itertools import pairwise

from planner.report.tables import Translate, accelerator_name, owning_note, priced_text
from planner.report.words import supply_words, term_words
from planner.schema import CurvePoint, Plan, PlanResult, Rejection
from planner.units import percent, si, usd

Emphasise = Callable[[str], str]
_MAKERS = ("NVIDIA ", "AMD ", "Intel ", "Huawei ")


@dataclass(frozen=True)
class Alternative:
    """A plan that a person would weigh, and what speaks for it."""

    heading: str
    plan: Plan


def short_name(name: str) -> str:
    """Vendor's name of an accelerator without maker and remarks.

    Examples
    --------
    >>> short_name("NVIDIA B200 SXM (HGX/DGX)")
    'B200 SXM'
    """
    bare = re.sub(r"\s*\(.*?\)", "", name)
    return next((bare.removeprefix(maker) for maker in _MAKERS if bare.startswith(maker)), bare)


def plan_name(plan: Plan) -> str:
    """Accelerators of a plan in all, such as `3 × 8 H200 SXM 141GB`."""
    name, fleet = short_name(accelerator_name(plan.title)), plan.replicas + plan.spares
    return f"{plan.gpus_per_replica} × {name}" if fleet == 1 else f"{fleet:,} × {plan.gpus_per_replica} {name}"


def ranks_text(plan: Plan) -> str:
    """Parallel sizes above one, such as `TP2 DP4`."""
    layout = plan.layout
    sizes = (("TP", layout.tp), ("DP", layout.dp), ("PP", layout.pp), ("EP", layout.ep))
    return " ".join(f"{name}{size}" for name, size in sizes if size > 1) or "TP1"


def headline(plan: Plan, _: Translate, emphasise: Emphasise = str) -> str:
    """The answer in one sentence; `emphasise` marks what is bought and what it costs."""
    return _("{what} in {precision}, {layout}, {replicas}, {spares}, for {cost} a month.").format(
        what=emphasise(plan_name(plan)),
        precision=plan.layout.weights.upper(),
        layout=ranks_text(plan),
        replicas=_("1 replica") if plan.replicas == 1 else _("{n} replicas").format(n=f"{plan.replicas:,}"),
        spares=_spares(plan.spares, _),
        cost=emphasise(usd(plan.cost.usd_per_month)),
    )


def _spares(count: int, _: Translate) -> str:
    if count < 2:
        return _("1 spare") if count else _("no spare")
    return _("{n} spares").format(n=f"{count:,}")


def reasons(result: PlanResult, plan: Plan, _: Translate) -> str:
    """The lines under the headline: how far inside the promise, how full, bought how, and the price of speed."""
    slo, unit = result.workload.slo, plan.supply[0]
    margin = 1 - max(plan.slo.ttft_p99_s / slo.ttft_p99_s, plan.slo.tpot_p99_s / slo.tpot_p99_s)
    parts = [
        _("P99 TTFT {ttft} and TPOT {tpot}, at least {margin} inside the promise.").format(
            ttft=si(plan.slo.ttft_p99_s, "s"), tpot=si(plan.slo.tpot_p99_s, "s"), margin=percent(margin, 0)
        ),
        *([] if plan.sizing else [_full(plan, _)]),  # simulations say below what it holds
        _("Price: {supply}, of {date}{stale}.").format(
            supply=supply_line(plan, _),
            date=unit.source_date.split("..")[0],
            stale=_(" (older than 180 days)") if unit.stale else "",
        ),
        *([owning_note(_)] if unit.option == "own" else []),
        _compared(result, plan, _),
    ]
    return " ".join(parts).replace("。 ", "。")  # Chinese full stops carry their own space


def _full(plan: Plan, _: Translate) -> str:
    text = _("By closed forms, the mean load is {share} of what it holds.")
    return text.format(share=percent(plan.serving.utilisation, 0))


def _compared(result: PlanResult, plan: Plan, _: Translate) -> str:
    cheapest, fastest = result.plans[0], min(result.plans, key=lambda p: p.serving.tpot_s)
    if plan.rank != cheapest.rank:
        times = plan.cost.usd_per_month / cheapest.cost.usd_per_month
        return _("It costs {times:.2g} × the cheapest.").format(times=times)
    if fastest.rank == plan.rank:
        return _("It is also the fastest.")
    times = fastest.cost.usd_per_month / plan.cost.usd_per_month
    return _("The fastest costs {times:.2g} × as much.").format(times=times)


def supply_short(plan: Plan, _: Translate) -> str:
    """The same for a narrow column: the term says that it is committed."""
    unit = plan.supply[0]
    if unit.option == "commitment":
        return _("{way}, {provider}").format(way=term_words(_).get(unit.term, unit.term), provider=unit.provider)
    return supply_line(plan, _)


def supply_line(plan: Plan, _: Translate) -> str:
    """How it is bought, for how long, from whom: `committed, 3 years, lambda`."""
    unit = plan.supply[0]
    way, term = supply_words(_)[unit.option], term_words(_).get(unit.term, unit.term)
    if unit.option == "own":
        return way
    alone = unit.option in ("on_demand", "spot")
    text = _("{way}, {provider}") if alone else _("{way}, {term}, {provider}")
    return text.format(way=way, term=term, provider=unit.provider)


def price_date(plan: Plan) -> str:
    """Date of the price, marked where it is old."""
    return priced_text(plan)


def memory_finding(plan: Plan, _: Translate) -> str:
    """Title of the memory chart."""
    memory = plan.memory
    return _("Weights fill {weights} of each GPU; {kv} holds {tokens} cached tokens").format(
        weights=percent(memory.weights_bytes_per_gpu / memory.memory_bytes_per_gpu, 0),
        kv=percent(memory.kv_room_bytes_per_gpu / memory.memory_bytes_per_gpu, 0),
        tokens=si(memory.kv_capacity_tokens, "").strip(),
    )


def nearest_memory_rejection(result: PlanResult) -> Rejection | None:
    """The candidate that memory alone ruled out and that came closest."""
    return next((r for r in result.rejections if r.limit == "memory_bytes" and r.needed and r.available), None)


def memory_rejection_finding(rejection: Rejection, _: Translate) -> str:
    """Line under the rejected bar."""
    return _("{candidate} does not fit: it needs {needed} per GPU, {available} are usable.").format(
        candidate=", ".join(rejection.candidate.split(", ")[:2]),
        needed=si(rejection.needed or 0, "B"),
        available=si(rejection.available or 0, "B"),
    )


def curve_finding(result: PlanResult, plan: Plan, _: Translate) -> str:
    """Title of the chart of cost against speed: where speed begins to cost twice as much."""
    cost = plan.cost.usd_per_million_output_tokens
    points = [p for p in result.curves if p.accelerator == plan.accelerator and p.weights == plan.layout.weights]
    speed = speed_at_cost(points, 2 * cost, 1 / plan.serving.tpot_s)
    if speed is None:
        return _("Cost against speed: each accelerator over its batch sizes")
    return _("Past {speed:.0f} tokens/s per user, each token costs twice as much").format(speed=speed)


def speed_at_cost(points: Iterable[CurvePoint], cost: float, from_speed: float) -> float | None:
    """Speed per user at which a curve crosses a cost, looking upwards from `from_speed`; None if it does not.

    Straight between points on a scale of logarithmic cost.
    """
    ordered = sorted(points, key=lambda p: p.tokens_per_s_per_user)
    for slow, fast in pairwise(ordered):
        low, high = slow.usd_per_million_output_tokens, fast.usd_per_million_output_tokens
        if fast.tokens_per_s_per_user > from_speed and low <= cost <= high and low < high:
            share = math.log(cost / low) / math.log(high / low)
            return slow.tokens_per_s_per_user + share * (fast.tokens_per_s_per_user - slow.tokens_per_s_per_user)
    return None


def alternatives(
    result: PlanResult, _: Translate, regrets: Mapping[int, float] | None = None
) -> tuple[Alternative, ...]:
    """Cheapest, fastest, least regret: three different plans where there are as many.

    Where a plan that is already listed leads or ties, the next one is shown, and its heading says so.

    Parameters
    ----------
    regrets : expected regret of each plan by rank, of `planner.search.regret`; None: not known yet [USD/month]
    """
    found: list[Alternative] = []
    for criterion in _criteria(regrets, _):
        taken = [one.plan for one in found]
        rest = [plan for plan in result.plans if all(plan.rank != other.rank for other in taken)]
        if rest:
            best = min(rest, key=criterion.small)
            rival = min((criterion.small(plan) for plan in taken), default=math.inf)
            found.append(Alternative(criterion.heading(criterion.small(best), rival), best))
    if not regrets:
        return tuple(found)
    least, both = min(regrets, key=regrets.__getitem__), _("{heading}, least regret")
    return tuple(
        Alternative(both.format(heading=one.heading), one.plan) if one.plan.rank == least and n < 2 else one
        for n, one in enumerate(found)
    )


@dataclass(frozen=True)
class _Criterion:
    leads: str
    ties: str
    follows: str
    small: Callable[[Plan], float]

    def heading(self, value: float, rival: float) -> str:
        """What can be said of a value beside the best of the plans listed before; within 1 % is a tie."""
        if value < 0.99 * rival:
            return self.leads
        return self.ties if value < 1.01 * rival else self.follows


def _criteria(regrets: Mapping[int, float] | None, _: Translate) -> tuple[_Criterion, ...]:
    two = (
        _Criterion(_("Cheapest"), "", "", lambda plan: plan.cost.usd_per_month),
        _Criterion(_("Fastest"), _("As fast"), _("Next fastest"), lambda plan: plan.serving.tpot_s),
    )
    if not regrets:
        return two
    third = _Criterion(
        _("Least regret"), _("As little regret"), _("Next least regret"), lambda plan: regrets.get(plan.rank, math.inf)
    )
    return (*two, third)


def changed_sentence(before: Plan, after: Plan, _: Translate) -> str:
    """What a simulation made of the answer of closed forms."""
    if (before.title, before.replicas, before.spares) == (after.title, after.replicas, after.spares):
        return _("Checked on recorded traffic: the answer stands.")
    text = _("Checked on recorded traffic: {now} for {cost} a month, where closed forms had said {before} for {less}.")
    return text.format(
        now=_sized(after),
        cost=usd(after.cost.usd_per_month),
        before=_sized(before),
        less=usd(before.cost.usd_per_month),
    )


def _sized(plan: Plan) -> str:
    return f"{plan_name(plan)} {plan.layout.weights.upper()} {ranks_text(plan)}"
