"""Cash month by month: what is paid when, what that is worth today, and when one way overtakes another."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from planner.units import HOURS_PER_YEAR

Array = NDArray[np.float64]


def payments_usd(capital_usd: float, residual_usd: float, monthly_usd: float, years: float) -> Array:
    """Payments from today to the end of the horizon, shape (months + 1,): positive is paid, negative received. [USD]

    Examples
    --------
    >>> payments_usd(100, 20, 5, 0.25).tolist()
    [100.0, 5.0, 5.0, -15.0]
    """
    paid = np.full(months_of(years) + 1, float(monthly_usd))
    paid[0] = capital_usd
    paid[-1] -= residual_usd
    return paid


def months_of(years: float) -> int:
    """Whole months of a horizon, one at least."""
    return max(round(years * 12), 1)


def present_usd(paid_usd: Array, discount_rate: float) -> float:
    """What payments at the end of each month are worth today. [USD]"""
    months = np.arange(len(paid_usd))
    return float(np.sum(paid_usd * (1 + discount_rate) ** (-months / 12)))


def tax_shield_usd(
    capital_usd: float, residual_usd: float, monthly_usd: float, years: float, tax_rate: float, method: str
) -> Array:
    """Tax that deductions save in each month, shape (months + 1,), positive is saved. [USD]

    Running costs are deducted when they are paid. The purchase is written off in equal yearly parts
    (`straight_line`), or at twice that rate of what is left until equal parts of the rest are larger
    (`declining_balance`); a sale above or below the book value is taxed by `residual_usd` being that value.
    """
    months = months_of(years)
    whole = np.full(months + 1, float(monthly_usd))
    whole[0] = 0.0
    whole[1:] += write_off_usd(capital_usd, residual_usd, months, method)
    return np.asarray(tax_rate * whole)


def write_off_usd(cost_usd: float, residual_usd: float, months: int, method: str) -> Array:
    """Book depreciation by month, shape (months,); together cost less residual. [USD]

    Examples
    --------
    >>> write_off_usd(130, 10, 12, "straight_line").tolist()[:2]
    [10.0, 10.0]
    """
    if method == "straight_line":
        return np.full(months, (cost_usd - residual_usd) / months)
    left, parts = cost_usd, []
    for month in range(months):
        part = min(max(2 * left / months, (left - residual_usd) / (months - month)), left - residual_usd)
        parts.append(part)
        left -= part
    return np.array(parts)


def crossover_month(first_usd: Array, second_usd: Array) -> float | None:
    """Month at which the first way's payments together fall below the second's; None if they never do. [month]

    Parameters
    ----------
    first_usd, second_usd : payments by month, equal length; the first begins with more. [USD]

    Examples
    --------
    A purchase of 100 and 5 a month against a rent of 25: even after five months

    >>> crossover_month(payments_usd(100, 0, 5, 1), payments_usd(0, 0, 25, 1))
    5.0
    """
    lead = np.cumsum(first_usd) - np.cumsum(second_usd)
    if lead[0] <= 0:
        return 0.0
    below = np.flatnonzero(lead <= 0)
    if not len(below):
        return None
    at = int(below[0])
    return at - 1 + float(lead[at - 1] / (lead[at - 1] - lead[at]))


def yearly_energy_j(facility_w: Array, step_hours: Array) -> float:
    """Energy of a year that repeats a recorded span of power. [J]

    Parameters
    ----------
    facility_w, step_hours : power and length of each step, shape (n,). [W], [h]
    """
    mean_w = float(np.sum(facility_w * step_hours) / np.sum(step_hours))
    return mean_w * HOURS_PER_YEAR * 3600
