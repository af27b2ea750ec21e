"""One plan under drawn inputs: load, lengths, errors of prediction, prices; columns in, columns out."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace

import numpy as np

from planner.errors import Message, NoPlan, WorkloadError
from planner.models import response
from planner.models.finance import capital_recovery
from planner.models.response import Blend
from planner.models.uncertainty import Uncertain
from planner.schema import Plan
from planner.search.change import Question, apply
from planner.search.columns import Array
from planner.search.layout_curves import LayoutCurves, grid_of, layout_curves, pinned
from planner.search.mix_options import block_of
from planner.search.offers import offers
from planner.search.plan import plan as run_plan
from planner.search.uncertain import FIRST_TOKEN, STEP, Stated
from planner.units import SECONDS_PER_MONTH

MOST_REPLICAS = 4  # times those of the plan: a draw that needs more is called out of reach
LOADS = ("traffic.rate_per_s", "traffic.concurrency", "traffic.burst_factor")
LENGTHS = ("traffic.input_tokens", "traffic.output_tokens")
SITE_PARTS = {
    "site.electricity_usd_per_kwh": ("energy",),
    "site.pue": ("energy",),
    "site.colocation_usd_per_kw_month": ("colocation",),
}
TERMS = ("horizon_years", "discount_rate")


@dataclass(frozen=True)
class Drawn:
    """A plan under the draws, columns of length n; infinite where it is out of reach.

    Attributes
    ----------
    usd_per_month, usd_per_million : of the plan as bought [USD/month], [USD/1e6 tokens]
    sized_usd_per_month, sized_usd_per_million : with as many replicas as the draw needs, up to MOST_REPLICAS times
    kept : the plan as bought keeps the promise
    """

    usd_per_month: Array
    usd_per_million: Array
    ttft_p99_s: Array
    tpot_p99_s: Array
    kept: np.ndarray
    replicas_needed: Array
    sized_usd_per_month: Array
    sized_usd_per_million: Array


@dataclass(frozen=True)
class Effect:
    """What a field does to step time, first token, cache room and price, through its three points.

    Attributes
    ----------
    points : low, mid, high
    factors : at each point, shape (4, 3) [-]
    """

    points: tuple[float, float, float]
    factors: Array

    def at(self, values: Array) -> Array:
        """The factors at drawn values, shape (4, n): straight between the points in their logarithms."""
        logs = [np.interp(values, self.points, row) for row in np.log(self.factors)]
        return np.asarray(np.exp(np.stack(logs)))


@dataclass(frozen=True)
class Units:
    """Units that serve and stand by, for a number of serving replicas.

    Attributes
    ----------
    each, size : units of the smallest block, and replicas that it holds [-]
    spare : units that stand by [-]
    """

    each: int
    size: int
    spare: int

    def __call__(self, replicas: Array) -> Array:
        return np.asarray(np.ceil(replicas / self.size) * self.each + self.spare)


@dataclass(frozen=True)
class PlanModel:
    """A plan and what drawn inputs do to it.

    Attributes
    ----------
    mids : value of every input where it is not drawn
    parts : monthly cost by part, with the inputs that scale it
    effects : fields without a formula of their own
    units_of : units for a number of serving replicas
    capacity_anchor, ttft_anchor, tpot_anchor : the plan's own figures over those of its curves [-]
    """

    plan: Plan
    question: Question
    curves: LayoutCurves
    mids: Mapping[str, float]
    effects: Mapping[str, Effect]
    units_of: Units
    step: str
    first_token: str
    capacity_anchor: float = 1.0
    ttft_anchor: float = 1.0
    tpot_anchor: float = 1.0

    def evaluate(self, columns: Mapping[str, Array]) -> Drawn:
        """Outcomes of the draws; an input without a column is at mid."""
        count = max((len(c) for c in columns.values()), default=1)
        value = {name: columns.get(name, np.full(count, mid)) for name, mid in self.mids.items()}
        slower, later, roomier, dearer = np.prod(
            [np.ones((4, count)), *(effect.at(value[name]) for name, effect in self.effects.items())], axis=0
        )
        slower, later = slower * value[self.step], later * value[self.first_token]
        inputs, outputs = value["traffic.input_tokens"], value["traffic.output_tokens"]
        grid, limits, closed = self.curves.grid, self.curves.limits, self.curves.closed
        blend = replace(self.curves.blend(inputs, outputs), roomier=np.log(roomier))
        busy = self._busy(value)
        ttft, tpot, held = response.percentiles_at(
            grid, blend, limits, slower, later, busy / self.plan.replicas, closed
        )
        ttft, tpot = ttft * self.ttft_anchor, tpot * self.tpot_anchor
        kept = held & (ttft <= limits.ttft_s) & (tpot <= limits.tpot_s)
        if limits.e2e_s is not None:
            kept &= ttft + outputs * tpot <= limits.e2e_s
        rate, running = response.capacity(grid, blend, limits, slower, later, outputs, closed)
        most = (running if closed else rate) * self.capacity_anchor
        headroom = value["calibration.headroom"]
        with np.errstate(divide="ignore"):
            needed = np.ceil(np.round(busy / (headroom * most), 9))
        needed = np.where(needed <= MOST_REPLICAS * self.plan.replicas, needed, np.inf)
        cost = self._usd_per_month(value) * dearer
        reachable = np.isfinite(needed)
        units = self.units_of(np.where(reachable, needed, 1.0)) / self.units_of(np.array([float(self.plan.replicas)]))
        sized = np.where(reachable, cost * units, np.inf)
        tokens = self._tokens_per_month(value, ttft, tpot)
        return Drawn(cost, cost / tokens, ttft, tpot, kept, needed, sized, sized / tokens)

    def _busy(self, value: Mapping[str, Array]) -> Array:
        """Load to size for: requests per second at busy times, or users."""
        if self.curves.closed:
            return value["traffic.concurrency"]
        return value["traffic.rate_per_s"] * value["traffic.burst_factor"]

    def _tokens_per_month(self, value: Mapping[str, Array], ttft: Array, tpot: Array) -> Array:
        """Millions of output tokens a month; users make as many as when planned, slower by the step. [1e6/month]"""
        if not self.curves.closed:
            per_s = value["traffic.rate_per_s"] * value["traffic.output_tokens"]
        else:
            planned = self.plan.serving.output_tokens_per_s * self.plan.replicas
            users = value["traffic.concurrency"] / self.mids["traffic.concurrency"]
            per_s = planned * users / value[self.step]
        return np.asarray(per_s * SECONDS_PER_MONTH / 1e6)

    def _usd_per_month(self, value: Mapping[str, Array]) -> Array:
        """The plan as bought at drawn prices: each part moves with the inputs that it depends on."""
        total = np.zeros(len(value[self.step]))
        for part, usd in self.plan.cost.parts_usd_per_month.items():
            factor = np.ones(len(total))
            for name in self.mids:
                factor = factor * self._moves(part, name, value)
            total = total + usd * factor
        return total

    def _moves(self, part: str, name: str, value: Mapping[str, Array]) -> Array | float:
        kind, _, of = name.partition(".")
        unit = self.plan.supply[0]
        if kind == "cloud":
            return value[name] if part == "rent" and _concerns(self.question, self.plan, of) else 1.0
        if kind == "prices":
            id = self.question.catalog.accelerator_id(of)
            mine = part == "rent" and id == self.plan.accelerator and unit.provider == "user"
            return value[name] / self.mids[name] if mine else 1.0
        if kind == "purchases":
            mine = of == "all" or self.question.catalog.accelerator_id(of) == self.plan.accelerator
            return value[name] if part in ("capital", "maintenance") and mine else 1.0
        if name in TERMS and part == "capital" and name == TERMS[0]:
            return self._recovery(value)
        if part in SITE_PARTS.get(name, ()):
            return value[name] / self.mids[name]
        return 1.0

    def _recovery(self, value: Mapping[str, Array]) -> Array:
        """Yearly payment of a purchase at drawn years and rates, over the planned one; its residual counts."""
        workload = self.question.workload
        left = workload.ownership.residual_share

        def payment(years: Array, rate: Array) -> Array:
            return np.asarray((1 - left / (1 + rate) ** years) * capital_recovery(years, rate))

        planned = payment(np.array(workload.horizon_years), np.array(workload.discount_rate))
        return np.asarray(payment(value["horizon_years"], value["discount_rate"]) / planned)


def _concerns(question: Question, plan: Plan, name: str) -> bool:
    """Does a market price that is drawn belong to this plan?"""
    unit = plan.supply[0]
    if name in ("all", unit.option, unit.provider, unit.region):
        return True
    aliases = question.catalog.accelerators[plan.accelerator].aliases
    return name.lower() in (plan.accelerator, *aliases)


def plan_model(
    question: Question, plan: Plan, shared: Sequence[Uncertain], stated: Sequence[Stated], bands: Sequence[Uncertain]
) -> PlanModel:
    """A plan ready for draws: its curves over the lengths that vary, its prices, its anchors.

    Raises
    ------
    WorkloadError
        For a field that has no number to draw around, or ends at which the plan does not exist.
    """
    workload, catalog = question.workload, question.catalog
    traffic, site = workload.traffic, catalog.site(workload.site)
    mids: dict[str, float] = {
        "traffic.rate_per_s": traffic.rate_per_s or 0.0,
        "traffic.concurrency": float(traffic.concurrency or 0),
        "traffic.burst_factor": traffic.burst_factor or catalog.parameter("burst_factor").value,
        "traffic.input_tokens": float(traffic.input_tokens),
        "traffic.output_tokens": float(traffic.output_tokens),
        "calibration.headroom": catalog.parameter("headroom").value,
        "horizon_years": workload.horizon_years,
        "discount_rate": workload.discount_rate,
        **{
            f"site.{f}": v
            for f in ("electricity_usd_per_kwh", "pue", "colocation_usd_per_kw_month")
            if (v := getattr(site, f))
        },
    }
    formulas = {*mids}
    for one in shared:
        own = one.name.split(".")[0] in ("cloud", "purchases")
        _refuse_other_load(one, traffic.concurrency is not None)
        mids[one.name] = 1.0 if own else mids.get(one.name, one.mid)
    ends = {one.name: (one.low, one.high) for one in shared}
    grids = [grid_of(*_around(ends.get(name), mids[name])) for name in LENGTHS]
    effects = {
        s.uncertain.name: _effect(question, plan, s)
        for s in stated
        if s.uncertain.name not in formulas and s.uncertain.name.split(".")[0] not in ("cloud", "purchases", "prices")
    }
    curves = layout_curves(workload, catalog, plan, *grids)
    step, first = (next(b.name for b in bands if b.name.startswith(kind)) for kind in (STEP, FIRST_TOKEN))
    mids |= {step: 1.0, first: 1.0}
    bare = PlanModel(plan, question, curves, mids, effects, _units_of(question, plan), step, first)
    return _anchored(bare)


def _refuse_other_load(one: Uncertain, closed: bool) -> None:
    other = ("traffic.rate_per_s", "traffic.burst_factor") if closed else ("traffic.concurrency",)
    if one.name in other:
        raise WorkloadError(
            "--uncertain {name}: the workload gives its load as {what}.",
            name=one.name,
            what=Message("users") if closed else Message("a rate"),
        )


def _around(ends: tuple[float, float] | None, mid: float) -> tuple[float, float, float]:
    low, high = ends or (mid, mid)
    return min(low, mid), mid, max(high, mid)


def _units_of(question: Question, plan: Plan) -> Units:
    unit = plan.supply[0]
    found = offers(question.catalog, question.workload, [plan.accelerator])[plan.accelerator]
    same = [o for o in found if (o.option, o.instance_type) == (unit.option, unit.instance_type)]
    held = same[0].accelerators if same else question.catalog.accelerators[plan.accelerator].server_accelerators
    each, size = block_of(plan.gpus_per_replica, held)
    return Units(each, size, -(-plan.spares // size) * each)


def _anchored(bare: PlanModel) -> PlanModel:
    """The curves are the closed forms; the plan's own figures, however they came about, hold at mid."""
    mid = {name: np.array([value]) for name, value in bare.mids.items()}
    drawn, served, slo, curves = bare.evaluate(mid), bare.plan.serving, bare.plan.slo, bare.curves
    one, outputs = np.ones(1), mid["traffic.output_tokens"]
    blend = curves.blend(mid["traffic.input_tokens"], outputs)
    rate, running = response.capacity(curves.grid, blend, curves.limits, one, one, outputs, curves.closed)
    planned = (served.running_sequences if curves.closed else served.requests_per_s) / served.utilisation
    return replace(
        bare,
        capacity_anchor=_over(planned, float((running if curves.closed else rate)[0])),
        ttft_anchor=_over(slo.ttft_p99_s, float(drawn.ttft_p99_s[0])),
        tpot_anchor=_over(slo.tpot_p99_s, float(drawn.tpot_p99_s[0])),
    )


def _over(own: float, closed_form: float) -> float:
    """Factor from the closed form to the plan's own figure; none where the closed form has no answer."""
    return own / closed_form if 0 < closed_form < np.inf else 1.0


def _effect(question: Question, plan: Plan, stated: Stated) -> Effect:
    """What a field does to the plan's layout at the batch that it runs at, and to the price of its accelerators."""
    at = {"inputs": np.array([question.workload.traffic.input_tokens], float)}
    at["outputs"] = np.array([question.workload.traffic.output_tokens], float)
    points = []
    for end in range(3):
        changed, _ = apply(_unhurried(question, plan), [stated.change(end)])
        grid = layout_curves(changed.workload, changed.catalog, plan, **at).grid
        place = float(np.interp(np.log(plan.serving.running_sequences), grid.sequences, np.arange(len(grid.sequences))))
        blend, position = Blend(np.zeros((1, 1), np.int64), np.ones((1, 1))), np.array([place])
        tpot, ttft = float(blend.at(grid.tpot, position)[0]), float(blend.at(grid.ttft, position)[0])
        points.append([tpot, ttft - tpot, float(grid.most[0]), np.log(_usd_per_gpu(changed, plan, stated, end))])
    u, logs = stated.uncertain, np.array(points).T
    return Effect((u.low, u.mid, u.high), np.exp(logs - logs[:, 1:2]))


def _unhurried(question: Question, plan: Plan) -> Question:
    """The plan's layout without a promise: what a field does to it is seen even where the promise breaks."""
    slo = question.workload.slo.model_copy(update={"ttft_p99_s": 3600.0, "tpot_p99_s": 60.0, "e2e_p99_s": None})
    return Question(pinned(question.workload, plan).model_copy(update={"slo": slo}), question.catalog)


def _usd_per_gpu(question: Question, plan: Plan, stated: Stated, end: int) -> float:
    """Cost of an accelerator and month in the plan's way of supply. [USD/month]"""
    try:
        found = run_plan(question.workload, question.catalog, 50).plans
    except NoPlan:
        found = ()
    same = [p for p in found if p.supply[0].option == plan.supply[0].option]
    if not same:
        raise WorkloadError(
            "--uncertain {field}={value}: plan {rank} does not exist there.\n"
            "  Narrow the range, or compare with planner whatif.",
            field=stated.uncertain.name,
            value=stated.texts[end],
            rank=plan.rank,
        )
    return same[0].cost.usd_per_month / same[0].gpus_total
