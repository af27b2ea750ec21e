"""A plan's fleet on spot capacity: what each mix saves and how often it is ready."""

from __future__ import annotations

import numpy as np

from planner.catalog import Catalog
from planner.models.spot import firm_base, mix_availability, recomputed
from planner.models.spot_replay import Mix, Up, live
from planner.models.traffic import Trace
from planner.schema import Assumption, SpotFleet, SpotMix, SpotOptions
from planner.search.fleet import Subject
from planner.search.replay import Server, replay
from planner.search.spot import STEP_S, Zones, drawn_zones, family_of, price_ratio, price_told, spot_zones, told_zones

SAMPLE = 5000  # requests whose service times an interruption meets


def live_on_spot(
    subject: Subject, server: Server, trace: Trace, catalog: Catalog, options: SpotOptions, start_s: float
) -> SpotFleet:
    """Mixes of spot and on-demand replicas over drawn weeks of zones of one region.

    Parameters
    ----------
    start_s : from asking for a replica until it serves. [s]

    Raises
    ------
    NoSpotPrice
        If nobody sourced a price ratio for the accelerator.
    """
    family = family_of(catalog, subject.plan.accelerator)
    ratio, priced = price_ratio(catalog, subject.plan.accelerator, options.price_ratio, "spot.price_ratio")
    pool, needed = spot_zones(catalog), subject.plan.replicas
    wait_s = options.start_s or start_s
    zones = drawn_zones(catalog, pool, 86_400 * options.days, options.seed)
    mixes = [_mix(needed, base, extra, zones, wait_s, pool, ratio) for base, extra in _choices(needed)]
    caught = recomputed(answers_s(subject, server, trace), options.drain_s)
    base = firm_base(needed, subject.target, pool.zones, pool.alpha, pool.beta, extra_spot=needed)
    return SpotFleet(
        needed=needed,
        zones=pool.zones,
        available_fraction=pool.available_fraction,
        correlation=pool.correlation,
        price_ratio=ratio,
        price_source=priced,
        firm_base=base,
        target=subject.target,
        mixes=tuple(mixes),
        reaching=_reaching(needed, subject.target, zones, wait_s, pool, ratio),
        recomputed_share=caught.share,
        lost_s_per_request=caught.lost_s,
        monthly_interruption=family.monthly if family else None,
        assumptions=(*_told(catalog, pool, options, wait_s), price_told(ratio, priced)),
    )


def _choices(needed: int) -> list[tuple[int, int]]:
    """(base, extra spot): none, half and all on demand; without and with half more spot."""
    bases = dict.fromkeys((0, needed // 2, needed))
    more = -(-needed // 2)
    return [(base, extra) for base in bases for extra in ((0, more) if base < needed else (0,))]


def _reaching(needed: int, target: float, zones: Up, start_s: float, pool: Zones, ratio: float) -> SpotMix:
    """The cheapest mix that is ready for the target: with none, half and as much again extra spot the fewest firm."""
    found = []
    for extra in dict.fromkeys((0, -(-needed // 2), needed)):
        low, high = 0, needed  # all on demand always is, since on demand can always be had
        while low < high:
            base = (low + high) // 2
            enough = live(zones, STEP_S, Mix(needed, base, extra, start_s)).ready_share >= target
            low, high = (low, base) if enough else (base + 1, high)
        found.append(_mix(needed, low, extra if low < needed else 0, zones, start_s, pool, ratio))
    return min(found, key=lambda mix: mix.cost_ratio)


def _mix(needed: int, base: int, extra: int, zones: Up, start_s: float, pool: Zones, ratio: float) -> SpotMix:
    mix = Mix(needed, base, extra, start_s)
    spot = mix.spot if base < needed else 0
    found = live(zones, STEP_S, mix)
    return SpotMix(
        base=base,
        spot=spot,
        ready=found.ready_share,
        ready_alone=mix_availability(needed, base, spot, pool.zones, pool.alpha, pool.beta),
        cost_ratio=found.cost(ratio),
        interruptions_per_day=found.interruptions_per_hour * found.spot_share * needed * 24,
    )


def answers_s(subject: Subject, server: Server, trace: Trace) -> np.ndarray:
    """Times of requests in a replica at the rate planned for. [s]"""
    part = trace.window(0.0, float(trace.arrivals_s[min(SAMPLE, len(trace)) - 1]) + 1e-6)
    return replay(server, part.at_rate(subject.headroom * subject.service.holds_per_s), 1).e2e_s


def _told(catalog: Catalog, pool: Zones, options: SpotOptions, start_s: float) -> tuple[Assumption, ...]:
    figures = [
        ("start of a replica", start_s, "s", "option" if options.start_s else "host model"),
        ("notice", options.drain_s, "s", "option"),
    ]
    return *told_zones(catalog, pool), *(Assumption(name=n, value=v, unit=u, source=s) for n, v, u, s in figures)
