"""The cheapest supply of a load that varies: owned, committed, on-demand and Spot capacity, as one linear programme.

Every option has a fixed cost per unit and year, paid whether used or not, and a variable cost per unit and
hour of use. Without further rules the answer is the classical screening curve: commit up to the load that
is exceeded for a share of hours equal to the ratio of the prices.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import Any

import numpy as np
from numpy.typing import ArrayLike, NDArray

from planner.errors import Message, WorkloadError

Array = NDArray[np.float64]
Index = NDArray[np.int64]

MOST_LEVELS = 200  # distinct loads; more are rounded up, so that nothing is promised too cheaply
RELATIVE_GAP = 1e-4  # of the whole-unit programme
TIME_LIMIT_S = 20.0


@dataclass(frozen=True)
class Options:
    """Ways to obtain units, as columns of length n.

    Attributes
    ----------
    fixed_usd_per_year : of one unit, used or not [USD/a]
    variable_usd_per_hour : of one unit in use, on top [USD/h]
    availability : share of a unit that can be counted on [-]
    size : load that one unit carries, in units of the demand [-]
    quota : most units [-]; infinite where nothing limits
    firm : does not vanish as Spot does [bool]
    """

    fixed_usd_per_year: Array
    variable_usd_per_hour: Array
    availability: Array
    size: Array
    quota: Array
    firm: NDArray[np.bool_]

    def __len__(self) -> int:
        return len(self.fixed_usd_per_year)


@dataclass(frozen=True)
class Levels:
    """Distinct loads of a year, with the hours that each lasts.

    Attributes
    ----------
    demand, firm : load, and the part of it that must be firm [-]
    hours : per year [h/a]
    """

    demand: Array
    firm: Array
    hours: Array


@dataclass(frozen=True)
class Mix:
    """The cheapest supply.

    Attributes
    ----------
    units : of each option, shape (n,) [-]
    served : load that each option carries at each level, shape (n, levels) [-]
    usd_per_year : everything [USD/a]
    """

    units: Array
    served: Array
    usd_per_year: float


@dataclass(frozen=True)
class ShadowPrices:
    """What a little more of a limit is worth, in the programme with shares of units.

    Attributes
    ----------
    quota : saved by one more unit of each option, shape (n,); 0 where no quota binds [USD/a]
    firm : saved if one unit of load, all year, need not be firm [USD/a]
    peak : saved if the highest load were one unit less [USD/a]
    """

    quota: Array
    firm: float
    peak: float


def levels(demand: ArrayLike, firm: ArrayLike, hours: ArrayLike, most: int = MOST_LEVELS) -> Levels:
    """Distinct pairs of load and firm load, with their hours: the order of hours does not matter to the cost.

    Parameters
    ----------
    demand, firm : array_like, shape (t,)
        Load, and the part of it that must be firm. [-]
    hours : array_like, shape (t,) or a number
        Weight of each. [h/a]
    most : more distinct loads are rounded up to so many steps.

    Raises
    ------
    WorkloadError
        For loads below zero, or firm loads above the load.
    """
    load, base = np.asarray(demand, float), np.asarray(firm, float)
    weight = np.broadcast_to(np.asarray(hours, float), load.shape)
    if not len(load) or not np.isfinite(load).all() or (load < 0).any() or not load.any():
        raise WorkloadError("supply: the load is empty, negative or nowhere above zero.\n  Give a load curve.")
    if (base < 0).any() or (base > load + 1e-9).any():
        raise WorkloadError("supply: the firm part of the load lies between nothing and all of it.")
    if len(np.unique(load)) > most:
        step = load.max() / most
        share = np.divide(base, load, out=np.zeros_like(load), where=load > 0)
        load = np.ceil(np.round(load / step, 9)) * step
        base = np.minimum(np.ceil(np.round(share * load / step, 9)) * step, load)
    pairs, place = np.unique(np.stack([load, base]), axis=1, return_inverse=True)
    return Levels(pairs[0], pairs[1], np.bincount(place.ravel(), weights=weight).astype(float))


def cheapest(options: Options, load: Levels, whole_units: bool = True) -> Mix:
    """Solve the supply mix.

        min  Σ_j F_j x_j + Σ_k h_k Σ_j V_j z_jk
        s.t. Σ_j s_j a_j z_jk ≥ d_k,   Σ_{j firm} s_j a_j z_jk ≥ firm_k,   0 ≤ z_jk ≤ x_j ≤ quota_j

    z are units in use. Units are whole (`scipy.optimize.milp`, HiGHS) unless told otherwise.

    Raises
    ------
    WorkloadError
        If no option is left, or all quotas together do not carry the load.
    """
    _refuse_too_small(options, load)
    values, total = (_whole if whole_units else _relaxed)(options, load)
    count = len(options)
    used = values[count:].reshape(count, len(load.demand))
    units = np.where(options.fixed_usd_per_year > 0, values[:count], used.max(axis=1))
    return Mix(units, (options.size * options.availability)[:, None] * used, total)


def shadow_prices(options: Options, load: Levels) -> ShadowPrices:
    """Solve again with a little more of each limit: the duals of one solution are ambiguous where rows coincide."""
    _, now = _relaxed(options, load)
    quotas = np.zeros(len(options))
    for one in np.flatnonzero(np.isfinite(options.quota)):
        more = options.quota.copy()
        more[one] += 1
        quotas[one] = now - _relaxed(replace(options, quota=more), load)[1]
    looser = replace(load, firm=np.maximum(load.firm - 1, 0))
    top = load.demand.max()
    lower = np.where(load.demand == top, np.maximum(load.demand - 1, 0), load.demand)
    smaller = replace(load, demand=lower, firm=np.minimum(load.firm, lower))
    return ShadowPrices(quotas, now - _relaxed(options, looser)[1], now - _relaxed(options, smaller)[1])


def _refuse_too_small(options: Options, load: Levels) -> None:
    """Quotas that cannot carry the peak: said before the solver says 'infeasible'."""
    if not len(options):
        raise WorkloadError("supply: no option has a price.\n  Give one under [prices], or allow more supply.options.")
    for what, which, need in (
        (Message("load"), np.ones(len(options), bool), load.demand.max()),
        (Message("firm load"), options.firm, load.firm.max()),
    ):
        room = float((options.quota * options.size * options.availability)[which].sum())
        if room < need - 1e-9:
            raise WorkloadError(
                "supply: a {what} of {need:,.6g} replicas is above all quotas together, {room:,.6g} "
                "replicas.\n"
                "  Raise a quota, allow another supply option or region, or plan for less.",
                what=what,
                need=need,
                room=room,
            )


def _constraints(options: Options, load: Levels) -> tuple[Any, Array]:
    """Rows of demand, of firm demand, and of units in use within units held; A v ≥ lower."""
    from scipy import sparse

    count, steps = len(options), len(load.demand)
    carries = options.size * options.availability
    one = sparse.identity(steps, format="csr")
    nothing = sparse.csr_matrix((2 * steps, count))
    demand = sparse.kron(carries[None, :], one)
    firm = sparse.kron((carries * options.firm)[None, :], one)
    held = sparse.kron(sparse.identity(count), np.ones((steps, 1)))
    used = -sparse.identity(count * steps)
    below = sparse.vstack([sparse.hstack([nothing, sparse.vstack([demand, firm])]), sparse.hstack([held, used])])
    return below.tocsr(), np.concatenate([load.demand, load.firm, np.zeros(count * steps)])


def _costs(options: Options, load: Levels) -> Array:
    running = options.variable_usd_per_hour[:, None] * load.hours[None, :]
    return np.concatenate([options.fixed_usd_per_year, running.ravel()])


def _bounds(options: Options, load: Levels) -> Array:
    """Most units: the quota, or what carries the peak alone. Units in use are within units held."""
    alone = np.ceil(load.demand.max() / (options.size * options.availability) - 1e-9)
    most = np.minimum(options.quota, alone)
    return np.concatenate([most, np.full(len(options) * len(load.demand), np.inf)])


def _relaxed(options: Options, load: Levels) -> tuple[Array, float]:
    """Shares of units."""
    from scipy.optimize import linprog

    (rows, lower), upper = _constraints(options, load), _bounds(options, load)
    bounds = np.stack([np.zeros_like(upper), upper], axis=1)
    found = linprog(_costs(options, load), A_ub=-rows, b_ub=-lower, bounds=bounds, method="highs")
    assert found.status == 0, found.message  # feasible as checked, bounded as costs are not negative
    return np.asarray(found.x), float(found.fun)


def _whole(options: Options, load: Levels) -> tuple[Array, float]:
    """Whole units."""
    from scipy.optimize import Bounds, LinearConstraint, milp

    (rows, lower), upper = _constraints(options, load), _bounds(options, load)
    found = milp(
        _costs(options, load),
        constraints=LinearConstraint(rows, lb=lower),
        bounds=Bounds(0, np.floor(upper + 1e-9)),
        integrality=np.ones(len(upper)),
        options={"mip_rel_gap": RELATIVE_GAP, "time_limit": TIME_LIMIT_S},
    )
    if found.x is None:
        raise WorkloadError("supply: no mix of whole units carries the load within the quotas.\n  Raise a quota.")
    return np.round(found.x), float(found.fun)


def screening_curve(
    fixed_usd_per_year: ArrayLike, variable_usd_per_hour: ArrayLike, load: ArrayLike, hours: float
) -> Array:
    """Units of each option by the closed solution: no quota, no firm rule, all units alike and always there. [-]

    The option that costs least at `h` hours of use a year carries the slice of load that is needed for `h` hours.

    Parameters
    ----------
    fixed_usd_per_year, variable_usd_per_hour : shape (n,).
    load : load in each hour, shape (t,), whole units. [-]
    hours : weight of each hour. [h/a]

    References
    ----------
    .. [1] Stoft, "Power System Economics", IEEE 2002, part 2-4: screening curves.

    Examples
    --------
    Committed for 4 of a possible 8 hours' price: what is needed for four hours or more is committed.

    >>> screening_curve([4, 0], [0, 1], [1, 1, 2, 2, 3, 3, 3, 3], 1).tolist()
    [3.0, 0.0]
    >>> screening_curve([4, 0], [0, 1], [1, 1, 2, 2, 2, 2, 2, 3], 1).tolist()
    [2.0, 1.0]
    """
    fixed, variable = np.asarray(fixed_usd_per_year, float), np.asarray(variable_usd_per_hour, float)
    demand = np.asarray(load, float)
    units = np.zeros(len(fixed))
    for slice_ in range(int(demand.max())):
        used = float((demand > slice_).sum()) * hours
        units[int(np.argmin(fixed + variable * used))] += 1
    return units
