"""What one layout does at many loads at once: its curves over the batch, read off by interpolation.

A slower step stretches every curve alike: at the same batch the rate falls and times grow by the same
factor, but for the front end's own time. One set of curves therefore serves every draw of that factor;
other prompt and answer lengths blend the curves of the lengths around them.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

Array = NDArray[np.float64]
Index = NDArray[np.int64]
Mask = NDArray[np.bool_]

MAX_PREFILL_UTILISATION = 0.95  # as where plans are sized


@dataclass(frozen=True)
class Curves:
    """Curves of one layout over m rising batches at g pairs of lengths, in natural logarithms, shape (g, m).

    Attributes
    ----------
    sequences, crowd : mean running sequences, and their 99th percentile, shape (m,) [log -]
    rate : requests per second that keep so many running [log 1/s]
    ttft, tpot : 99th percentiles there, without the front end's time [log s]
    prefill : share of time in which a prompt is being computed [log -]
    most : running sequences that the caches hold, shape (g,) [log -]
    """

    sequences: Array
    crowd: Array
    rate: Array
    ttft: Array
    tpot: Array
    prefill: Array
    most: Array


@dataclass(frozen=True)
class Blend:
    """Which pairs of lengths surround each draw, and how much each counts; shapes (corners, n).

    Attributes
    ----------
    roomier : factor on what the caches hold, shape (n,) or a number [log -]
    """

    rows: Index
    weights: Array
    roomier: Array | float = 0.0

    def most(self, curves: Curves) -> Array:
        """Running sequences that the caches hold, shape (n,). [log -]"""
        return self.of(curves.most[:, None], np.zeros(self.rows.shape[1], np.int64)) + self.roomier

    def of(self, table: Array, column: Index) -> Array:
        """Values of a table at one column for each draw, shape (n,)."""
        return np.asarray((self.weights * table[self.rows, column]).sum(axis=0))

    def at(self, table: Array, position: Array) -> Array:
        """Values between columns, shape (n,)."""
        low = np.clip(np.floor(position), 0, table.shape[1] - 2).astype(np.int64)
        share = np.clip(position, 0, table.shape[1] - 1) - low
        return np.asarray(self.of(table, low) * (1 - share) + self.of(table, low + 1) * share)


@dataclass(frozen=True)
class Limits:
    """The promise, and the front end's time that no slower step stretches. [s]"""

    ttft_s: float
    tpot_s: float
    e2e_s: float | None
    ingest_s: float


def crossing(values: Callable[[Index], Array], columns: int, limit: Array) -> Array:
    """Largest position at which rising values stay within a limit, by bisection; -1 where they never do.

    Parameters
    ----------
    values : column of each draw, shape (n,), to its value there; must not fall with the column.
    limit : shape (n,).

    Examples
    --------
    >>> table = np.array([1.0, 2.0, 4.0])
    >>> crossing(lambda at: table[at], 3, np.array([0.5, 1.5, 4.0, 9.0])).tolist()
    [-1.0, 0.5, 2.0, 2.0]
    """
    low, high = np.zeros(len(limit), np.int64), np.full(len(limit), columns)
    for _ in range(columns.bit_length()):
        middle = np.minimum((low + high) // 2, columns - 1)
        within = (values(middle) <= limit) & (low < high)
        low, high = np.where(within, middle + 1, low), np.where(within, high, np.minimum(middle, high))
    at = np.clip(low - 1, 0, columns - 2)
    below, above = values(at), values(at + 1)
    with np.errstate(invalid="ignore", over="ignore"):  # clipped next
        share = np.clip((limit - below) / np.where(above > below, above - below, np.inf), 0.0, 1.0)
    return np.where(low == 0, -1.0, np.where(low >= columns, columns - 1.0, at + share))


def rising(table: Array) -> Array:
    """A table whose rows do not fall: what is read off must not have two answers."""
    return np.asarray(np.maximum.accumulate(table, axis=-1))


def capacity(
    curves: Curves, blend: Blend, limits: Limits, slower: Array, later: Array, output_tokens: Array, closed: bool
) -> tuple[Array, Array]:
    """Most requests per second, and running sequences, of a replica within the promise; 0 where it never keeps it.

    Parameters
    ----------
    slower : measured over predicted step time, shape (n,). [-]
    later : further factor on the time to first token, shape (n,). [-]
    closed : a fixed number of users, so that running sequences do not fluctuate.

    Returns
    -------
    (rate_per_s, sequences), each of shape (n,)
    """
    columns = len(curves.sequences)

    def within(table: Array, limit: Array) -> Array:
        return crossing(lambda at: blend.of(table, at), columns, limit)

    room = np.maximum((limits.ttft_s - limits.ingest_s) / (slower * later), 1e-300)
    held = curves.sequences if closed else curves.crowd
    places = [
        within(curves.tpot, np.log(limits.tpot_s / slower)),
        within(curves.ttft, np.log(room)),
        within(curves.prefill, np.full(len(slower), np.log(MAX_PREFILL_UTILISATION))),
        crossing(lambda at: held[at], columns, blend.most(curves)),
    ]
    if limits.e2e_s is not None:
        whole = np.maximum((limits.e2e_s - limits.ingest_s) / slower, 0.0)
        places.append(crossing(lambda at: _whole_s(curves, blend, later, output_tokens, at), columns, whole))
    place = np.min(places, axis=0)
    rate = np.exp(blend.at(curves.rate, place)) / slower
    running = np.exp(blend.at(np.broadcast_to(curves.sequences, curves.rate.shape), place))
    return np.where(place < 0, 0.0, rate), np.where(place < 0, 0.0, running)


def _whole_s(curves: Curves, blend: Blend, later: Array, output_tokens: Array, at: Index) -> Array:
    """Time of a whole answer at one column, less the front end's. [s]"""
    return np.asarray(later * np.exp(blend.of(curves.ttft, at)) + output_tokens * np.exp(blend.of(curves.tpot, at)))


def percentiles_at(
    curves: Curves, blend: Blend, limits: Limits, slower: Array, later: Array, load: Array, closed: bool
) -> tuple[Array, Array, Mask]:
    """99th percentiles of TTFT and TPOT of a replica at a load, and whether the load can be held at all.

    Parameters
    ----------
    load : requests per second of a replica, or its running sequences where `closed`, shape (n,).

    Returns
    -------
    (ttft_p99_s, tpot_p99_s, held), each of shape (n,); percentiles are infinite where the load is not held
    """
    columns, wanted = len(curves.sequences), np.log(np.maximum(load * (1.0 if closed else slower), 1e-300))
    table = np.broadcast_to(curves.sequences, curves.rate.shape) if closed else curves.rate
    place = np.maximum(crossing(lambda at: blend.of(table, at), columns, wanted), 0.0)
    last = np.full(len(load), columns - 1)
    running = blend.at(np.broadcast_to(curves.sequences if closed else curves.crowd, curves.rate.shape), place)
    held = (wanted <= blend.of(table, last)) & (running <= blend.most(curves) + 1e-9)
    held &= blend.at(curves.prefill, place) <= np.log(MAX_PREFILL_UTILISATION)
    ttft = limits.ingest_s + slower * later * np.exp(blend.at(curves.ttft, place))
    tpot = slower * np.exp(blend.at(curves.tpot, place))
    return np.where(held, ttft, np.inf), np.where(held, tpot, np.inf), np.asarray(held)
