"""Uncertain inputs as draws: distributions, Sobol points, percentiles, regret, tornado, Sobol indices."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Literal

import numpy as np
from numpy.typing import ArrayLike, NDArray

from planner.errors import WorkloadError

Array = NDArray[np.float64]
Shape = Literal["pert", "triangular", "uniform", "lognormal"]
SHAPES: tuple[Shape, ...] = ("pert", "triangular", "uniform", "lognormal")

Z90 = 1.2815515655446004  # standard normal quantile of 0.9
EDGE = 1e-9  # Sobol points may be 0, where a lognormal has no value


@dataclass(frozen=True)
class Uncertain:
    """One uncertain number.

    Attributes
    ----------
    low, mid, high : least, likeliest, most; of a lognormal its 10th, 50th and 90th percentile [any]
    group : inputs of one group move together: they share a draw
    """

    name: str
    low: float
    mid: float
    high: float
    shape: Shape = "pert"
    group: str = ""

    @property
    def column(self) -> str:
        """Which draw it takes."""
        return self.group or self.name


def check(one: Uncertain) -> None:
    """Refuse what is no range.

    Raises
    ------
    WorkloadError
    """
    numbers = (one.low, one.mid, one.high)
    if one.shape not in SHAPES:
        raise WorkloadError(
            "{name}: no distribution {shape!r}.\n  Give one of {allowed}.",
            name=one.name,
            shape=one.shape,
            allowed=", ".join(SHAPES),
        )
    if not np.isfinite(numbers).all() or not one.low <= one.mid <= one.high:
        raise WorkloadError(
            "{name}: low {low:g}, mid {mid:g}, high {high:g} are not in order.\n"
            "  Give LOW,MID,HIGH with LOW <= MID <= HIGH.",
            name=one.name,
            low=one.low,
            mid=one.mid,
            high=one.high,
        )
    if one.shape == "lognormal" and one.low <= 0:
        raise WorkloadError(
            "{name}: a lognormal is above 0, but low is {low:g}.\n  Choose another distribution.",
            name=one.name,
            low=one.low,
        )


def quantile(one: Uncertain, probability: ArrayLike) -> Array:
    """Value of an uncertain number at a probability.

    References
    ----------
    .. [1] Malcolm et al., "Application of a technique for research and development program evaluation",
       Operations Research 7 (1959): PERT-beta, mean (low + 4 mid + high) / 6.

    Examples
    --------
    >>> quantile(Uncertain("x", 0, 5, 10), [0.5]).round(6).tolist()
    [5.0]
    >>> quantile(Uncertain("x", 1, 2, 4, "lognormal"), [0.1, 0.5, 0.9]).round(6).tolist()
    [1.0, 2.0, 4.0]
    """
    p = np.asarray(probability, float)
    width = one.high - one.low
    if width == 0:
        return np.full_like(p, one.mid)
    if one.shape == "lognormal":
        return _two_piece_lognormal(one, np.clip(p, EDGE, 1 - EDGE))
    if one.shape == "uniform":
        return np.asarray(one.low + width * p)
    peak = (one.mid - one.low) / width
    if one.shape == "triangular":
        rising = one.low + np.sqrt(p * width * (one.mid - one.low))
        return np.where(p < peak, rising, one.high - np.sqrt((1 - p) * width * (one.high - one.mid)))
    from scipy.special import betaincinv

    return np.asarray(one.low + width * betaincinv(1 + 4 * peak, 1 + 4 * (1 - peak), p))


def _two_piece_lognormal(one: Uncertain, p: Array) -> Array:
    """Median and both percentiles are met: below and above the median with widths of their own."""
    from scipy.special import ndtri

    z = ndtri(p)
    down, up = np.log(one.mid / one.low) / Z90, np.log(one.high / one.mid) / Z90
    return np.asarray(one.mid * np.exp(np.where(z < 0, down, up) * z))


def draws(inputs: Sequence[Uncertain], count: int, seed: int) -> dict[str, Array]:
    """Scrambled Sobol points through the distributions: a column of length `count` for each input.

    Parameters
    ----------
    count : a power of two, so that the points stay balanced. [-]

    Raises
    ------
    WorkloadError
        For no power of two, or ranges that are none.
    """
    from scipy.stats import qmc

    if count < 2 or count & (count - 1) or count > 2**20:
        raise WorkloadError("--draws {count}: give a power of two up to 1,048,576, such as 8192.", count=count)
    for one in inputs:
        check(one)
    columns = list(dict.fromkeys(one.column for one in inputs))
    if not columns:
        return {}
    points = qmc.Sobol(len(columns), scramble=True, rng=np.random.default_rng(seed)).random(count)
    return {one.name: quantile(one, points[:, columns.index(one.column)]) for one in inputs}


def percentiles(values: ArrayLike) -> tuple[float, float, float]:
    """10th, 50th and 90th percentile, each one of the values, as some may be infinite."""
    low, mid, high = np.quantile(np.asarray(values, float), (0.1, 0.5, 0.9), method="inverted_cdf")
    return float(low), float(mid), float(high)


def regret(costs: ArrayLike, lost: ArrayLike | None = None) -> Array:
    """Cost of each plan over the cheapest in the same draw, shape (plans, draws that some plan can meet).

    Parameters
    ----------
    costs : infinite where a plan cannot meet a draw, shape (plans, draws)
    lost : what was paid for a plan that cannot: it is lost, and the cheapest of the draw is bought on top

    Examples
    --------
    >>> regret([[3.0, 5.0], [4.0, 1.0]]).tolist()
    [[0.0, 4.0], [1.0, 0.0]]

    In the second draw the first plan fails: its 3 are lost.

    >>> regret([[3.0, np.inf], [4.0, 5.0]], [[3.0, 3.0], [4.0, 4.0]]).tolist()
    [[0.0, 3.0], [1.0, 0.0]]
    """
    values = np.asarray(costs, float)
    can = np.isfinite(values).any(axis=0)
    best = values[:, can].min(axis=0) if can.any() else np.zeros(0)
    over = values[:, can] - best
    return np.asarray(over if lost is None else np.where(np.isfinite(over), over, np.asarray(lost, float)[:, can]))


def beats(costs: ArrayLike) -> Array:
    """Share of draws in which plan i costs less than plan j, shape (plans, plans); half of a tie.

    Examples
    --------
    >>> beats([[3.0, 5.0], [4.0, 1.0]]).tolist()
    [[0.5, 0.5], [0.5, 0.5]]
    """
    values = np.asarray(costs, float)
    less = (values[:, None, :] < values[None, :, :]).mean(axis=2)
    same = (values[:, None, :] == values[None, :, :]).mean(axis=2)
    return np.asarray(less + same / 2)


def tornado(
    inputs: Sequence[Uncertain], outcome: Callable[[Mapping[str, Array]], Array]
) -> list[tuple[Uncertain, float, float]]:
    """Outcome with each input at low and at high, the others at mid; the widest first.

    Inputs of a group stay at mid while one of them moves.

    Parameters
    ----------
    outcome : columns of inputs to a column of outcomes.
    """
    count = 2 * len(inputs)
    columns = {one.name: np.full(count, one.mid) for one in inputs}
    for number, one in enumerate(inputs):
        columns[one.name][2 * number : 2 * number + 2] = one.low, one.high
    values = outcome(columns) if inputs else np.zeros(0)
    bars = [(one, float(values[2 * n]), float(values[2 * n + 1])) for n, one in enumerate(inputs)]
    return sorted(bars, key=lambda bar: -_width(bar[1], bar[2]))


def _width(low: float, high: float) -> float:
    """Difference; none between two infinite ends."""
    return 0.0 if low == high else abs(high - low)


def sobol_indices(
    inputs: Sequence[Uncertain], outcome: Callable[[Mapping[str, Array]], Array], count: int, seed: int
) -> dict[str, tuple[float, float]]:
    """First-order and total share of the outcome's variance by draw (inputs of one group share one).

    References
    ----------
    .. [1] Saltelli et al., "Variance based sensitivity analysis of model output", CPC 181 (2010);
       `scipy.stats.sobol_indices`.

    Returns
    -------
    dict
        (first, total) by input or group; empty where the outcome does not vary.
    """
    from scipy import stats

    columns = list(dict.fromkeys(one.column for one in inputs))
    if not columns:
        return {}

    def model(points: Array) -> Array:
        flat = points.reshape(len(columns), -1)
        values = outcome({one.name: quantile(one, flat[columns.index(one.column)]) for one in inputs})
        return values.reshape(1, *points.shape[1:])

    uniform = [stats.uniform()] * len(columns)
    probe = model(np.random.default_rng(seed).random((len(columns), 256)))
    if np.ptp(probe) <= 1e-12 * max(abs(float(probe.max())), 1e-300):
        return {}
    found = stats.sobol_indices(func=model, n=count, dists=uniform, rng=np.random.default_rng(seed))
    pairs = zip(columns, np.ravel(found.first_order), np.ravel(found.total_order), strict=True)
    return {name: (float(first), float(total)) for name, first, total in pairs}
