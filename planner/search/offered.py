"""Requests as a fleet gets them: replayed from a recording, or drawn; and what was done to either."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, replace

import numpy as np

from planner.catalog import Catalog
from planner.errors import Message, Told, WorkloadError
from planner.models.arrivals import STEADY, Modulation, busiest, draw, draw_pairs, fit_modulation
from planner.models.burstiness import gaps
from planner.models.traffic import RateProfile, Trace
from planner.schema import Arrivals, Remark, Traffic, Workload
from planner.search.lengths import SAME, Lengths, lengths_of
from planner.search.remarks import remark
from planner.traces import choose_profile, choose_trace
from planner.units import SECONDS_PER_HOUR

DEFAULT_TRACE = "azure-conv"
FEWEST, ENOUGH, MOST = 5_000, 200_000, 2_000_000  # requests that are drawn; enough of a larger fleet's
NO_PROFILE = Message("--busiest cuts a rate profile.\n  Name one with --profile, or leave it out.")


@dataclass(frozen=True)
class Offered:
    """Traffic of a simulation.

    Attributes
    ----------
    source, profile : names of the trace and of the rate profile, if any
    trace : the requests
    refused : requests left out, since they are too long [-]
    redraw : the same traffic from another seed; None where it is replayed
    had_blocks : the recording names prefix blocks
    kept, share : the requests are those of so many ranks, and such a share of all; None: of all ranks
    """

    source: str
    profile: str | None
    arrivals: Arrivals
    trace: Trace
    refused: int
    remarks: tuple[Remark, ...]
    redraw: Callable[[int], Trace] | None = None
    had_blocks: bool = False
    kept: int | None = None
    share: float = 1.0


def offer(
    workload: Workload,
    catalog: Catalog,
    drop_longer: bool,
    seed: int,
    busiest_h: float | None = None,
    most: int = MOST,
    servers: int = 1,
) -> Offered:
    """The workload's traffic at the workload's rate.

    Parameters
    ----------
    most : requests at most; of drawn traffic with more, some ranks are taken [-]
    servers : ranks among which requests take turns [-]

    Raises
    ------
    UnknownName, WorkloadError
        For traffic that cannot be read, or contradicts itself.
    """
    traffic = workload.traffic
    refuse_closed(traffic)
    named = traffic.trace or DEFAULT_TRACE
    recorded = choose_trace(named, catalog)
    remarks = [] if traffic.trace else [remark("default_trace", trace=named)]
    row = catalog.traces.get(named)
    if row and row.origin != "recorded":
        remarks.append(remark("synthetic_trace", trace=named, origin=row.notes or row.name))
    if holes := gaps(recorded):
        begin, end = max(holes, key=lambda hole: hole[1] - hole[0])
        remarks.append(
            remark("gaps", True, trace=recorded.name, count=len(holes), longest_s=end - begin, begin_s=begin)
        )
    lengths, told = lengths_of(recorded, traffic, catalog, seed)
    if _kind(traffic) == "trace":
        offered = _replayed(recorded, lengths, traffic, busiest_h, most)
    else:
        offered = _drawn(recorded, lengths, traffic, catalog, seed, busiest_h, most, servers)
    had_blocks = recorded.blocks is not None
    offered = replace(offered, remarks=(*remarks, *told, *offered.remarks), had_blocks=had_blocks)
    return _within_context(offered, workload, catalog, drop_longer)


def refuse_closed(traffic: Traffic) -> None:
    """Raise WorkloadError for users who wait for their answers."""
    if traffic.rate_per_s is None:
        raise WorkloadError(
            "traffic.concurrency {concurrency}: users who wait for their answers leave no times to "
            "replay.\n"
            "  Give a rate instead: --rate, or traffic.rate_per_s.",
            concurrency=traffic.concurrency,
        )


def _kind(traffic: Traffic) -> Arrivals:
    return traffic.arrivals or ("mmpp" if traffic.profile else "trace")


def _replayed(recorded: Trace, lengths: Lengths, traffic: Traffic, busiest_h: float | None, most: int) -> Offered:
    """The recording's own times, its scale of time changed to the workload's rate."""
    if busiest_h is not None:
        raise WorkloadError(NO_PROFILE)
    if len(recorded) > most:
        raise WorkloadError(
            "trace {recorded}: {count:,} requests. Allowed here: {most:,}.\n"
            "  Keep its busiest hours, or run it with planner simulate --trace FILE.",
            recorded=recorded.name,
            count=len(recorded),
            most=most,
        )
    rate_per_s, before = traffic.rate_per_s or 0.0, recorded.rate_per_s
    same = lengths[0] is recorded.input_tokens and lengths[1] is recorded.output_tokens
    trace = recorded if same else replace(recorded, input_tokens=lengths[0], output_tokens=lengths[1], blocks=None)
    told = []
    if before and abs(rate_per_s - before) > SAME * before:
        told.append(
            remark(
                "scaled_in_rate",
                trace=recorded.name,
                recorded_per_s=before,
                rate_per_s=rate_per_s,
                longer=before / rate_per_s,
            )
        )
    return Offered(recorded.name, None, "trace", trace.at_rate(rate_per_s), 0, tuple(told))


def _drawn(
    recorded: Trace,
    lengths: Lengths,
    traffic: Traffic,
    catalog: Catalog,
    seed: int,
    busiest_h: float | None,
    most: int,
    servers: int,
) -> Offered:
    """Times from a fitted or a Poisson process, along a rate profile if there is one; lengths of the trace."""
    kind, rate_per_s = _kind(traffic), traffic.rate_per_s or 0.0
    profile, ratio, told = _profile(traffic, catalog, busiest_h)
    rate_per_s *= ratio
    if profile is None:
        duration_s = max(min(recorded.duration_s, most * servers / rate_per_s), FEWEST / rate_per_s)
    else:
        duration_s = profile.step_s * len(profile.rate_per_s)
    kept = _kept(rate_per_s, duration_s, most, servers)
    modulation = STEADY if kind == "poisson" else fit_modulation(recorded)
    if profile is not None:
        modulation = modulation.shorter_than(profile.step_s)

    def drawn(other: int) -> Trace:
        random = np.random.default_rng(other)
        times = draw(modulation, rate_per_s, duration_s, random, profile, kept, servers)
        prompts, answers = draw_pairs(*lengths, len(times), random)
        return Trace(recorded.name, times, prompts, answers, span_s=duration_s)

    told.append(_of_arrivals(kind, modulation, recorded.name, catalog, seed))
    if kept == servers:
        return Offered(recorded.name, traffic.profile, kind, drawn(seed), 0, tuple(told), drawn)
    whole = rate_per_s * duration_s
    told.append(remark("some_ranks", kept=kept, ranks=servers, requests=whole, share=kept / servers))
    some = drawn(seed)
    return Offered(
        recorded.name, traffic.profile, kind, some, 0, tuple(told), drawn, kept=kept, share=len(some) / whole
    )


def _kept(rate_per_s: float, duration_s: float, most: int, servers: int) -> int:
    """Ranks to simulate: all of them if that is not too much, else as many as make enough requests.

    Raises
    ------
    WorkloadError
        If one rank alone gets too many.
    """
    whole = rate_per_s * duration_s
    if whole <= most * 1.001:
        return servers
    each = whole / servers
    if each > most:
        hours, most_hours = (seconds / SECONDS_PER_HOUR for seconds in (duration_s, most / rate_per_s))
        raise WorkloadError(
            "{hours:,.3g} h at {rate_per_s:,.4g} requests/s are {whole:,.0f} requests. Allowed: "
            "{most:,} for a rank.\n"
            "  Simulate its busiest hours, up to --busiest {most_hours:.2g}, or less.",
            hours=hours,
            rate_per_s=rate_per_s,
            whole=whole,
            most=most,
            most_hours=most_hours,
        )
    return max(int(min(ENOUGH, most) / each), 1)


def _profile(
    traffic: Traffic, catalog: Catalog, busiest_h: float | None
) -> tuple[RateProfile | None, float, list[Remark]]:
    """The profile or its busiest hours, the mean rate of these over that of all, and what is to say."""
    if traffic.profile is None:
        if busiest_h is not None:
            raise WorkloadError(NO_PROFILE)
        return None, 1.0, []
    whole = choose_profile(traffic.profile, catalog)
    profile = whole if busiest_h is None else busiest(whole, busiest_h * SECONDS_PER_HOUR)
    mean, ratio = float(whole.rate_per_s.mean()), float(profile.rate_per_s.mean() / whole.rate_per_s.mean())
    told = [
        remark(
            "profile",
            profile=whole.name,
            hours=_hours(whole),
            rate_per_s=traffic.rate_per_s or 0.0,
            peak=float(whole.rate_per_s.max()) / mean,
        )
    ]
    if silent := int((profile.rate_per_s == 0).sum()):
        told.append(remark("profile_gaps", True, profile=whole.name, steps=silent, step_s=whole.step_s))
    if len(profile.rate_per_s) < len(whole.rate_per_s):
        told.append(remark("busiest", hours=_hours(profile), ratio=ratio))
    return profile, ratio, told


def _hours(profile: RateProfile) -> float:
    return profile.step_s * len(profile.rate_per_s) / SECONDS_PER_HOUR


def _of_arrivals(kind: Arrivals, modulation: Modulation, trace: str, catalog: Catalog, seed: int) -> Remark:
    """How times were drawn; for Poisson arrivals with the measured under-sizing."""
    low, high = under_sizing(catalog, kind)
    if kind == "poisson":
        return remark("poisson", True, seed=seed, low=low[1], low_trace=low[0], high=high[1], high_trace=high[0])
    slowest = float(modulation.time_constants_s.max(initial=0.0))
    parts = len(modulation.shares)
    return remark("mmpp", seed=seed, trace=trace, parts=parts, slowest_s=slowest, low=low[1], high=high[1])


def under_sizing(catalog: Catalog, kind: Arrivals) -> tuple[tuple[str, float], tuple[str, float]]:
    """Least and largest factor by which arrivals of a kind promise more than recorded ones held, with the trace."""
    rates = {(row.trace, row.arrivals): row.rate_per_s for row in catalog.held_rates}
    found = [(trace, rate / rates[trace, "trace"]) for (trace, what), rate in rates.items() if what == kind]
    return min(found, key=lambda one: one[1]), max(found, key=lambda one: one[1])


# ---- requests that are too long


def _within_context(offered: Offered, workload: Workload, catalog: Catalog, drop: bool) -> Offered:
    """Less what the LLM cannot take, if that is wanted; raises WorkloadError where it is not."""
    llm_id = catalog.llm_id(workload.llm, "workload.llm")
    limit = catalog.llms[llm_id].max_context_tokens
    if not limit:
        return offered
    longest = int((offered.trace.input_tokens + offered.trace.output_tokens).max())
    known = ((row.max_context_tokens or 0, id) for id, row in catalog.llms.items())
    others = sorted((tokens, id) for tokens, id in known if tokens >= longest)
    also = Message("; {llm} takes {tokens:,}", llm=others[0][1], tokens=others[0][0]) if others else ""
    what = Message("the {limit:,}-token context of {llm}", limit=limit, llm=llm_id)
    return without_longer(offered, limit, what, Message("choose another llm{also}", also=also), drop)


def without_longer(offered: Offered, limit: int, what: Told, advice: Told, drop: bool) -> Offered:
    """Less the requests beyond a limit, if that is wanted; raises WorkloadError where it is not, or none is left."""
    trace = offered.trace
    whole = trace.input_tokens + trace.output_tokens
    longer = int((whole > limit).sum())
    if not longer:
        return offered
    if not drop or longer == len(trace):
        raise WorkloadError(
            "trace {trace}: {longer:,} of {count:,} requests exceed {what}: the longest has "
            "{whole:,} tokens.\n"
            "  Leave them out with --drop-longer (they count as broken promises), or {advice}.",
            trace=trace.name,
            longer=longer,
            count=len(trace),
            what=what,
            whole=whole.max(),
            advice=advice,
        )
    told = remark("refused", True, count=longer, requests=len(trace), limit=limit, longest=int(whole.max()))
    redraw = offered.redraw
    return replace(
        offered,
        trace=_up_to(trace, limit),
        refused=offered.refused + longer,
        remarks=(*offered.remarks, told),
        redraw=None if redraw is None else lambda seed: _up_to(redraw(seed), limit),
    )


def _up_to(trace: Trace, limit: int) -> Trace:
    return trace.keep(trace.input_tokens + trace.output_tokens <= limit)
