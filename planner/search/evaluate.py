"""Candidate columns to metric columns: the curve of every layout, and the point it runs at."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from planner.models import serving
from planner.models.layouts import take
from planner.models.operators import Efficiency
from planner.models.roots import rising_root
from planner.models.serving import Lengths, Point, Server
from planner.schema import Slo
from planner.search.columns import Array, Index

BATCHES = np.array([0.01, 0.1, 1, 2, 4, 8, 16, 32, 64, 128, 256, 512, 1024])
MOST = len(BATCHES) - 1
STEPS = (8, 4, 2, 1)  # that find the last batch within the promise: each heavier one breaks it, too
HALVINGS = 5  # of the ratio between two neighbouring batches once the right pair is known: 2 % of a batch
LEAST_SEQUENCES = 1e-3
MAX_PREFILL_UTILISATION = 0.95  # beyond it waiting times are not predictable


CAPACITY_COLUMNS = ("sequences", "rate_per_s", "best_ttft_s", "best_tpot_s")


@dataclass(frozen=True)
class Promise:
    """Percentiles of one operating point, and which part of the promise it breaks."""

    ttft_p99_s: Array
    tpot_p99_s: Array
    kept: NDArray[np.bool_]


@dataclass(frozen=True)
class Capacity:
    """The largest load at which each layout keeps the promise; 0 where it never does.

    Attributes
    ----------
    sequences, rate_per_s : running sequences and request rate at that load
    best_ttft_s, best_tpot_s : percentiles at the lightest load, to say why it never does [s]
    points : operating points evaluated
    """

    sequences: Array
    rate_per_s: Array
    best_ttft_s: Array
    best_tpot_s: Array
    points: int


Looks = Callable[[Array], tuple[Point, Promise]]  # batches to the operating point and the promise there


def find_capacity(server: Server, eff: Efficiency, slo: Slo, max_sequences: Array, closed: bool) -> Capacity:
    """Find the heaviest of some batches that keeps the promise, then halve the way to the next.

    Parameters
    ----------
    closed : a fixed number of users, so that running sequences do not fluctuate
    """

    def among(some: Server, scalars: Efficiency, room: Array) -> Looks:
        return lambda batches: curve(some, scalars, slo, batches, room, closed)

    count = len(max_sequences)
    point, lightest = among(server, eff, max_sequences)(np.full(count, BATCHES[0]))
    ever, sequences, rate_per_s = np.flatnonzero(lightest.kept), np.zeros(count), np.zeros(count)
    kept = among(take(server, ever), take(eff, ever), max_sequences[ever])
    sequences[ever], rate_per_s[ever] = _heaviest(kept, point.rate_per_s[ever])
    looks = count + len(ever) * (len(STEPS) + HALVINGS)
    best = lightest.ttft_p99_s, lightest.tpot_p99_s
    return Capacity(sequences, rate_per_s, *best, points=looks * (1 if closed else 2))


def _heaviest(at: Looks, rate: Array) -> tuple[Array, Array]:
    """The heaviest batches that keep the promise, where the lightest does with the given rate; and their rates."""
    last = np.zeros(len(rate), np.int64)
    for step in STEPS:
        point, promise = at(BATCHES[np.minimum(last + step, MOST)])
        further = promise.kept & (last + step <= MOST)
        last, rate = np.where(further, last + step, last), np.where(further, point.rate_per_s, rate)
    low, high = BATCHES[last], BATCHES[np.minimum(last + 1, MOST)]
    for _ in range(HALVINGS):
        middle = np.sqrt(low * high)
        point, promise = at(middle)
        low, high = np.where(promise.kept, middle, low), np.where(promise.kept, high, middle)
        rate = np.where(promise.kept, point.rate_per_s, rate)
    return low, rate


def curve(
    server: Server, eff: Efficiency, slo: Slo, batches: Array, max_sequences: Array, closed: bool
) -> tuple[Point, Promise]:
    """Operating points at batches, all columns alike or broadcastable, and the promise there."""
    point = server.at(batches)
    if closed:
        return point, judge(point, point.tpot_s, batches, eff, server.lengths, slo, max_sequences)
    crowd = serving.crowded(batches)
    return point, judge(point, server.at(crowd).tpot_s, crowd, eff, server.lengths, slo, max_sequences)


def judge(
    point: Point,
    tpot_p99_s: Array,
    crowd: Array,
    eff: Efficiency,
    lengths: Lengths,
    slo: Slo,
    max_sequences: Array,
) -> Promise:
    """Compare percentiles with the promise; running sequences must fit the caches."""
    ttft = serving.p99_ttft_s(point, eff, lengths)
    steady = (tpot_p99_s <= slo.tpot_p99_s) | (lengths.output_tokens <= 1)  # one token has no time per further token
    kept = (ttft <= slo.ttft_p99_s) & steady & (crowd <= np.maximum(max_sequences, 0))
    kept &= point.prefill_utilisation <= MAX_PREFILL_UTILISATION
    if slo.e2e_p99_s is not None:
        kept &= ttft + lengths.output_tokens * tpot_p99_s <= slo.e2e_p99_s
    return Promise(ttft, tpot_p99_s, np.asarray(kept))


def running_sequences(server: Server, rate_per_s: Array, most: Array) -> Array:
    """Mean running sequences at a request rate, shape (n,): the root of the rising rate(B) curve in logarithms. [-]

    No more than `most`. By Little's law B = rate · output · TPOT(B), and TPOT never falls as B rises: at no load and
    at the most it bounds B on both sides.
    """

    def beyond(log_sequences: Array, rows: Index) -> Array:
        asked = server if len(rows) == len(most) else take(server, rows)
        point = asked.at(np.exp(log_sequences))
        return np.log(point.rate_per_s / rate_per_s[rows])

    most, tokens_per_s = np.maximum(most, LEAST_SEQUENCES), rate_per_s * server.lengths.output_tokens
    high = np.minimum(tokens_per_s * server.at(most).tpot_s, most)
    low = np.minimum(tokens_per_s * server.at(np.zeros_like(most)).tpot_s, high)
    return np.exp(rising_root(beyond, np.log(low), np.log(high)))
