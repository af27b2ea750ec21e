"""A surge on a plan's fleet, with and without protection."""

from __future__ import annotations

import math
from typing import Literal

import numpy as np
from numpy.typing import NDArray

from planner.errors import WorkloadError
from planner.models.protection import Breaker, Clients, Pool, Protection, Surged
from planner.models.surge import surge
from planner.models.traffic import Trace
from planner.schema import Assumption, Surge, SurgeCase, SurgeOptions
from planner.search.fleet import Subject

Array = NDArray[np.float64]
Kind = Literal["none", "cancel", "limit", "breaker"]

BEFORE_S = 120.0
PART_S = 10.0
IMPATIENT = 5.0  # times the promised TTFT
RECOVERED = 0.99
SLACK = 1.02  # of the promised time after the first token: at the limit itself rounding must not decide
MOST_REQUESTS = 300_000


def let_surge(subject: Subject, replicas: int, trace: Trace, options: SurgeOptions) -> Surge:
    """Send the workload's rate, then a surge, then the rate again, under four sets of protections.

    Raises
    ------
    WorkloadError
        If the surge has more requests than are simulated.
    """
    rate, factor = subject.rate_per_s, options.factor
    ends = BEFORE_S + options.surge_s
    length = ends + options.after_s
    expected = rate * (BEFORE_S + factor * options.surge_s + options.after_s)
    if expected > MOST_REQUESTS:
        raise WorkloadError(
            "a surge of {expected:,.0f} requests: at most {most_requests:,} are simulated. Give a "
            "shorter --surge-seconds, or a smaller --surge.",
            expected=expected,
            most_requests=MOST_REQUESTS,
        )
    arrivals = surged(trace, rate, factor, BEFORE_S, options.surge_s, length)
    fleet, clients = pool_of(subject, replicas), _clients(subject, options)
    rules = _rules(subject, replicas, fleet, options)
    found = {kind: surge(arrivals, fleet, clients, rule, options.seed) for kind, rule in rules.items()}
    promise = subject.ttft_s, rest_s(subject)
    return Surge(
        rate_per_s=rate,
        surge_rate_per_s=factor * rate,
        holds_per_s=replicas * subject.service.holds_per_s,
        takes_per_s=replicas * subject.service.takes_per_s,
        begin_s=BEFORE_S,
        end_s=ends,
        part_s=PART_S,
        timeout_s=clients.timeout_s,
        cases=tuple(_case(k, run, arrivals, promise, ends, length) for k, run in found.items()),
        assumptions=_told(options, clients, rules["breaker"]),
    )


def surged(trace: Trace, rate: float, factor: float, begin_s: float, surge_s: float, length_s: float) -> Array:
    """Arrivals of a trace, repeated where it is too short, under a rate that surges: its bursts stay. [s]"""
    edges = np.array([0.0, begin_s, begin_s + surge_s, length_s])
    expected = np.concatenate([[0.0], np.cumsum(rate * np.array([1.0, factor, 1.0]) * np.diff(edges))])
    unit = trace.arrivals_s * trace.rate_per_s  # at one request per unit
    span = max(trace.duration_s * trace.rate_per_s, 1e-9)
    times = math.ceil(expected[-1] / span)
    whole = (unit[None, :] + span * np.arange(times)[:, None]).ravel()
    return np.asarray(np.interp(whole[whole < expected[-1]], expected, edges))


def pool_of(subject: Subject, replicas: int) -> Pool:
    """A fleet as one pool: requests inside its replicas and their time there, by Little's law."""
    service = subject.service
    inside = replicas * service.rate_per_s * service.e2e_s
    first = float(service.at(service.ttft_p50_s, service.holds_per_s) / service.at(service.e2e_s, service.holds_per_s))
    return Pool(
        tuple(inside.tolist()), tuple(service.e2e_s.tolist()), min(first, 1.0), max(round(float(inside[-1])), 1)
    )


def rest_s(subject: Subject) -> float:
    """Promised time after the first token: as it is at the largest rate within the promise. [s]"""
    service = subject.service
    whole, first = (float(service.at(c, service.holds_per_s)) for c in (service.e2e_s, service.ttft_p50_s))
    return SLACK * (whole - first)


def _clients(subject: Subject, options: SurgeOptions) -> Clients:
    return Clients(options.timeout_s or IMPATIENT * subject.ttft_s, options.retries, options.backoff_s)


def _rules(subject: Subject, replicas: int, fleet: Pool, options: SurgeOptions) -> dict[Kind, Protection]:
    """Each adds to the one before: stop what nobody waits for, admit what the promise holds, break to a backup."""
    service = subject.service
    holds = replicas * service.holds_per_s
    inside = max(math.floor(holds * float(service.at(service.e2e_s, service.holds_per_s))), 1)
    patience_s = subject.ttft_s - float(service.at(service.ttft_p99_s, service.holds_per_s))
    line = math.floor((options.line_s or max(patience_s, 0.0)) * holds)
    each_s = float(service.at(service.e2e_s, service.holds_per_s)) / options.backup_speed
    backup = Pool.plain(max(round(options.backup_share * inside), 1), each_s, fleet.first_share * each_s)
    breaker = Breaker(subject.ttft_s, backup, rest_s(subject), options.slow_after, options.open_s)
    return {
        "none": Protection(),
        "cancel": Protection(cancels=True),
        "limit": Protection(inside, line, cancels=True),
        "breaker": Protection(inside, line, cancels=True, breaker=breaker),
    }


def _case(
    kind: Kind, run: Surged, arrivals: Array, promise: tuple[float, float], ends_s: float, length_s: float
) -> SurgeCase:
    attained = run.attained(*promise)
    edges = np.arange(0.0, length_s + PART_S, PART_S)
    sent = np.histogram(arrivals, edges)[0]
    kept = np.histogram(arrivals, edges, weights=attained)[0]
    share = np.where(sent > 0, kept / np.maximum(sent, 1), np.nan)
    tried = np.histogram(run.attempts_s, edges)[0] / PART_S
    return SurgeCase(
        protection=kind,
        attained=float(attained.mean()),
        late=max(run.share("served") - float(attained.mean()), 0.0),
        degraded=run.share("degraded"),
        failed=run.share("failed"),
        attempts_per_request=float(run.attempts.mean()),
        wasted_share=run.wasted_share,
        recovered_s=_recovered_s(share, edges, ends_s),
        attained_by_time=tuple(None if math.isnan(value) else value for value in share.tolist()),
        attempts_per_s=tuple(tried.tolist()),
    )


def _recovered_s(share: Array, edges: Array, ends_s: float) -> float | None:
    """After the surge until the promise is kept for the rest of the time. [s]"""
    good = np.isnan(share) | (share >= RECOVERED)
    bad = np.flatnonzero(~good)
    last = float(edges[bad[-1] + 1]) if len(bad) else 0.0
    return None if last >= edges[-1] else max(last - ends_s, 0.0)


def _told(options: SurgeOptions, clients: Clients, most: Protection) -> tuple[Assumption, ...]:
    breaker = most.breaker
    assert breaker is not None
    assert most.line_limit is not None and most.inside_limit is not None
    simulated, given = "replica simulated at the rate that it holds", "option"
    figures: list[tuple[str, float, str, str]] = [
        ("requests admitted at once", float(most.inside_limit), "-", simulated),
        ("longest line", float(most.line_limit), "-", given),
        ("patience for a first token", clients.timeout_s, "s", given),
        ("retries", float(options.retries), "-", given),
        ("slow responses that open the breaker", float(options.slow_after), "-", given),
        ("backup, requests at once", float(breaker.backup.places), "-", given),
        ("backup, service time", breaker.backup.each_s[-1], "s", given),
    ]
    return tuple(Assumption(name=n, value=v, unit=u, source=s) for n, v, u, s in figures)
