"""Which plan one would regret least: what plans cost in draws of the future, over the best of each draw."""

from __future__ import annotations

import numpy as np

from planner.catalog import Catalog
from planner.models import uncertainty
from planner.schema import PlanResult, Workload
from planner.search.change import Question
from planner.search.plan_draws import plan_model
from planner.search.risk import of_plan
from planner.search.uncertain import parse, predictions, sourced

DRAWS, SEED = 1024, 1
# Nobody knows the reader's future: ranges assumed in common, in percent; `planner risk` takes others.
USUAL = {"load": (-20, 50), "traffic.output_tokens": (-20, 30), "cloud.all": (-10, 20), "purchases.all": (-10, 20)}


def usual_ranges(workload: Workload) -> dict[str, tuple[int, int]]:
    """Fields that are most often uncertain, with the range around what is asked. [%]"""
    load = "traffic.concurrency" if workload.traffic.concurrency is not None else "traffic.rate_per_s"
    return {load if field == "load" else field: ends for field, ends in USUAL.items()}


def range_text(field: str, low: float, high: float) -> str:
    """A range in percent as `--uncertain` takes it.

    Examples
    --------
    >>> range_text("cloud.all", -10, 20)
    'cloud.all=-10%,+0%,+20%'
    """
    return f"{field}={min(low, 0):+g}%,+0%,{max(high, 0):+g}%"


def regrets(result: PlanResult, catalog: Catalog) -> dict[int, float]:
    """Expected regret of each plan by rank. [USD/month]

    A fleet follows the draw: it gets the replicas that the draw needs. Where no number of them keeps the promise,
    what was bought is lost, and the best plan of that draw is bought on top. Draws that no plan can meet say nothing.

    Raises
    ------
    PlannerError
        For a question whose inputs cannot be drawn.
    """
    question = Question(result.workload, catalog)
    stated = [parse(question, range_text(field, *ends)) for field, ends in usual_ranges(result.workload).items()]
    known = sourced(question, result.plans, stated)
    shared = [one.uncertain for one in stated] + [one for one, _ in known.values()]
    bands = {plan.rank: [of_plan(one, plan) for one in predictions(question, plan)] for plan in result.plans}
    models = [plan_model(question, plan, shared, stated, bands[plan.rank]) for plan in result.plans]
    inputs = [*shared, *{one.name: one for found in bands.values() for one in found}.values()]
    values = uncertainty.draws(inputs, DRAWS, SEED)
    drawn = [model.evaluate(values) for model in models]
    costs, bought = (np.stack([getattr(d, name) for d in drawn]) for name in ("sized_usd_per_month", "usd_per_month"))
    over = uncertainty.regret(costs, bought)
    return {plan.rank: float(row.mean()) for plan, row in zip(result.plans, over, strict=True)} if over.size else {}
