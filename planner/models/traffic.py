"""Traffic: recorded requests, rate profiles, and what describes them.

A trace is replayed at the times at which its requests were sent. Mean rate and coefficient of variation
do not size a service: at the same mean, an hour of conversations needs a third more capacity than
Poisson arrivals, an hour of code completions twelve times as much, and renewal arrivals fitted to the
coefficient of variation miss both (Patel et al., "Splitwise", ISCA 2024, released the recordings).
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import Any

import numpy as np
from numpy.typing import NDArray

from planner.errors import WorkloadError

Array = NDArray[np.float64]
Tokens = NDArray[np.int64]


@dataclass(frozen=True)
class Blocks:
    """Prefix blocks of every request; requests that begin with the same ids share a prefix.

    Attributes
    ----------
    ids : block numbers, one request after the other, shape (blocks,) [-]
    starts : request i has `ids[starts[i]:starts[i + 1]]`, shape (requests + 1,) [-]
    block_tokens : tokens per block; the last block of a request may be partly filled [token]
    """

    ids: Tokens
    starts: Tokens
    block_tokens: int

    def take(self, begin: int, end: int) -> Blocks:
        """Blocks of the requests `begin` to `end`, without `end`."""
        first, last = self.starts[begin], self.starts[end]
        return Blocks(self.ids[first:last], self.starts[begin : end + 1] - first, self.block_tokens)

    def rows(self, rows: Tokens) -> Blocks:
        """Blocks of some requests, in their order."""
        sizes = np.diff(self.starts)[rows]
        starts = np.r_[0, np.cumsum(sizes)]
        at = np.repeat(self.starts[rows] - starts[:-1], sizes) + np.arange(starts[-1])
        return Blocks(self.ids[at], starts, self.block_tokens)


@dataclass(frozen=True)
class Trace:
    """Requests as they were sent: equal-length columns in order of time.

    Attributes
    ----------
    name : what it is called
    arrivals_s : when each was sent, from 0, in order, shape (requests,) [s]
    input_tokens, output_tokens : lengths, 1 at least, shape (requests,) [token]
    blocks : prefix blocks, where the trace names them
    notes : what was done to the recording, for people
    span_s : how long was watched, if longer than to the last request [s]

    Examples
    --------
    >>> trace = Trace("two", np.array([0.0, 4.0]), np.array([100, 200]), np.array([10, 20]))
    >>> len(trace), trace.duration_s, trace.rate_per_s
    (2, 4.0, 0.5)
    >>> trace.at_rate(1.0).arrivals_s.tolist()
    [0.0, 2.0]
    """

    name: str
    arrivals_s: Array
    input_tokens: Tokens
    output_tokens: Tokens
    blocks: Blocks | None = None
    notes: tuple[str, ...] = ()
    span_s: float = 0.0

    def __post_init__(self) -> None:
        if not len(self.arrivals_s) == len(self.input_tokens) == len(self.output_tokens):
            raise WorkloadError("trace {trace}: columns of different lengths.", trace=self.name)
        if len(self) and not (self.arrivals_s[0] >= 0 and (np.diff(self.arrivals_s) >= 0).all()):
            raise WorkloadError("trace {trace}: requests out of order. Sort them by time.", trace=self.name)
        if len(self) and min(self.input_tokens.min(), self.output_tokens.min()) < 1:
            raise WorkloadError("trace {trace}: a prompt or an answer of less than one token.", trace=self.name)

    def __len__(self) -> int:
        return len(self.arrivals_s)

    @property
    def duration_s(self) -> float:
        """How long was watched, or the time of the last request. [s]"""
        return max(self.span_s, float(self.arrivals_s[-1]) if len(self) else 0.0)

    @property
    def rate_per_s(self) -> float:
        """Mean rate; 0 where all requests come at once. [1/s]"""
        return len(self) / self.duration_s if self.duration_s else 0.0

    def at_rate(self, rate_per_s: float) -> Trace:
        """The same requests in the same order, time compressed or stretched to another mean rate.

        Raises
        ------
        WorkloadError
            If the trace has no rate, or the asked one is not a positive number.
        """
        if not 0 < rate_per_s < np.inf:
            raise WorkloadError(
                "rate {rate_per_s:g}: a trace can be replayed at a positive rate only.", rate_per_s=rate_per_s
            )
        if not self.rate_per_s:
            raise WorkloadError(
                "trace {trace}: {count} requests at one moment have no rate to scale.\n"
                "  Give a longer trace, or draw times for its lengths: --arrivals mmpp with --profile, "
                "or poisson.",
                trace=self.name,
                count=len(self),
            )
        factor = self.rate_per_s / rate_per_s
        way = "compressing" if factor < 1 else "stretching"
        note = f"scaled in rate from {self.rate_per_s:.3g} to {rate_per_s:.3g} requests/s by {way} time"
        notes = self.notes if factor == 1 else (*self.notes, note)
        return replace(self, arrivals_s=self.arrivals_s * factor, span_s=self.span_s * factor, notes=notes)

    def at_lengths(self, input_tokens: float, output_tokens: float) -> Trace:
        """The same requests with all prompts longer or shorter by one factor, and all answers by another.

        Means become those given, but for rounding; spread and correlation stay. Prefix blocks are dropped, since
        they are of the recorded lengths.
        """
        return replace(
            self,
            input_tokens=at_mean(self.input_tokens, input_tokens),
            output_tokens=at_mean(self.output_tokens, output_tokens),
            blocks=None,
        )

    def keep(self, which: NDArray[np.bool_]) -> Trace:
        """Some of the requests at their times; the span that was watched stays."""
        rows = np.flatnonzero(which)
        return replace(
            self,
            arrivals_s=self.arrivals_s[rows],
            input_tokens=self.input_tokens[rows],
            output_tokens=self.output_tokens[rows],
            blocks=self.blocks.rows(rows) if self.blocks else None,
            span_s=self.duration_s,
        )

    def window(self, begin_s: float, end_s: float) -> Trace:
        """Requests sent from `begin_s` on and before `end_s`, in time from `begin_s`."""
        begin, end = np.searchsorted(self.arrivals_s, [begin_s, end_s]).tolist()
        return replace(
            self,
            arrivals_s=self.arrivals_s[begin:end] - begin_s,
            input_tokens=self.input_tokens[begin:end],
            output_tokens=self.output_tokens[begin:end],
            blocks=self.blocks.take(begin, end) if self.blocks else None,
            span_s=end_s - begin_s,
        )

    def resampled(self, part_s: float, seed: int) -> Trace:
        """Another trace of the same kind and span: parts of its time, drawn with replacement, one after the other.

        Bursts within a part stay as they were recorded; how parts follow one another is left to chance.

        Parameters
        ----------
        part_s : length of a part; longer than the bursts to keep [s]

        References
        ----------
        .. [1] Künsch, "The jackknife and the bootstrap for general stationary observations", Annals of Statistics
           17 (1989): the block bootstrap.
        """
        parts = max(round(self.duration_s / part_s), 1)
        edges = np.searchsorted(self.arrivals_s, np.linspace(0, self.duration_s, parts + 1)[:-1]).tolist()
        edges.append(len(self))
        step_s = self.duration_s / parts
        drawn = np.random.default_rng(seed).integers(0, parts, parts).tolist()
        rows = np.concatenate([np.arange(edges[n], edges[n + 1]) for n in drawn])
        shift_s = np.repeat([(at - n) * step_s for at, n in enumerate(drawn)], [edges[n + 1] - edges[n] for n in drawn])
        return replace(
            self,
            arrivals_s=np.maximum.accumulate(np.maximum(self.arrivals_s[rows] + shift_s, 0.0)),  # edges are rounded
            input_tokens=self.input_tokens[rows],
            output_tokens=self.output_tokens[rows],
            blocks=self.blocks.rows(rows) if self.blocks else None,
            notes=(*self.notes, f"parts of {step_s:.3g} s in another order, seed {seed}"),
            span_s=self.duration_s,
        )

    def blocks_of_time(self, parts: int) -> list[Trace]:
        """Windows of equal length that together are the trace; some may be empty."""
        if parts < 1:
            raise ValueError(f"{parts} parts of a trace")
        edges = np.linspace(0.0, self.duration_s, parts + 1)
        last = np.nextafter(edges[-1], np.inf)  # the last request belongs to the last window
        ends = [*edges[1:-1].tolist(), float(last)]
        return [self.window(begin, end) for begin, end in zip(edges[:-1].tolist(), ends, strict=True)]


@dataclass(frozen=True)
class RateProfile:
    """Request rate over time.

    Attributes
    ----------
    name : what it is called
    step_s : length of one step [s]
    rate_per_s : mean rate in each step, shape (steps,) [1/s]
    """

    name: str
    step_s: float
    rate_per_s: Array


def at_mean(lengths: NDArray[Any], mean: float) -> Tokens:
    """Lengths times one factor, in whole tokens and at least one; a mean of one leaves no room for a spread. [token]

    Examples
    --------
    >>> at_mean(np.array([100, 200, 600]), 30.0).tolist(), at_mean(np.array([100, 200, 600]), 1.0).tolist()
    ([10, 20, 60], [1, 1, 1])
    """
    if mean <= 1:
        return np.ones(len(lengths), np.int64)
    return np.asarray(np.maximum(np.rint(lengths * (mean / lengths.mean())), 1), np.int64)
