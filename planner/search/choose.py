"""Feasibility and order: physics and money are decided before they get here."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, get_args

import numpy as np

from planner.models import cash, serving
from planner.models.layouts import take
from planner.schema import Rejection, SupplyOption
from planner.search import metrics
from planner.search.columns import WEIGHTS, Array, Index
from planner.search.evaluate import running_sequences
from planner.search.metrics import Load
from planner.search.misses import rejection
from planner.search.offers import Offer
from planner.search.price import PARTS, Priced, Sized, away, fleets, price, size
from planner.search.spot import firm_replicas
from planner.search.study import Study, busy_rate, replicas_needed
from planner.units import percent, usd

OPTIONS = get_args(SupplyOption)


@dataclass(frozen=True)
class Choice:
    """One candidate with one way to obtain it, priced.

    Attributes
    ----------
    row : position in the study's candidates
    at : position in `load`: the candidate at the mean rate
    busy_ttft_p99_s, busy_tpot_p99_s : percentiles at the busy rate, by closed forms [s]
    parts_usd_per_month : what the month costs, by part
    """

    row: int
    at: int
    offer: Offer
    replicas: int
    spares: int
    units: int
    availability: float
    parts_usd_per_month: dict[str, float]
    npv_usd: float
    load: Load
    busy_ttft_p99_s: float
    busy_tpot_p99_s: float
    pareto: bool = False
    factor: float = 1.0  # see Market

    @property
    def usd_per_month(self) -> float:
        """All parts together."""
        return sum(self.parts_usd_per_month.values())


@dataclass(frozen=True)
class Market:
    """Candidates with so many replicas each, under every offer.

    Attributes
    ----------
    rows : positions in the study's candidates, shape (n,)
    replicas : of each, shape (n,)
    load : what they do at the mean rate
    priced : one entry per offer
    factor : what closed forms say that they hold, over what they are known to hold [-]
    """

    rows: Index
    replicas: Index
    load: Load
    priced: tuple[Priced, ...]
    factor: float = 1.0


@dataclass(frozen=True)
class Entry:
    """One candidate under one offer, in its place of the ranking."""

    market: Market
    priced: Priced
    i: int  # position in the offer's columns
    pareto: bool

    @property
    def at(self) -> int:
        """Position among the rows of the market."""
        return int(self.priced.at[self.i])

    @property
    def row(self) -> int:
        """Position in the study's candidates."""
        return int(self.market.rows[self.at])

    @property
    def replicas(self) -> int:
        """Replicas in service, without spares."""
        return int(self.priced.replicas[self.i])

    @property
    def usd_per_month(self) -> float:
        """Cost of all its replicas and spares."""
        return float(self.priced.usd_per_month[self.i])


def screen(study: Study) -> Market | None:
    """Every candidate that closed forms find able to keep the promise, with the replicas that they say."""
    rows = np.flatnonzero(study.capacity.rate_per_s > 0)
    return offered(study, rows) if len(rows) else None


def offered(study: Study, rows: Index, factor: float = 1.0) -> Market:
    """Price candidates under every offer, with the replicas that hold the load.

    Parameters
    ----------
    factor : what closed forms say that they hold, over what they do hold [-]
    """
    replicas = replicas_needed(study, rows, factor)
    load = at_rate(study, rows, replicas, study.workload.traffic.rate_per_s or 0.0)
    return Market(rows, replicas, load, tuple(_priced(study, rows, replicas, load)), factor)


def choose(study: Study) -> list[Choice]:
    """Choices in order of cost, as closed forms have them; `planner.search.confirm` simulates the first."""
    market = screen(study)
    return choices(study, ranking(study, [market])) if market else []


def choices(study: Study, entries: list[Entry]) -> list[Choice]:
    """Ranked entries with all that a plan tells of them."""
    if not entries:
        return []
    rows, replicas = np.array([e.row for e in entries]), np.array([e.market.replicas[e.at] for e in entries])
    ttft_s, tpot_s = _busy_p99_s(study, rows, replicas)
    return [_choice(study, *one) for one in zip(entries, ttft_s.tolist(), tpot_s.tolist(), strict=True)]


def _busy_p99_s(study: Study, rows: Index, replicas: Index) -> tuple[Array, Array]:
    """99th percentiles of TTFT and TPOT at the busy rate of each replica. [s]"""
    server, point = _shared(study, rows, replicas, busy_rate(study))
    crowd = point.sequences
    if study.workload.traffic.concurrency is None:
        crowd = np.maximum(serving.crowded(crowd), crowd)
    return serving.p99_ttft_s(point, take(study.eff, rows), study.lengths), server.at(crowd).tpot_s


def at_rate(study: Study, rows: Index, replicas: Index, rate_per_s: float) -> Load:
    """Candidates when their replicas share a rate; in a closed loop, when they share the users."""
    point = _shared(study, rows, replicas, rate_per_s)[1]
    place, eff, candidates = take(study.place, rows), take(study.eff, rows), study.candidates.take(rows)
    ttft = serving.mean_ttft_s(point, eff, study.lengths)
    return metrics.observe(study.catalog, study.shape, candidates, place, eff, study.lengths, point, ttft)


def _shared(study: Study, rows: Index, replicas: Index, rate_per_s: float) -> tuple[serving.Server, serving.Point]:
    """One replica of each, and what it does."""
    server, most, users = study.server(rows), study.capacity.sequences[rows], study.workload.traffic.concurrency
    if users is not None:
        running = np.minimum(users / replicas, most)
    else:
        running = running_sequences(server, rate_per_s / replicas, most)
    return server, server.at(running)


def _priced(study: Study, rows: Index, replicas: Index, load: Load) -> list[Priced]:
    """Every offer, for the candidates on its accelerator."""
    kinds = {away(offer.option): offer.option for offers in study.offers.values() for offer in offers}
    ready = {kind: fleets(study, rows, replicas, option) for kind, option in kinds.items()}
    at_accelerator = study.candidates.accelerator[rows]
    found = []
    for number, id in enumerate(study.candidates.accelerator_ids):
        at, sizes = np.flatnonzero(at_accelerator == number), dict[tuple[str, int], Sized]()
        for offer in study.offers[id] if len(at) else []:
            kind, unit = away(offer.option), offer.accelerators
            if (kind, unit) not in sizes:
                sizes[kind, unit] = size(study.catalog.accelerators[id], ready[kind], at, unit)
            priced = price(study, rows, sizes[kind, unit], offer, load)
            if priced is not None:
                found.append(priced)
    return found


def ranking(study: Study, markets: Sequence[Market], of: Index | None = None) -> list[Entry]:
    """The best of each kind and the Pareto set, cheapest first, then fastest.

    Parameters
    ----------
    of : for each of the study's candidates the market that counts, -1: none; absent: the only one
    """
    good = [
        (m, p, np.flatnonzero(p.reached if of is None else p.reached & (of[m.rows[p.at]] == number)))
        for number, m in enumerate(markets)
        for p in m.priced
    ]
    cost = _join([p.usd_per_month[i] for _, p, i in good])
    speed = _join([m.load.point.tpot_s[p.at[i]] for m, p, i in good])
    owner = _join([np.full(len(i), n) for n, (_, _, i) in enumerate(good)]).astype(int)
    inside = _join([i for _, _, i in good]).astype(int)
    row = _join([m.rows[p.at[i]] for m, p, i in good]).astype(int)
    option = _join([np.full(len(i), OPTIONS.index(p.offer.option)) for _, p, i in good]).astype(int)
    order = np.lexsort((np.arange(len(cost)), speed, np.round(cost, 2)))
    best_speed = np.minimum.accumulate(np.r_[np.inf, speed[order]])[:-1]
    front = speed[order] < 0.99 * best_speed
    kind = (study.candidates.accelerator[row] * len(WEIGHTS) + study.candidates.weights[row]) * len(OPTIONS) + option
    kept = front.copy()
    kept[np.unique(kind[order], return_index=True)[1]] = True
    return [
        Entry(good[owner[k]][0], good[owner[k]][1], int(inside[k]), bool(front[rank]))
        for rank, k in zip(np.flatnonzero(kept).tolist(), order[kept].tolist(), strict=True)
    ]


def _join(parts: list[Any]) -> Array:
    return np.concatenate(parts) if parts else np.zeros(0)


def _choice(study: Study, entry: Entry, busy_ttft_p99_s: float, busy_tpot_p99_s: float) -> Choice:
    priced, i, offer = entry.priced, entry.i, entry.priced.offer
    parts = {name: float(v) for name, v in zip(PARTS, priced.parts[:, i], strict=True) if v}
    running = sum(v for name, v in parts.items() if name != "capital")
    workload, units = study.workload, int(priced.units[i])
    capital = offer.capital_usd * units
    left = workload.ownership.residual_share * capital
    npv = cash.present_usd(cash.payments_usd(capital, left, running, workload.horizon_years), workload.discount_rate)
    return Choice(
        entry.row,
        entry.at,
        offer,
        entry.replicas,
        int(priced.spares[i]),
        units,
        float(priced.ready[i]),
        parts,
        float(npv),
        entry.market.load,
        busy_ttft_p99_s,
        busy_tpot_p99_s,
        entry.pareto,
        entry.market.factor,
    )


def unavailable(study: Study, market: Market) -> tuple[Rejection, ...]:
    """Offers that reach the availability target with no candidate."""
    target = study.workload.slo.availability
    found: dict[tuple[str, str], Rejection] = {}
    for p in market.priced:
        if p.reached.any():
            continue
        id = study.candidates.accelerator_ids[study.candidates.accelerator[market.rows[p.at[0]]]]
        name, way = study.catalog.accelerators[id].name, p.offer.option.replace("_", "-")
        if (id, way) in found:
            continue
        best, (kind, values) = float(p.ready.max()), _way_out(study, p)
        found[id, way] = rejection(
            kind,
            {
                "name": name,
                "way": p.offer.option,
                "usd": usd(float(p.usd_per_month.min())),
                "ready": percent(best),
                "promise": percent(target, 2),
                **values,
            },
            candidate=f"{name}, {way} only",
            accelerator=id,
            limit="availability",
            needed=target,
            available=best,
            unit="share of time",
        )
    return tuple(found.values())


def _way_out(study: Study, priced: Priced) -> tuple[str, dict[str, int]]:
    """What reaches the target in place of an offer that does not: kind of rejection, and its figures."""
    if priced.offer.option != "spot":
        return "other_supply", {}
    replicas = int(priced.replicas[priced.usd_per_month.argmin()])
    base = firm_replicas(study.catalog, replicas, study.workload.slo.availability)
    return ("all_firm", {}) if base >= replicas else ("some_firm", {"replicas": replicas, "base": base})
