"""Scalars of calibration.csv that `planner measure` determines, fitted with the planner's own operators.

Each group of measurements is predicted by the very function that the planner plans with, on a
shape of one operator; least squares on logarithms over all sizes gives the scalars. Power is read
and reported but not fitted: under full loads a board stands at its limit, which tells no shares.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray
from scipy.optimize import least_squares

from planner.calibration import single
from planner.calibration.measured import DTYPE
from planner.catalog import Catalog
from planner.errors import Message, MissingFact
from planner.schema import Accelerator, Measured

Array = NDArray[np.float64]
Key = tuple[str, str]
Values = dict[Key, float]

ERROR_SCALE = 0.1  # log error beyond which a measurement counts less (soft L1)
NOISE = 0.02  # log error that even a perfect model keeps: kernels repeat to about so much
LARGEST_DOUBT = 0.25  # standard error of a scalar, as a share of it, above which it counts as not measured
BEFOREHAND = 1.0  # log: without measurements a scalar is known within a factor of e of where the search starts
FITTED_PRECISIONS = ("bf16", "fp8", "int8")  # not `fp8-block`: it stands in the table of what was reached
GEMM = ("gemm_memory_efficiency", "gemm_compute_efficiency")
EXPERTS = ("moe_memory_efficiency", "moe_compute_efficiency")
PREFILL = ("prefill_attention_efficiency", "prefill_attention_half_tokens")
COLLECTIVE = ("collective_latency_s", "collective_efficiency")
FLOORS = 20  # launch floors that reading a matrix must outlast: the model keeps launches apart, per layer
# Where the search starts; what no measurement tells keeps this value inside the fit and is not returned.
STARTS = {
    "gemm_extra_rows": 50.0,
    "moe_extra_rows": 20.0,
    "prefill_attention_half_tokens": 500.0,
    "collective_latency_s": 1e-5,
}
START = 0.6


@dataclass(frozen=True)
class Ceiling:
    """A scalar of calibration.csv as one device shows it; SI.

    Attributes
    ----------
    low, high : its extent over parts of the measurements alone (one matrix, one number of
        heads); None unless two parts tell it
    n : measurements that tell it
    """

    name: str
    scope: str
    value: float
    low: float | None
    high: float | None
    n: int


@dataclass(frozen=True)
class Group:
    """Measurements that share scalars: what they are, what predicts them and what splits them."""

    rows: Sequence[Any]
    keys: Sequence[Key]
    predict: Callable[[Mapping[Key, float], Sequence[Any]], Array]
    part: Callable[[Any], object]


def ceilings(measured: Measured, accelerator: Accelerator) -> tuple[Ceiling, ...]:
    """What a file of `planner measure` says about the scalars of the model.

    Parameters
    ----------
    measured : one run of `planner measure`
    accelerator : catalog row of the measured device, whose datasheet figures the shares refer to

    Returns
    -------
    tuple of Ceiling
        Only scalars that the measurements determine: no default stands in for a missing one.

    Raises
    ------
    MissingFact
        If that row has no bandwidth or no bf16 peak.
    """
    for field, figure in (
        ("bandwidth_bytes_per_s", accelerator.bandwidth_bytes_per_s),
        ("peak_flops_per_s.bf16", accelerator.peak_flops_per_s.get("bf16")),
    ):
        if figure is None:
            raise MissingFact(
                accelerator.name, field, Message("calibration"), Message("Add it to accelerators.toml with its source.")
            )
    return tuple(found for group in _groups(measured, accelerator) for found in _fit(group))


def known_values(found: Sequence[Ceiling], catalog: Catalog, accelerator_id: str) -> Values:
    """Values for `Catalog.calibrated`: scalars that calibration.csv has a row for, as Hopper would show them."""
    known = [c for c in found if (c.name, c.scope) in catalog.calibration]
    return {(c.name, c.scope): c.value / catalog.kernel_ratio(c.name, c.scope, accelerator_id) for c in known}


def _groups(measured: Measured, accelerator: Accelerator) -> Iterator[Group]:
    peaks = accelerator.peak_flops_per_s
    place = single.place(accelerator)
    gemms = [g for g in measured.gemms if g.precision in FITTED_PRECISIONS and DTYPE[g.precision] in peaks]
    gemms = [g for g in gemms if single.read_s(place, g) >= FLOORS * _floor_s(measured)]
    precisions = [p for p in FITTED_PRECISIONS if any(g.precision == p for g in gemms)]
    keys = [(name, p) for p in precisions for name in GEMM]
    yield Group(gemms, [*keys, ("gemm_extra_rows", "")], single.gemms_s(place, accelerator), _matrix)
    experts = [g for g in measured.grouped_gemms if DTYPE[g.precision] in peaks]
    keys = [(name, single.expert_scope(p)) for p in dict.fromkeys(g.precision for g in experts) for name in EXPERTS]
    yield Group(experts, [*keys, ("moe_extra_rows", "")], single.experts_s(place, accelerator), _matrix)
    yield Group(measured.decode_attention, [("kv_memory_efficiency", "")], single.decode_s(place), _heads)
    yield Group(measured.prefill_attention, [(name, "") for name in PREFILL], single.prefill_s(place), _heads)
    scopes = dict.fromkeys(single.link_scope(accelerator, r.ranks) for r in measured.all_reduces)
    for scope in scopes:
        reduces = [r for r in measured.all_reduces if single.link_scope(accelerator, r.ranks) == scope]
        yield Group(reduces, [(n, scope) for n in COLLECTIVE], single.all_reduces_s(accelerator), lambda r: r.ranks)


def _floor_s(measured: Measured) -> float:
    return min((launch.time_s for launch in measured.launches if launch.way == "graph"), default=0.0)


def _matrix(row: Any) -> object:
    return row.n, row.k


def _heads(row: Any) -> object:
    return row.query_heads, row.kv_heads, row.head_dim


def _fit(group: Group) -> Iterator[Ceiling]:
    """Scalars of a group with their extent over its parts."""
    values, told = _solve(group, group.rows)
    parts = list(dict.fromkeys(map(group.part, group.rows)))
    alone = [_solve(group, [r for r in group.rows if group.part(r) == part]) for part in parts]
    for key in group.keys:
        if not told[key]:
            continue
        seen = [found[key] for found, tells in alone if tells[key]]
        low, high = (min(*seen, values[key]), max(*seen, values[key])) if len(seen) > 1 else (None, None)
        yield Ceiling(*key, values[key], low, high, told[key])


def _solve(group: Group, rows: Sequence[Any]) -> tuple[Values, dict[Key, int]]:
    """Best values, and how many measurements tell each: none where there are fewer than scalars."""
    keys = group.keys
    start = np.array([STARTS.get(name, START) for name, _ in keys])
    if len(rows) < len(keys):
        return {}, dict.fromkeys(keys, 0)
    value = np.log([row.time_s for row in rows])

    def error(steps: Array) -> Array:
        scalars = dict(zip(keys, start * np.exp(steps), strict=True))
        return np.asarray(np.log(group.predict(scalars, rows)) - value)

    found = least_squares(error, np.zeros(len(keys)), loss="soft_l1", f_scale=ERROR_SCALE)
    values = {key: float(v) for key, v in zip(keys, start * np.exp(found.x), strict=True)}
    return values, _told(keys, error, found.x)


def _told(keys: Sequence[Key], error: Callable[[Array], Array], at: Array) -> dict[Key, int]:
    """Measurements that move with each scalar; none where together they leave it in doubt."""
    small, here = 1e-3, error(at)
    effect = np.array([error(at + small * one) - here for one in np.eye(len(keys))]) / small
    noise = max(1.5 * float(np.median(np.abs(here))), NOISE)  # 1.5 medians: a standard deviation, outliers aside
    known = effect @ effect.T / noise**2 + np.eye(len(keys)) / BEFOREHAND**2
    doubt = np.sqrt(np.diag(np.linalg.inv(known)))
    moved = (np.abs(effect) >= np.abs(effect).max(axis=1, keepdims=True) / 2).sum(axis=1)
    return {key: int(n) if d <= LARGEST_DOUBT else 0 for key, n, d in zip(keys, moved, doubt, strict=True)}
