"""Traffic of a workload as a plan is sized on it: a trace at the asked rate and lengths."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from planner.catalog import Catalog
from planner.errors import WorkloadError
from planner.models.traffic import Trace
from planner.schema import Workload
from planner.search.lengths import scaled_lengths
from planner.search.offered import DEFAULT_TRACE, offer
from planner.traces import choose_trace
from planner.units import SECONDS_PER_HOUR

KEPT = 8  # traces in memory
DRAWN, MOST_DRAWN_PER_S = 20_000, 30.0  # requests of the busiest stretch of a profile, and their rate at most

_read: dict[tuple[str, str], Trace] = {}


@dataclass(frozen=True)
class Demand:
    """What arrives at a fleet.

    Attributes
    ----------
    name : trace that it was made from
    trace : requests at the asked rate; with a fixed number of users, only their lengths count
    users : requests in service at once, in place of a rate [-]
    left_out : share of requests that exceed the context of the LLM [-]
    """

    name: str
    trace: Trace
    users: int | None
    left_out: float


def demand(workload: Workload, catalog: Catalog, most_tokens: float | None) -> Demand:
    """The workload's trace, else an hour of conversations, at the workload's rate.

    Lengths of the default trace become those that were asked for; those of a trace that was named are its own
    unless `traffic.lengths` says otherwise.

    Parameters
    ----------
    most_tokens : context of the LLM; longer requests are left out; None: unknown [token]

    Raises
    ------
    UnknownName, WorkloadError
        For a trace that cannot be read, or of which no request fits.
    """
    traffic = workload.traffic
    name = traffic.trace or DEFAULT_TRACE
    own_lengths = traffic.lengths not in (None, "recorded", "scaled") or traffic.rank_correlation is not None
    if traffic.profile or traffic.arrivals not in (None, "trace") or own_lengths:
        return _drawn(workload, catalog, name)
    trace = _trace(name, catalog)
    if (traffic.lengths or ("recorded" if traffic.trace else "scaled")) == "scaled":
        trace = scaled_lengths(trace, traffic)
    fits = trace.input_tokens + trace.output_tokens <= (most_tokens or np.inf)
    if not fits.any():
        raise WorkloadError(
            "trace {trace}: every request exceeds the {most_tokens:,.0f}-token context of {llm}; the "
            "shortest has {shortest:,} tokens.\n"
            "  Set traffic.lengths to scaled, or choose another trace or llm.",
            trace=trace.name,
            most_tokens=most_tokens,
            llm=catalog.llm_id(workload.llm, "workload.llm"),
            shortest=(trace.input_tokens + trace.output_tokens).min(),
        )
    kept = trace if fits.all() else trace.keep(fits)
    if traffic.rate_per_s is not None and kept.rate_per_s:
        kept = kept.at_rate(traffic.rate_per_s)
    return Demand(name, kept, traffic.concurrency, 1 - float(fits.mean()))


def _drawn(workload: Workload, catalog: Catalog, name: str) -> Demand:
    """Requests as `planner simulate` draws them, of a profile its busiest hours; a high rate is a lower one compressed.

    Users need no times: any rate will do.
    """
    traffic = workload.traffic
    rate_per_s = min(traffic.rate_per_s or 1.0, MOST_DRAWN_PER_S)
    drawn = traffic.model_copy(update={"concurrency": None, "rate_per_s": rate_per_s})
    hours = DRAWN / rate_per_s / SECONDS_PER_HOUR if traffic.profile else None
    found = offer(workload.model_copy(update={"traffic": drawn}), catalog, drop_longer=True, seed=0, busiest_h=hours)
    trace = found.trace.at_rate(found.trace.rate_per_s * (traffic.rate_per_s or rate_per_s) / rate_per_s)
    return Demand(name, trace, traffic.concurrency, found.refused / (len(trace) + found.refused))


def _trace(name: str, catalog: Catalog) -> Trace:
    """A trace, read once where it ships with the catalogs; a file may have changed since."""
    if name not in catalog.traces:
        return choose_trace(name, catalog)
    key = (catalog.sha256, name)
    if key not in _read:
        if len(_read) >= KEPT:
            del _read[next(iter(_read))]
        _read[key] = choose_trace(name, catalog)
    return _read[key]
