"""Titles of the charts of a fleet over time: what each of them shows, in a sentence."""

from __future__ import annotations

import numpy as np

from planner.report.fleet import protection_words
from planner.report.simulated import clock
from planner.report.tables import Translate
from planner.schema import FleetSeries, Surge
from planner.units import percent, si


def rates_finding(series: FleetSeries, _: Translate) -> str:
    """For how long more is sent than the ready replicas hold; where never, how little room there is at least."""
    sent, held = np.asarray(series.rate_per_s), np.asarray(series.capacity_per_s)
    short = sent > held
    if short.any():
        worst = int(np.argmax(sent - held))
        text = _("{rule}: for {share} of the time more is sent than the ready replicas hold, most of all at {time}")
        return text.format(rule=series.rule, share=percent(float(short.mean()), 0), time=clock(series.time_s[worst]))
    full = np.divide(sent, held, out=np.zeros_like(sent), where=held > 0)
    tight = int(np.argmax(full))
    text = _("{rule}: the ready replicas hold what is sent at all times, and are {share} full at most, at {time}")
    return text.format(rule=series.rule, share=percent(float(full[tight]), 0), time=clock(series.time_s[tight]))


def latency_finding(series: FleetSeries, ttft_s: float, _: Translate) -> str:
    """For how long the promise is broken, and when the wait is longest; nobody served counts as broken.

    Parameters
    ----------
    ttft_s : promised 99th percentile. [s]
    """
    waits = np.array([np.inf if one is None else one for one in series.ttft_p99_s])
    worst = int(np.argmax(waits))
    at, broken = clock(series.time_s[worst]), float((waits > ttft_s).mean())
    if not broken:
        text = _("P99 TTFT stays within {limit}; the longest is {worst} at {time}")
        return text.format(limit=si(ttft_s, "s"), worst=si(float(waits[worst]), "s"), time=at)
    text = _("P99 TTFT is over {limit} for {share} of the time, most of all at {time}")
    return text.format(limit=si(ttft_s, "s"), share=percent(broken), time=at)


def surge_finding(found: Surge, _: Translate) -> str:
    """What the best protection is worth, against none."""
    words = protection_words(_)
    none = next(case for case in found.cases if case.protection == "none")
    best = max(found.cases, key=lambda case: case.attained)
    if best.attained <= none.attained:
        text = _("No protection helps in this surge: {share} of requests keep the promise without any")
        return text.format(share=percent(none.attained))
    text = _("In this surge {share} of requests keep the promise without protection, {best} with: {protection}")
    name = words[best.protection].lstrip("+ ")
    return text.format(share=percent(none.attained), best=percent(best.attained), protection=name)
