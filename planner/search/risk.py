"""How sure cost and promise of plans are: draws of uncertain inputs through the same models."""

from __future__ import annotations

import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, fields

import numpy as np

from planner.errors import WorkloadError
from planner.models import uncertainty
from planner.models.uncertainty import Uncertain
from planner.schema import Plan
from planner.schema.risk import Bar, Deciles, PlanRisk, RiskResult, Sensitivity, UncertainInput
from planner.search.change import Question
from planner.search.columns import Array
from planner.search.plan import plan as run_plan
from planner.search.plan_draws import Drawn, PlanModel, plan_model
from planner.search.spread import HERE, Progress, Workers, spread
from planner.search.uncertain import Stated, at_middle, predictions, sourced

DRAWS = 8192
BLOCK = 8192  # draws that are evaluated at once, however many work: the same bytes for any number of workers
INDEX_DRAWS = 1024
METRICS = ("usd_per_month", "usd_per_million_output_tokens", "ttft_p99_s", "tpot_p99_s")


@dataclass(frozen=True)
class Setting:
    """How to draw, and what to look at.

    Attributes
    ----------
    budget_usd_per_month : None: no budget [USD/month]
    metric : outcome of the tornado and the indices, one of METRICS
    """

    plans: int = 3
    draws: int = DRAWS
    seed: int = 1
    budget_usd_per_month: float | None = None
    metric: str = "usd_per_month"


def risk(
    question: Question,
    stated: Sequence[Stated],
    setting: Setting,
    workers: Workers = HERE,
    progress: Progress | None = None,
) -> RiskResult:
    """Deciles, chances and rankings of the best plans under uncertain inputs.

    Parameters
    ----------
    workers, progress : who evaluates the draws; see `spread`

    Raises
    ------
    PlannerError
        Without a plan, or for inputs that cannot be drawn.
    """
    _check(setting, stated)
    start = time.perf_counter()
    question = at_middle(question, stated)
    plans = run_plan(question.workload, question.catalog, max(setting.plans, 1)).plans[: setting.plans]
    known = sourced(question, plans, stated)
    shared = [s.uncertain for s in stated] + [one for one, _ in known.values()]
    bands = {plan.rank: [of_plan(one, plan) for one in predictions(question, plan)] for plan in plans}
    models = [plan_model(question, plan, shared, stated, bands[plan.rank]) for plan in plans]
    inputs = [*shared, *{one.name: one for found in bands.values() for one in found}.values()]
    drawing = time.perf_counter()
    columns = uncertainty.draws(inputs, setting.draws, setting.seed)
    drawn = _evaluated(models, columns, workers, progress)
    costs = np.stack([d.sized_usd_per_month for d in drawn])
    draw_s = time.perf_counter() - drawing
    risks = _risks(plans, drawn, costs, setting.budget_usd_per_month)
    own = [*shared, *bands[plans[0].rank]]
    return RiskResult(
        workload=question.workload,
        inputs=tuple(_told(one, known) for one in inputs),
        plans=risks,
        by_expected_cost=_ranked(risks, "expected_usd_per_month"),
        by_regret=_ranked(risks, "expected_regret_usd_per_month"),
        beats=tuple(tuple(map(float, row)) for row in uncertainty.beats(costs)),
        metric=setting.metric,
        at_mid=_finite(_outcome(models[0], setting.metric, {one.name: np.array([one.mid]) for one in own})[0]),
        tornado=_bars(models[0], setting.metric, own),
        sensitivities=_indices(models[0], setting, own),
        budget_usd_per_month=setting.budget_usd_per_month,
        draws=setting.draws,
        seed=setting.seed,
        catalog_sha256=question.catalog.sha256,
        draw_s=draw_s,
        wall_s=time.perf_counter() - start,
    )


def _evaluated(
    models: Sequence[PlanModel], columns: Mapping[str, Array], workers: Workers, progress: Progress | None
) -> list[Drawn]:
    """Every plan under all draws, block by block."""
    count = max((len(column) for column in columns.values()), default=1)
    parts = [{name: c[begin : begin + BLOCK] for name, c in columns.items()} for begin in range(0, count, BLOCK)]
    found = spread(_block, [(model, part) for model in models for part in parts], workers, progress)
    return [_joined(found[begin : begin + len(parts)]) for begin in range(0, len(found), len(parts))]


def _block(one: tuple[PlanModel, Mapping[str, Array]]) -> Drawn:
    model, columns = one
    return model.evaluate(columns)


def _joined(parts: Sequence[Drawn]) -> Drawn:
    return Drawn(*(np.concatenate([getattr(part, f.name) for part in parts]) for f in fields(Drawn)))


def _check(setting: Setting, stated: Sequence[Stated]) -> None:
    names = [s.uncertain.name for s in stated]
    double = next((name for name in names if names.count(name) > 1), None)
    if double:
        raise WorkloadError("--uncertain {field}: is given twice.\n  Give one range.", field=double)
    if setting.metric not in METRICS:
        raise WorkloadError(
            "--metric {metric}: give one of {allowed}.", metric=setting.metric, allowed=", ".join(METRICS)
        )
    budget = setting.budget_usd_per_month
    if budget is not None and not 0 < budget < 1e15:
        raise WorkloadError("--budget {budget:g}: give US dollars a month, above 0.", budget=budget)


def of_plan(one: Uncertain, plan: Plan) -> Uncertain:
    """An error of prediction, of this accelerator: plans on one share its draw, plans on two do not."""
    name = f"{one.name} {plan.accelerator} {plan.engine} {plan.basis}"
    return Uncertain(name, one.low, one.mid, one.high, one.shape, f"{one.name} {plan.accelerator}")


def _told(one: Uncertain, known: Mapping[str, tuple[Uncertain, str]]) -> UncertainInput:
    source = known[one.name][1] if one.name in known else "stated"
    if one.name.startswith("prediction."):
        source = "80 % band of measured over predicted, catalogs/calibration.csv"
    return UncertainInput(
        name=one.name, low=one.low, mid=one.mid, high=one.high, distribution=one.shape, group=one.group, source=source
    )


def _risks(plans: Sequence[Plan], drawn: Sequence[Drawn], costs: Array, budget: float | None) -> tuple[PlanRisk, ...]:
    """Each plan over the draws; costs of plans are compared in draws that all of them can meet."""
    common = np.isfinite(costs).all(axis=0)
    regrets = uncertainty.regret(costs, np.stack([one.usd_per_month for one in drawn]))
    found = []
    for number, (plan, one) in enumerate(zip(plans, drawn, strict=True)):
        within = None if budget is None else one.usd_per_month <= budget
        found.append(
            PlanRisk(
                rank=plan.rank,
                title=plan.title,
                accelerator=plan.accelerator,
                supply=f"{plan.supply[0].option}, {plan.supply[0].provider}",
                replicas=plan.replicas,
                gpus_total=plan.gpus_total,
                usd_per_month=_spread(one.usd_per_month),
                usd_per_million_output_tokens=_spread(one.usd_per_million),
                ttft_p99_s=_spread(one.ttft_p99_s),
                tpot_p99_s=_spread(one.tpot_p99_s),
                meets_slo=float(one.kept.mean()),
                meets_budget=None if within is None else float(within.mean()),
                meets_both=None if within is None else float((within & one.kept).mean()),
                replicas_needed=_spread(one.replicas_needed),
                out_of_reach=float(np.isinf(one.sized_usd_per_month).mean()),
                cost_curve=_curve(one.sized_usd_per_month),
                expected_usd_per_month=float(costs[number, common].mean()) if common.any() else None,
                expected_regret_usd_per_month=float(regrets[number].mean()) if regrets.size else None,
                regret_p90_usd_per_month=float(np.quantile(regrets[number], 0.9)) if regrets.size else None,
            )
        )
    return tuple(found)


def _curve(costs: Array) -> tuple[tuple[float, float], ...]:
    """Chances from 1 % to 99 % with the cost that is not exceeded; those out of reach have none."""
    chances = np.linspace(0.01, 0.99, 50)
    values = np.quantile(costs, chances, method="inverted_cdf")
    return tuple((float(c), float(v)) for c, v in zip(chances, values, strict=True) if np.isfinite(v))


def _spread(values: Array) -> Deciles:
    low, mid, high = (_finite(v) for v in uncertainty.percentiles(values))
    return Deciles(p10=low, p50=mid, p90=high)


def _finite(value: float) -> float | None:
    return float(value) if np.isfinite(value) else None


def _ranked(risks: Sequence[PlanRisk], field: str) -> tuple[int, ...]:
    return tuple(r.rank for r in sorted(risks, key=lambda r: (getattr(r, field) is None, getattr(r, field) or 0.0)))


def _outcome(model: PlanModel, metric: str, columns: Mapping[str, Array]) -> Array:
    """An outcome of a plan; cost is that of a fleet sized to the draw."""
    drawn = model.evaluate(columns)
    return {
        "usd_per_month": drawn.sized_usd_per_month,
        "usd_per_million_output_tokens": drawn.sized_usd_per_million,
        "ttft_p99_s": drawn.ttft_p99_s,
        "tpot_p99_s": drawn.tpot_p99_s,
    }[metric]


def _bars(model: PlanModel, metric: str, inputs: Sequence[Uncertain]) -> tuple[Bar, ...]:
    bars = uncertainty.tornado(inputs, lambda columns: _outcome(model, metric, columns))
    return tuple(
        Bar(input=one.name, low=one.low, high=one.high, at_low=_finite(low), at_high=_finite(high))
        for one, low, high in bars
    )


def _indices(model: PlanModel, setting: Setting, inputs: Sequence[Uncertain]) -> tuple[Sensitivity, ...]:
    """Shares of variance; a draw that no fleet can meet counts as the dearest that one can."""

    def bounded(columns: Mapping[str, Array]) -> Array:
        values = _outcome(model, setting.metric, columns)
        finite = values[np.isfinite(values)]
        return np.where(np.isfinite(values), values, finite.max() if len(finite) else 0.0)

    found = uncertainty.sobol_indices(inputs, bounded, INDEX_DRAWS, setting.seed)
    rows = [Sensitivity(input=name, first=first, total=total) for name, (first, total) in found.items()]
    return tuple(sorted(rows, key=lambda row: -row.total))
