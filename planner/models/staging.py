"""When to buy what: purchases in stages, rent until they arrive, replacement, as one integer programme over months."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from planner.errors import WorkloadError

Array = NDArray[np.float64]
Index = NDArray[np.int64]

RELATIVE_GAP = 1e-4
TIME_LIMIT_S = 20.0


@dataclass(frozen=True)
class Kind:
    """One kind of hardware, per server or group of servers that holds whole replicas (a block).

    Attributes
    ----------
    load : demand that a block carries [-]
    payment_usd_per_month : of the purchase at today's price, over its life [USD/month]; None: cannot be bought
    running_usd_per_month : of a block in service [USD/month]
    rent_usd_per_month : of a rented block [USD/month]; None: cannot be rented
    from_month : first month in which it can be ordered or rented [month]
    life_months : from arrival until it is worn out and paid [month]
    delivery_months : from order to service [month]
    """

    load: float
    payment_usd_per_month: float | None
    running_usd_per_month: float
    rent_usd_per_month: float | None
    from_month: int
    life_months: int
    delivery_months: int


@dataclass(frozen=True)
class Market:
    """How prices move and money is discounted, per year. [1/a]"""

    purchase_drift: float
    rent_drift: float
    discount_rate: float


@dataclass(frozen=True)
class Schedule:
    """What is ordered, runs and is rented, blocks per kind and month, shape (kinds, months).

    Attributes
    ----------
    npv_usd : present value of all payments in the months looked at [USD]
    """

    ordered: Index
    running: Index
    rented: Index
    npv_usd: float


def schedule(
    kinds: Sequence[Kind], demand: Array, market: Market, may_order: NDArray[np.bool_] | None = None
) -> Schedule | None:
    """Cheapest orders and rents that carry the demand of every month.

        min  Σ_t (1+r)^(−t/12) [ Σ_a payments of what has arrived + running_a u_at + rent_a(t) v_at ]
        s.t. Σ_a load_a (u_at + v_at) ≥ d_t,   u_at ≤ blocks of kind a that have arrived and are not worn out

    A purchase is paid in equal parts over its life, whether it runs or not; parts due after the last month
    are not counted, and neither is what the block is worth then.

    Parameters
    ----------
    demand : load of each month, shape (months,). [-]
    may_order : kinds and months in which orders are allowed, shape (kinds, months); None: any.

    Returns
    -------
    Schedule, or None if nothing that is allowed carries the demand.

    Raises
    ------
    WorkloadError
        For a demand or an outlook of nothing, or money that grows faster than it can.
    """
    _check(kinds, demand, market)
    months, count = len(demand), len(kinds)
    cost, upper = _costs(kinds, months, market), _upper(kinds, demand, may_order)
    found = _solve(cost, upper, *_rows(kinds, demand))
    if found is None:
        return None
    ordered, running, rented = np.round(found).astype(np.int64).reshape(3, count, months)
    return Schedule(ordered, running, rented, float(cost @ np.round(found)))


def _check(kinds: Sequence[Kind], demand: Array, market: Market) -> None:
    if not kinds or not len(demand) or not np.isfinite(demand).all() or (demand < 0).any():
        raise WorkloadError("horizon: give at least a month, a kind of hardware, and demands of 0 or more.")
    if not 0 <= market.discount_rate < 1 or market.purchase_drift <= -1 or market.rent_drift <= -1:
        raise WorkloadError(
            "horizon: discount rate {discount_rate:g}, prices {purchase_drift:+g} and rents "
            "{rent_drift:+g} a year.\n"
            "  Give a rate from 0 to below 1, and changes above -100 %.",
            discount_rate=market.discount_rate,
            purchase_drift=market.purchase_drift,
            rent_drift=market.rent_drift,
        )


def _costs(kinds: Sequence[Kind], months: int, market: Market) -> Array:
    """Present value of one block ordered, run, rented in each month, in the order of the variables. [USD]"""
    t = np.arange(months)
    worth = (1 + market.discount_rate) ** (-t / 12)
    orders, running, rents = [], [], []
    for kind in kinds:
        payment = (kind.payment_usd_per_month or 0.0) * (1 + market.purchase_drift) ** (t / 12)
        arrived = np.minimum(t + kind.delivery_months, months)
        gone = np.minimum(arrived + kind.life_months, months)
        sums = np.concatenate([[0.0], np.cumsum(worth)])
        orders.append(payment * (sums[gone] - sums[arrived]))
        running.append(kind.running_usd_per_month * worth)
        rents.append((kind.rent_usd_per_month or 0.0) * (1 + market.rent_drift) ** (t / 12) * worth)
    return np.concatenate([*orders, *running, *rents])


def _upper(kinds: Sequence[Kind], demand: Array, may_order: NDArray[np.bool_] | None) -> Array:
    """Most blocks of each variable: none where a kind is not there yet, has no price, or nothing arrives in time."""
    months = len(demand)
    allowed = np.ones((len(kinds), months), bool) if may_order is None else may_order
    t = np.arange(months)
    orders, running, rents = [], [], []
    for kind, free in zip(kinds, allowed, strict=True):
        most = np.ceil(demand.max() / kind.load)
        sold = kind.payment_usd_per_month is not None
        there = (t >= kind.from_month) & (t + kind.delivery_months < months)
        orders.append(np.where(there & free & sold, most, 0.0))
        running.append(np.full(months, most))
        lent = kind.rent_usd_per_month is not None
        rents.append(np.where((t >= kind.from_month) & lent, most, 0.0))
    return np.concatenate([*orders, *running, *rents])


def _rows(kinds: Sequence[Kind], demand: Array) -> tuple[Any, Array]:
    """Rows of demand, then of what runs within what has arrived; A v ≥ lower."""
    from scipy import sparse

    months, count = len(demand), len(kinds)
    month = np.arange(months)
    eye = sparse.identity(months, format="csr")
    carried = [kind.load * eye for kind in kinds]
    nothing = sparse.csr_matrix((months, months))
    rows = [sparse.hstack([*[nothing] * count, *carried, *carried])]
    for number, kind in enumerate(kinds):
        age = month[:, None] - month[None, :] - kind.delivery_months
        there = sparse.csr_matrix(((age >= 0) & (age < kind.life_months)).astype(float))
        blocks = [nothing] * (3 * count)
        blocks[number], blocks[count + number] = there, -eye
        rows.append(sparse.hstack(blocks))
    return sparse.vstack(rows).tocsr(), np.concatenate([demand, np.zeros(count * months)])


def _solve(cost: Array, upper: Array, rows: Any, lower: Array) -> Array | None:
    from scipy.optimize import Bounds, LinearConstraint, milp

    found = milp(
        cost,
        constraints=LinearConstraint(rows, lb=lower),
        bounds=Bounds(0, upper),
        integrality=np.ones(len(cost)),
        options={"mip_rel_gap": RELATIVE_GAP, "time_limit": TIME_LIMIT_S},
    )
    return None if found.x is None else np.asarray(found.x)
