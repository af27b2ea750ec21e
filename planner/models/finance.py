"""Money over time."""

from __future__ import annotations

import numpy as np
from numpy.typing import ArrayLike, NDArray

from planner.units import HOURS_PER_MONTH, HOURS_PER_YEAR

Array = NDArray[np.float64]


def annuity_usd(cost_usd: ArrayLike, residual_usd: ArrayLike, years: float, discount_rate: float) -> Array:
    """Yearly payment that recovers a purchase: the capital-recovery factor. [USD/a]

    Parameters
    ----------
    cost_usd, residual_usd : price today and value left after `years`. [USD]
    discount_rate : per year, 0 for straight line. [1/a]

    Examples
    --------
    >>> round(float(annuity_usd(300_000, 60_000, 4, 0.08)))
    77261
    >>> float(annuity_usd(300_000, 60_000, 4, 0.0))
    60000.0
    """
    cost, residual = np.asarray(cost_usd, float), np.asarray(residual_usd, float)
    if discount_rate == 0:
        return np.asarray((cost - residual) / years)
    left = residual / (1 + discount_rate) ** years
    # 1 - (1 + r)^-n without losing digits at small r
    return np.asarray((cost - left) * discount_rate / -np.expm1(-years * np.log1p(discount_rate)))


def capital_recovery(years: ArrayLike, discount_rate: ArrayLike) -> Array:
    """Yearly payment per dollar of a purchase, without a residual: `annuity_usd` for columns of years and rates. [1/a]

    Examples
    --------
    >>> capital_recovery([4, 4], [0.08, 0.0]).round(6).tolist()
    [0.301921, 0.25]
    """
    n, rate = np.broadcast_arrays(np.asarray(years, float), np.asarray(discount_rate, float))
    safe = np.where(rate == 0, 1.0, rate)
    return np.where(rate == 0, 1 / n, safe / -np.expm1(-n * np.log1p(safe)))


def npv_usd(cash_now_usd: ArrayLike, monthly_usd: ArrayLike, years: float, discount_rate: float) -> Array:
    """Present cost of a purchase today and payments at the end of each month. [USD]

    Examples
    --------
    >>> float(npv_usd(0, 100, 1, 0.0))
    1200.0
    """
    months = np.arange(1, max(round(years * 12), 1) + 1)
    factor = float(np.sum((1 + discount_rate) ** (-months / 12)))
    return np.asarray(np.asarray(cash_now_usd, float) + np.asarray(monthly_usd, float) * factor)


def energy_usd_per_month(facility_w: ArrayLike, usd_per_kwh: float) -> Array:
    """Energy of a mean facility power over a month. [USD]"""
    return np.asarray(np.asarray(facility_w, float) / 1e3 * HOURS_PER_MONTH * usd_per_kwh)


def colocation_usd_per_month(provisioned_w: ArrayLike, usd_per_kw_month: float) -> Array:
    """Space and cooling, paid for provisioned IT power. [USD]"""
    return np.asarray(np.asarray(provisioned_w, float) / 1e3 * usd_per_kw_month)


def usd_per_million_tokens(usd_per_month: ArrayLike, tokens_per_s: ArrayLike) -> Array:
    """Unit cost at the rate that is really served. [USD/1e6 tokens]"""
    tokens = np.asarray(tokens_per_s, float) * HOURS_PER_YEAR / 12 * 3600
    return np.asarray(np.asarray(usd_per_month, float) / tokens * 1e6)
