"""Cost of a token and of a request, and the load at which two ways cost the same."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from planner.units import SECONDS_PER_MONTH

Array = NDArray[np.float64]


@dataclass(frozen=True)
class Tokens:
    """What one request is made of, and how much of a full replica's time its prompt takes.

    Attributes
    ----------
    input, output : tokens per request [token]
    prompt_share : [-]
    """

    input: float
    output: float
    prompt_share: float


def unit_costs_usd(usd_per_month: float, requests_per_s: float, tokens: Tokens) -> tuple[float, float, float, float]:
    """Cost of a request, of a million output tokens, and of a million input and output tokens when they share.

    Notes
    -----
    The share of prompts is that of the replica's time when it is full: what one more prompt would displace.

    Examples
    --------
    26,298 USD a month at 1 request/s, 2,000 in, 1,000 out, prompts a fifth of the time: 1 cent a request

    >>> [round(x, 9) for x in unit_costs_usd(26_298, 1.0, Tokens(2000, 1000, 0.2))]
    [0.01, 10.0, 1.0, 8.0]
    """
    request = usd_per_month / (requests_per_s * SECONDS_PER_MONTH)
    return (
        request,
        request / tokens.output * 1e6,
        request * tokens.prompt_share / tokens.input * 1e6,
        request * (1 - tokens.prompt_share) / tokens.output * 1e6,
    )


def api_request_usd(
    tokens: Tokens, cached_share: float, input_usd: float, output_usd: float, cached_usd: float | None
) -> float:
    """Price of a request at an API's prices per million tokens; without a cached price, all input is uncached. [USD]

    Examples
    --------
    >>> round(api_request_usd(Tokens(2000, 1000, 0.2), 0.5, 0.55, 2.19, 0.14) * 1e6)
    2880
    """
    cached = input_usd if cached_usd is None else cached_usd
    prompt = tokens.input * ((1 - cached_share) * input_usd + cached_share * cached)
    return (prompt + tokens.output * output_usd) / 1e6


def load_weighted(prices: Array, factors: Array) -> float:
    """Mean price of requests that come at `factors` of the mean rate, equal steps, shapes (n,)."""
    if (prices == prices[0]).all():
        return float(prices[0])
    return float(np.sum(prices * factors) / np.sum(factors))


def in_window(hours: Array, begin_h: float, end_h: float) -> NDArray[np.bool_]:
    """Hours of the day inside a window, which may pass midnight.

    Examples
    --------
    >>> in_window(np.array([0.0, 12.0, 23.0]), 22.0, 1.0).tolist()
    [True, False, True]
    """
    if begin_h <= end_h:
        return np.asarray((hours >= begin_h) & (hours < end_h))
    return np.asarray((hours >= begin_h) | (hours < end_h))


def break_even_per_s(
    fixed_usd_per_month: float, usd_per_request: float, own_usd_per_request: float, most_per_s: float
) -> float | None:
    """Request rate at which a fleet of fixed cost is as cheap as paying by request; None beyond what it holds. [1/s]

    Parameters
    ----------
    own_usd_per_request : what a further request costs the owner, its energy. [USD]
    most_per_s : what the fleet holds. [1/s]

    Examples
    --------
    26,298 USD a month against 1 cent a request: one request a second

    >>> break_even_per_s(26_298, 0.01, 0.0, 5.0)
    1.0
    """
    saved = usd_per_request - own_usd_per_request
    if saved <= 0:
        return None
    rate = fixed_usd_per_month / (saved * SECONDS_PER_MONTH)
    return rate if rate <= most_per_s else None


def break_even_load(owned_usd_per_month: float, on_demand_usd_per_month: float) -> float | None:
    """Share of hours for which on-demand capacity may run before the owned costs less; None beyond all of them. [-]

    Examples
    --------
    >>> break_even_load(20_000, 50_000)
    0.4
    """
    share = owned_usd_per_month / on_demand_usd_per_month
    return share if share <= 1 else None
