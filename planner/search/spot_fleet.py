"""A plan's fleet on spot capacity: what each mix saves and how often it is ready."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from planner.catalog import Catalog
from planner.errors import MissingFact
from planner.models.spot import firm_base, mix_availability, recomputed
from planner.models.spot_replay import Mix, draw_zones, live
from planner.models.traffic import Trace
from planner.schema import Assumption, SpotAdvice, SpotFleet, SpotMix, SpotOptions
from planner.search.fleet import Subject
from planner.search.replay import Server, replay
from planner.search.spot import Zones, spot_zones

STEP_S = 195.0  # as the zones were probed
BUCKETS: dict[str, tuple[float, float | None]] = {
    "<5%": (0.0, 0.05),
    "5-10%": (0.05, 0.10),
    "10-15%": (0.10, 0.15),
    "15-20%": (0.15, 0.20),
    ">20%": (0.20, None),
}
SAMPLE = 5000  # requests whose service times an interruption meets


@dataclass(frozen=True)
class Family:
    """What the cloud's advisor says of the instances of one family, over all regions.

    Attributes
    ----------
    name : such as p5
    price_ratio : spot over on-demand, median [-]
    monthly : share interrupted in a month, from the lowest bucket to the highest; no upper end beyond 20 % [-]
    rows : regions and sizes [-]
    source : of the rows, with its date
    """

    name: str
    price_ratio: float
    monthly: tuple[float, float | None]
    rows: int
    source: str


def family_of(catalog: Catalog, accelerator: str) -> Family | None:
    """Advice on the first instance family of an accelerator that has any; None where there is none."""
    names = dict.fromkeys(
        row.instance_type.partition(".")[0] for row in catalog.instances if row.accelerator == accelerator
    )
    for name in names:
        advice = [row for row in catalog.spot_advice if row.instance_type.partition(".")[0] == name]
        savings = [row.savings_vs_on_demand_fraction for row in advice]
        known = [1 - saved for saved in savings if saved is not None and 0 < saved < 1]
        if known:
            source = f"{advice[0].source} ({advice[0].source_date}, {advice[0].confidence} confidence)"
            return Family(name, float(np.median(known)), _range(advice), len(advice), source)
    return None


def _range(advice: list[SpotAdvice]) -> tuple[float, float | None]:
    """From the lower edge of the lowest bucket to the upper edge of the highest; from that one's where it has none."""
    edges = [BUCKETS[row.monthly_interruption_bucket] for row in advice]
    highs = [high for _, high in edges]
    closed = [high for high in highs if high is not None]
    worst = max(closed) if len(closed) == len(highs) else None
    return (min(low for low, _ in edges) if worst is not None else BUCKETS[">20%"][0]), worst


def live_on_spot(
    subject: Subject, server: Server, trace: Trace, catalog: Catalog, options: SpotOptions, start_s: float
) -> SpotFleet:
    """Mixes of spot and on-demand replicas over drawn weeks of zones of one region.

    Parameters
    ----------
    start_s : from asking for a replica until it serves. [s]

    Raises
    ------
    MissingFact
        If nobody sourced a price ratio for the accelerator.
    """
    family = family_of(catalog, subject.plan.accelerator)
    ratio = options.price_ratio or (family.price_ratio if family else None)
    if ratio is None:
        raise MissingFact(
            subject.plan.accelerator,
            "spot price",
            "spot",
            "Give the spot price over on-demand: --fleet spot.price_ratio=0.4",
        )
    pool, needed = spot_zones(catalog), subject.plan.replicas
    wait_s = options.start_s or start_s
    zones = _drawn(catalog, pool, options)
    mixes = [_mix(needed, base, extra, zones, wait_s, pool, ratio) for base, extra in _choices(needed)]
    caught = recomputed(_service_s(subject, server, trace), options.drain_s)
    base = firm_base(needed, subject.target, pool.zones, pool.alpha, pool.beta, extra_spot=needed)
    return SpotFleet(
        needed=needed,
        zones=pool.zones,
        available_fraction=pool.available_fraction,
        correlation=pool.correlation,
        price_ratio=ratio,
        price_source="option" if options.price_ratio or not family else family.source,
        firm_base=base,
        target=subject.target,
        mixes=tuple(mixes),
        recomputed_share=caught.share,
        lost_s_per_request=caught.lost_s,
        monthly_interruption=family.monthly if family else None,
        assumptions=_told(catalog, pool, options, wait_s),
    )


def _choices(needed: int) -> list[tuple[int, int]]:
    """(base, extra spot): none, half and all on demand; without and with half more spot."""
    bases = dict.fromkeys((0, needed // 2, needed))
    more = -(-needed // 2)
    return [(base, extra) for base in bases for extra in ((0, more) if base < needed else (0,))]


def _mix(needed: int, base: int, extra: int, zones: np.ndarray, start_s: float, pool: Zones, ratio: float) -> SpotMix:
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


def _drawn(catalog: Catalog, pool: Zones, options: SpotOptions) -> np.ndarray:
    """Zones over time, with the mean length of runs of the probed ones."""
    runs = [row.mean_up_hours for row in catalog.spot if row.probe == "availability" and row.hardware.endswith("_1")]
    mean_up_s = 3600 * float(np.mean([hours for hours in runs if hours]))
    together = np.full((pool.zones, pool.zones), pool.correlation)
    np.fill_diagonal(together, 1.0)
    steps = max(round(options.days * 86_400 / STEP_S), 1)
    shares = np.full(pool.zones, pool.available_fraction)
    return draw_zones(shares, np.full(pool.zones, mean_up_s), together, STEP_S, steps, options.seed)


def _service_s(subject: Subject, server: Server, trace: Trace) -> np.ndarray:
    """Times of requests in a replica at the rate planned for. [s]"""
    part = trace.window(0.0, float(trace.arrivals_s[min(SAMPLE, len(trace)) - 1]) + 1e-6)
    return replay(server, part.at_rate(subject.headroom * subject.service.holds_per_s), 1).e2e_s


def _told(catalog: Catalog, pool: Zones, options: SpotOptions, start_s: float) -> tuple[Assumption, ...]:
    probes = next(row for row in catalog.spot if row.probe == "availability")
    probed = f"{probes.source} ({probes.source_date}): V100 and K80, an indication of the level"
    together = catalog.parameter("spot_correlation")
    figures = [
        ("capacity in a zone", pool.available_fraction, "-", probed),
        ("correlation between zones", pool.correlation, "-", f"{together.source} ({together.source_date})"),
        ("start of a replica", start_s, "s", "option" if options.start_s else "host model"),
        ("notice", options.drain_s, "s", "option"),
    ]
    return tuple(Assumption(name=n, value=v, unit=u, source=s) for n, v, u, s in figures)
