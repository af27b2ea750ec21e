"""Prompt and answer lengths of the requests that are simulated: recorded, scaled, of another list, or of statistics."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
from numpy.typing import NDArray

from planner.catalog import Catalog
from planner.models.arrivals import draw_pairs
from planner.models.pairing import lognormal, paired, rank_correlation
from planner.models.rescale import with_spread
from planner.models.traffic import Trace, at_mean
from planner.schema import Remark, Traffic
from planner.search.remarks import remark
from planner.traces import choose_lengths

SAME = 0.02  # means that differ by less are not worth a remark

Lengths = tuple[NDArray[np.int64], NDArray[np.int64]]


def lengths_of(trace: Trace, traffic: Traffic, catalog: Catalog, seed: int) -> tuple[Lengths, list[Remark]]:
    """Lengths of every request of the trace as the workload asks for them, and what is to say about them.

    Those of the trace itself are its own columns, so that whoever needs to can see that nothing was done.
    """
    found, told = _marginals(trace, traffic, catalog, seed)
    asked = traffic.rank_correlation
    if asked is None or traffic.lengths == "statistics":
        return found, told
    before = rank_correlation(*found)
    answers = paired(*found, asked, np.random.default_rng((seed, 1)))
    return (found[0], answers), [*told, remark("paired", before=before, after=rank_correlation(found[0], answers))]


def _marginals(trace: Trace, traffic: Traffic, catalog: Catalog, seed: int) -> tuple[Lengths, list[Remark]]:
    asked = traffic.lengths or ("recorded" if traffic.trace else "scaled")
    recorded = trace.input_tokens, trace.output_tokens
    means = float(recorded[0].mean()), float(recorded[1].mean())
    planned = float(traffic.input_tokens), float(traffic.output_tokens)
    if asked == "statistics":
        return _statistics(recorded, traffic, trace.name, seed)
    if asked not in ("recorded", "scaled"):
        pairs = choose_lengths(asked, catalog)
        drawn = draw_pairs(*pairs, len(trace), np.random.default_rng(seed))
        means = float(pairs[0].mean()), float(pairs[1].mean())
        return drawn, [_told("recorded_lengths", asked, means, planned)]
    same = all(abs(a - m) <= SAME * m for a, m in zip(planned, means, strict=True))
    if asked == "recorded":
        return recorded, [] if same else [_told("recorded_lengths", trace.name, means, planned)]
    if same and not _spread_is_asked(traffic):
        return recorded, []
    scaled = scaled_lengths(trace, traffic)
    return (scaled.input_tokens, scaled.output_tokens), [_told("scaled_lengths", trace.name, means, planned)]


def scaled_lengths(trace: Trace, traffic: Traffic) -> Trace:
    """The trace with the workload's mean lengths, and their spread where it states one."""
    if not _spread_is_asked(traffic):
        return trace.at_lengths(traffic.input_tokens, traffic.output_tokens)
    prompts = with_spread(trace.input_tokens.astype(float), traffic.input_cv, traffic.input_p99_ratio)
    answers = with_spread(trace.output_tokens.astype(float), traffic.output_cv)
    return replace(
        trace,
        input_tokens=at_mean(prompts, traffic.input_tokens),
        output_tokens=at_mean(answers, traffic.output_tokens),
        blocks=None,
    )


def _spread_is_asked(traffic: Traffic) -> bool:
    return any(value is not None for value in (traffic.input_cv, traffic.input_p99_ratio, traffic.output_cv))


def _statistics(recorded: Lengths, traffic: Traffic, name: str, seed: int) -> tuple[Lengths, list[Remark]]:
    """Lognormal lengths of the stated means, spreads and rank correlation; what is not stated is the trace's."""
    random = np.random.default_rng(seed)
    known = [float(values.std() / values.mean()) for values in recorded]
    cvs = [k if cv is None else cv for k, cv in zip(known, (traffic.input_cv, traffic.output_cv), strict=True)]
    asked = traffic.rank_correlation
    ties = rank_correlation(*recorded) if asked is None else asked
    prompts = lognormal(traffic.input_tokens, cvs[0], len(recorded[0]), random)
    answers = lognormal(traffic.output_tokens, cvs[1], len(recorded[0]), random)
    told = remark(
        "statistics",
        input_tokens=float(traffic.input_tokens),
        output_tokens=float(traffic.output_tokens),
        input_cv=cvs[0],
        output_cv=cvs[1],
        ties=ties,
        trace=name,
    )
    return (prompts, paired(prompts, answers, ties, random)), [told]


def _told(kind: str, source: str, means: tuple[float, float], planned: tuple[float, float]) -> Remark:
    return remark(
        kind,
        trace=source,
        input_tokens=means[0],
        output_tokens=means[1],
        planned_input=planned[0],
        planned_output=planned[1],
    )
