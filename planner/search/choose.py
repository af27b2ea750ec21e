"""Feasibility and order: physics and money are decided before they get here."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np

from planner.models import cash, serving
from planner.models.placements import take
from planner.schema import Rejection
from planner.search import metrics
from planner.search.columns import Array, Index
from planner.search.evaluate import running_sequences
from planner.search.learned import take_eff
from planner.search.metrics import Load
from planner.search.offers import Offer
from planner.search.price import PARTS, Priced, price
from planner.search.spot import firm_replicas
from planner.search.study import Study, busy_rate, replicas_needed
from planner.units import percent, usd


@dataclass(frozen=True)
class Choice:
    """One candidate with one way to obtain it, priced.

    Attributes
    ----------
    row : position in the study's candidates
    at, busy_at : positions in `load` and `busy`: the candidate at the mean and at the busy rate
    parts_usd_per_month : what the month costs, by part
    """

    row: int
    at: int
    busy_at: int
    offer: Offer
    replicas: int
    spares: int
    units: int
    availability: float
    parts_usd_per_month: dict[str, float]
    npv_usd: float
    load: Load
    busy: Load
    pareto: bool = False

    @property
    def usd_per_month(self) -> float:
        """All parts together."""
        return sum(self.parts_usd_per_month.values())


def choose(study: Study) -> tuple[list[Choice], tuple[Rejection, ...]]:
    """Price every feasible candidate with every offer; keep the best of each kind and the Pareto set.

    Returns
    -------
    (choices, rejections)
        Choices in order of cost; rejections of offers whose availability misses the target.
    """
    rows = np.flatnonzero(study.capacity.rate_per_s > 0)
    if not len(rows):
        return [], ()
    replicas = replicas_needed(study, rows)
    load = at_rate(study, rows, replicas, study.workload.traffic.rate_per_s or 0.0)
    priced = _priced(study, rows, replicas, load)
    kept = _kept(study, rows, priced, load)
    at = np.array([p.at[i] for p, i, _ in kept], np.int64)
    busy = at_rate(study, rows[at], replicas[at], busy_rate(study))
    choices = [_choice(study, rows, p, i, load, busy, n, front) for n, (p, i, front) in enumerate(kept)]
    return choices, _unavailable(study, rows, priced)


def at_rate(study: Study, rows: Index, replicas: Index, rate_per_s: float) -> Load:
    """Candidates when their replicas share a rate; in a closed loop, when they share the users."""
    place, budget, most = take(study.place, rows), study.fit.budget_tokens[rows], study.capacity.sequences[rows]
    users, shape, lengths = study.workload.traffic.concurrency, study.shape, study.lengths
    eff = take_eff(study.eff, rows)
    if users is not None:
        running = np.minimum(users / replicas, most)
    else:
        running = running_sequences(shape, place, eff, lengths, rate_per_s / replicas, most, budget)
    point = serving.operate(shape, place, eff, lengths, running, budget)
    ttft = serving.mean_ttft_s(point, eff, lengths)
    return metrics.observe(study.catalog, shape, study.candidates.take(rows), place, eff, lengths, point, ttft)


def _priced(study: Study, rows: Index, replicas: Index, load: Load) -> list[Priced]:
    at_accelerator = study.candidates.accelerator[rows]
    found = []
    for number, id in enumerate(study.candidates.accelerator_ids):
        at = np.flatnonzero(at_accelerator == number)
        for offer in study.offers[id] if len(at) else []:
            priced = price(study, rows, at, offer, replicas, load)
            if priced is not None:
                found.append(priced)
    return found


def _kept(study: Study, rows: Index, priced: list[Priced], load: Load) -> list[tuple[Priced, int, bool]]:
    """(offer's columns, position, on the Pareto front), cheapest first, then fastest."""
    good = [(p, np.flatnonzero(p.reached)) for p in priced]
    cost = _join([p.usd_per_month[i] for p, i in good])
    speed = _join([load.point.tpot_s[p.at[i]] for p, i in good])
    owner = _join([np.full(len(i), n) for n, (_, i) in enumerate(good)]).astype(int)
    inside = _join([i for _, i in good]).astype(int)
    order = np.lexsort((np.arange(len(cost)), speed, np.round(cost, 2)))
    best_speed = np.minimum.accumulate(np.r_[np.inf, speed[order]])
    kinds: set[tuple[str, int, str]] = set()
    kept = []
    for rank, k in enumerate(order):
        p, i = priced[owner[k]], int(inside[k])
        front = speed[k] < 0.99 * best_speed[rank]
        row = rows[p.at[i]]
        kind = (
            study.candidates.accelerator_ids[study.candidates.accelerator[row]],
            int(study.candidates.weights[row]),
            p.offer.option,
        )
        if front or kind not in kinds:
            kept.append((p, i, bool(front)))
        kinds.add(kind)
    return kept


def _join(parts: list[Any]) -> Array:
    return np.concatenate(parts) if parts else np.zeros(0)


def _choice(
    study: Study, rows: Index, priced: Priced, i: int, load: Load, busy: Load, busy_at: int, front: bool
) -> Choice:
    at, offer = int(priced.at[i]), priced.offer
    parts = {name: float(v) for name, v in zip(PARTS, priced.parts[:, i], strict=True) if v}
    running = sum(v for name, v in parts.items() if name != "capital")
    workload, units = study.workload, int(priced.units[i])
    capital = offer.capital_usd * units
    left = workload.ownership.residual_share * capital
    npv = cash.present_usd(cash.payments_usd(capital, left, running, workload.horizon_years), workload.discount_rate)
    return Choice(
        int(rows[at]),
        at,
        busy_at,
        offer,
        int(priced.replicas[i]),
        int(priced.spares[i]),
        units,
        float(priced.ready[i]),
        parts,
        float(npv),
        load,
        busy,
        front,
    )


def _unavailable(study: Study, rows: Index, priced: list[Priced]) -> tuple[Rejection, ...]:
    """Offers that reach the availability target with no candidate."""
    target = study.workload.slo.availability
    found: dict[tuple[str, str], Rejection] = {}
    for p in priced:
        if p.reached.any():
            continue
        id = study.candidates.accelerator_ids[study.candidates.accelerator[rows[p.at[0]]]]
        name, way = study.catalog.accelerators[id].name, p.offer.option.replace("_", "-")
        best, cheapest = float(p.ready.max()), usd(float(p.usd_per_month.min()))
        found.setdefault(
            (id, way),
            Rejection(
                candidate=f"{name}, {way} only",
                accelerator=id,
                limit="availability",
                needed=target,
                available=best,
                unit="share of time",
                message=f"{name} bought only as {way} capacity is ready {percent(best)} of the time even with as many "
                f"spares as replicas, for {cheapest} a month; the promise is {percent(target, 2)}. "
                f"{_way_out(study, p)}",
            ),
        )
    return tuple(found.values())


def _way_out(study: Study, priced: Priced) -> str:
    """What reaches the target in place of an offer that does not."""
    if priced.offer.option != "spot":
        return "Allow another supply."
    replicas = int(priced.replicas[priced.usd_per_month.argmin()])
    base = firm_replicas(study.catalog, replicas, study.workload.slo.availability)
    if base >= replicas:
        return "All its replicas must be firm."
    return f"Of its {replicas} replicas {base} must be firm."
