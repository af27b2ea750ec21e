"""One ranked plan, looked at again: its row in a study of its own layout, and what it draws as the load varies."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from planner.catalog import Catalog
from planner.errors import WorkloadError
from planner.models import power
from planner.models.layouts import take
from planner.schema import Limits, Plan, Workload
from planner.schema.sizing import MOST_MARGIN
from planner.search import metrics
from planner.search.choose import at_rate
from planner.search.columns import KV, WEIGHTS, Array, Index
from planner.search.evaluate import running_sequences
from planner.search.metrics import Load
from planner.search.study import Study, burst_factor, evaluate
from planner.traces import load_profile

GRID = np.array([0.0, 0.02, 0.05, 0.1, 0.2, 0.3, 0.45, 0.6, 0.8, 1.0, 1.25, 1.6, 2.0, 2.5, 3.0, 4.0])


@dataclass(frozen=True)
class Single:
    """A plan's layout with its load.

    Attributes
    ----------
    row : position in the study's candidates
    replicas : that carry the busy load [-]
    load : the layout at the mean load, columns of one
    """

    study: Study
    plan: Plan
    row: int
    replicas: int
    load: Load

    @property
    def rows(self) -> Index:
        """The row as a column of one."""
        return np.array([self.row])

    @property
    def rate_per_s(self) -> float:
        """Mean request rate of the fleet; in a closed loop, what its users make. [1/s]"""
        return self.plan.serving.requests_per_s * self.plan.replicas

    @property
    def held_per_s(self) -> float:
        """Largest mean rate of the fleet that keeps the promise, bursts on top of it. [1/s]"""
        held = self.rate_per_s / load_share(self.plan, self.study.workload, self.study.catalog)
        if self.study.workload.traffic.concurrency is None:
            return held
        return min(held, float(self.study.capacity.rate_per_s[self.row]) * self.replicas)  # more users send less each


def single(workload: Workload, catalog: Catalog, plan: Plan) -> Single:
    """Evaluate the layout of a plan alone.

    Raises
    ------
    WorkloadError
        If the workload and the catalogs no longer give such a plan.
    """
    layout = plan.layout
    limits = Limits(
        accelerators=(plan.accelerator,),
        engines=(plan.engine,),
        weights=(layout.weights,),
        kv=(layout.kv,),
        max_gpus_per_replica=workload.limits.max_gpus_per_replica,
    )
    study = evaluate(workload.model_copy(update={"limits": limits}), catalog)
    row = _row(study, plan)
    replicas = np.array([plan.replicas])
    load = at_rate(study, np.array([row]), replicas, workload.traffic.rate_per_s or 0.0)
    return Single(study, plan, row, int(replicas[0]), load)


def _row(study: Study, plan: Plan) -> int:
    c, layout = study.candidates, plan.layout
    same = (c.tp == layout.tp) & (c.dp == layout.dp) & (c.pp == layout.pp) & (c.ep == layout.ep)
    same &= np.array([WEIGHTS[w] == layout.weights for w in c.weights]) if len(c) else same
    same &= np.array([KV[k] == layout.kv for k in c.kv]) if len(c) else same
    found = np.flatnonzero(same & (study.capacity.rate_per_s > 0))
    if not len(found):
        raise WorkloadError(
            "{title}: this workload and these catalogs give no such plan.\n  Plan again.", title=plan.title
        )
    return int(found[0])


def load_share(plan: Plan, workload: Workload, catalog: Catalog) -> float:
    """Mean load of a plan over the largest that keeps the promise, its bursts on top of both. [-]

    As simulated where the plan is, within the range that simulations look at; else by closed forms.
    """
    closed = plan.serving.utilisation * burst_factor(workload, catalog)
    if plan.sizing is None:
        return closed
    simulated = 1 / plan.sizing.margin
    return simulated if plan.sizing.margin < MOST_MARGIN else min(simulated, closed)


def load_factors(workload: Workload, catalog: Catalog) -> Array:
    """Load over its mean in equal steps of the profile that the workload names; one step of 1 where it names none.

    Raises
    ------
    UnknownName
        If the catalogs have no such profile.
    """
    name = workload.ownership.load_profile
    if name is None:
        return np.ones(1)
    rates = load_profile(name, catalog).rate_per_s
    return np.asarray(rates / rates.mean())


def step_starts_h(workload: Workload, catalog: Catalog) -> Array:
    """Hour of the day, UTC, at which each step of `load_factors` begins; a constant load covers all hours. [h]"""
    name = workload.ownership.load_profile
    if name is None:
        return np.zeros(1)
    profile = load_profile(name, catalog)
    return np.asarray(np.arange(len(profile.rate_per_s)) * profile.step_s / 3600 % 24)


def gpu_w(one: Single, factors: Array) -> Array:
    """Power of one serving accelerator at each load over the mean, shape of `factors`; NaN where not sourced. [W]"""
    grid = GRID if len(factors) > 1 else factors
    study, count = one.study, len(grid)
    rows = np.full(count, one.row)
    place, eff, most = take(study.place, rows), take(study.eff, rows), study.capacity.sequences[rows]
    asked = study.server(rows)
    users = study.workload.traffic.concurrency
    if users is not None:
        running = np.clip(grid * users / one.replicas, 1e-6, most)
    else:
        rate = np.maximum(grid, 1e-6) * (study.workload.traffic.rate_per_s or 0.0) / one.replicas
        running = running_sequences(asked, rate, most)
    point = asked.at(running)
    does = power.activity(study.shape, place, eff, study.lengths, point)
    candidates = study.candidates.take(rows)
    idle_w, board_w = metrics.boards(study.catalog, candidates)
    watts = power.gpu_power_w(idle_w, board_w, does, metrics.draw(study.catalog, candidates))
    return np.asarray(np.interp(factors, grid, watts))
