"""Questions over years: a growing load, prices that move, delivery times, hardware that comes later."""

from __future__ import annotations

import math
import time
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from planner.catalog import Catalog
from planner.errors import NoPlan, WorkloadError
from planner.models.staging import Kind, Market, Schedule, schedule
from planner.schema import Plan, Workload
from planner.schema.horizon import HorizonResult, Order, Outlook, Policy, YearState
from planner.search.change import Question
from planner.search.mix import load_per_replica
from planner.search.mix_options import block_of, owned_parts
from planner.search.offers import Offer, offers
from planner.search.plan import plan
from planner.units import HOURS_PER_MONTH

WEEKS_PER_MONTH = 365.25 / 12 / 7
YEARLY = 12


@dataclass(frozen=True)
class Hardware:
    """An accelerator with its plan and its kind for the programme.

    Attributes
    ----------
    units : servers in a block [-]
    capital_usd : of a block today [USD]; None: no sourced purchase price
    """

    id: str
    kind: Kind
    units: int
    capital_usd: float | None


def horizon(question: Question, outlook: Outlook) -> HorizonResult:
    """What to buy when, and what to rent until then, so that the years cost least.

    Raises
    ------
    PlannerError
        If nothing serves the load today, or nothing has a price.
    """
    start = time.perf_counter()
    hardware = _hardware(question, outlook)
    months = max(round(outlook.years * 12), 1)
    demand = (1 + outlook.growth_per_year) ** (np.arange(months) / 12)
    market = Market(outlook.dearer_per_year, outlook.rent_dearer_per_year, question.workload.discount_rate)
    best, policies = _policies(hardware, demand, market, outlook.order_months)
    return HorizonResult(
        outlook=outlook,
        kinds=tuple(h.id for h in hardware),
        policies=policies,
        orders=_orders(hardware, best, outlook),
        states=_states(hardware, best, demand),
        not_bought=tuple(h.id for h in hardware if h.capital_usd is None),
        not_rented=tuple(h.id for h in hardware if h.kind.rent_usd_per_month is None),
        catalog_sha256=question.catalog.sha256,
        wall_s=time.perf_counter() - start,
    )


def _hardware(question: Question, outlook: Outlook) -> list[Hardware]:
    """Today's best accelerator to own or rent, then those that come later."""
    workload, catalog = question.workload, question.catalog
    later = {catalog.accelerator_id(name, "--next"): years for name, years in outlook.later.items()}
    today = plan(workload, catalog, 1).plans[0].accelerator
    if today in later:
        raise WorkloadError(
            "--next {today}: is what is planned today.\n  Limit today's with --set limits.accelerators.", today=today
        )
    found = [_one(workload, catalog, id, years, outlook) for id, years in {today: 0.0, **later}.items()]
    if all(h.capital_usd is None and h.kind.rent_usd_per_month is None for h in found):
        raise WorkloadError("horizon: none of these accelerators has a purchase or on-demand price.")
    return found


def _one(workload: Workload, catalog: Catalog, id: str, from_years: float, outlook: Outlook) -> Hardware:
    best = _plan_on(workload, catalog, id)
    row = catalog.accelerators[id]
    whole = min(best.gpus_per_replica, row.server_accelerators)
    sold = [o for o in offers(catalog, workload, [id])[id] if o.accelerators >= whole]
    own = next((o for o in sold if o.option == "own"), None)
    firm = [o for o in sold if o.option == "on_demand"]
    units, size = block_of(best.gpus_per_replica, row.server_accelerators)
    load = size * load_per_replica(workload, catalog, best) * best.replicas / (best.replicas + best.spares)
    payment, running = _owning(workload, catalog, best, own)
    kind = Kind(
        load=load,
        payment_usd_per_month=None if payment is None else payment * units,
        running_usd_per_month=running * units,
        rent_usd_per_month=_rent(firm, best, size),
        from_month=math.ceil(round(from_years * 12, 6)),
        life_months=max(round(workload.horizon_years * 12), 1),
        delivery_months=math.ceil(round(outlook.delivery_weeks / WEEKS_PER_MONTH, 6)),
    )
    return Hardware(id, kind, units, None if payment is None or own is None else own.capital_usd * units)


def _plan_on(workload: Workload, catalog: Catalog, id: str) -> Plan:
    """The best plan on one accelerator, however it is obtained."""
    limits = workload.limits.model_copy(update={"accelerators": (id,)})
    try:
        return plan(workload.model_copy(update={"limits": limits}), catalog, 1).plans[0]
    except NoPlan as none:
        raise WorkloadError("horizon: {id} does not serve this load: {none}", id=id, none=none) from None


def _owning(workload: Workload, catalog: Catalog, best: Plan, own: Offer | None) -> tuple[float | None, float]:
    """Payment and running cost of a server and month; None where it cannot be bought or run. [USD/month]"""
    if own is None:
        return None, 0.0
    annuity, standing, hourly = owned_parts(workload, catalog, best, own)
    if np.isnan(standing):
        return None, 0.0
    return annuity / 12, standing / 12 + hourly * HOURS_PER_MONTH


def _rent(firm: list[Offer], best: Plan, size: int) -> float | None:
    """Rent of a block and month, by what its replicas take. [USD/month]"""
    costs = []
    for offer in firm:
        units, held = block_of(best.gpus_per_replica, offer.accelerators)
        costs.append(offer.usd_per_hour * HOURS_PER_MONTH * units * -(-size // held))
    return min(costs, default=None)


def _policies(
    hardware: list[Hardware], demand: NDArray[np.float64], market: Market, every: int
) -> tuple[Schedule, tuple[Policy, ...]]:
    """The best of all orders, and simple rules to compare with."""
    kinds, months = [h.kind for h in hardware], len(demand)
    month = np.arange(months)
    none, today = np.zeros((len(kinds), months), bool), np.zeros((len(kinds), months), bool)
    today[0] = True
    rules = {
        "best": none | (month % every == 0),
        "rent throughout": none,
        "buy today for the last month": today & (month == 0),
        "buy once a year": today & (month % YEARLY == 0),
    }
    if len(kinds) > 1:
        rules["wait for what comes later"] = ~today & (month % every == 0)
        rules["today's only, at any time"] = today & (month % every == 0)
    found = {name: schedule(kinds, demand, market, rule) for name, rule in rules.items()}
    best = found["best"]
    if best is None:
        raise WorkloadError(
            "horizon: nothing carries the load from the first month on: what is bought arrives later, and no\n"
            "  on-demand price is sourced until then. Give one under [prices], or a shorter --delivery-weeks."
        )
    costs = {name: None if one is None else one.npv_usd for name, one in found.items()}
    order = sorted(costs, key=lambda name: (name != "best", costs[name] is None, costs[name] or 0.0))
    return best, tuple(
        Policy(name=n, npv_usd=costs[n], more_than_best=None if (c := costs[n]) is None else c / best.npv_usd - 1)
        for n in order
    )


def _orders(hardware: list[Hardware], best: Schedule, outlook: Outlook) -> tuple[Order, ...]:
    found = []
    for at, month in zip(*np.nonzero(best.ordered), strict=True):
        one, blocks = hardware[at], int(best.ordered[at, month])
        price = (one.capital_usd or 0.0) * (1 + outlook.dearer_per_year) ** (month / 12)
        found.append(
            Order(
                month=int(month),
                arrives=int(month) + one.kind.delivery_months,
                accelerator=one.id,
                servers=blocks * one.units,
                usd=blocks * price,
            )
        )
    return tuple(sorted(found, key=lambda p: (p.month, p.accelerator)))


def _states(hardware: list[Hardware], best: Schedule, demand: NDArray[np.float64]) -> tuple[YearState, ...]:
    ends = [*range(YEARLY - 1, len(demand), YEARLY)]
    ends += [len(demand) - 1] if not ends or ends[-1] != len(demand) - 1 else []
    return tuple(
        YearState(
            year=number,
            load_factor=float(demand[month]),
            owned=_servers(hardware, best.running[:, month]),
            rented=_servers(hardware, best.rented[:, month]),
        )
        for number, month in enumerate(ends, 1)
    )


def _servers(hardware: list[Hardware], blocks: NDArray[np.int64]) -> dict[str, int]:
    return {h.id: int(n) * h.units for h, n in zip(hardware, blocks, strict=True) if n}
