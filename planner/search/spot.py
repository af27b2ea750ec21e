"""Spot capacity as the catalogs know it: zones of a region, and what a cloud says of an instance family."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from planner.catalog import Catalog
from planner.errors import Message, MissingFact, NoSpotPrice
from planner.models.spot import beta_parameters, firm_base
from planner.models.spot_replay import Up, draw_zones
from planner.schema import Assumption, Price, SpotAdvice, SpotRecord

STEP_S = 195.0  # as the zones were probed
BUCKETS: dict[str, tuple[float, float | None]] = {
    "<5%": (0.0, 0.05),
    "5-10%": (0.05, 0.10),
    "10-15%": (0.10, 0.15),
    "15-20%": (0.15, 0.20),
    ">20%": (0.20, None),
}


@dataclass(frozen=True)
class Zones:
    """Zones of one region that come and go together.

    Attributes
    ----------
    zones : over which spot replicas are spread [-]
    available_fraction : share of time in which one of them has capacity [-]
    correlation : between two of them [-]
    alpha, beta : parameters of the beta-binomial distribution [-]
    """

    zones: int
    available_fraction: float
    correlation: float
    alpha: float
    beta: float


def spot_zones(catalog: Catalog) -> Zones:
    """Zones of one region, from probes for accelerators.

    The probed accelerators are old, so that the level is an indication and the shape is what counts.

    Raises
    ------
    MissingFact
        If the catalogs hold no probe.
    """
    probes = [row for row in catalog.spot if _is_probe(row)]
    if not probes:
        raise MissingFact(
            "spot.csv", "available_fraction", Message("spot"), Message("Add a probe of availability with its source.")
        )
    available = sum(row.available_fraction * row.days for row in probes) / sum(row.days for row in probes)
    correlation = catalog.parameter("spot_correlation").value
    zones = int(catalog.parameter("spot_zones").value)
    return Zones(zones, available, correlation, *beta_parameters(available, correlation))


def _is_probe(row: SpotRecord) -> bool:
    """Could one accelerator be had? Probes of whole servers and of processors answer another question."""
    return row.probe == "availability" and row.hardware.endswith("_1")


def firm_replicas(catalog: Catalog, replicas: int, target: float) -> int:
    """Replicas of a fleet that must not depend on spot capacity for an availability target. [-]"""
    pool = spot_zones(catalog)
    base = firm_base(replicas, target, pool.zones, pool.alpha, pool.beta, extra_spot=replicas)
    assert base is not None  # firm replicas alone reach any target while they do not fail
    return base


def told_zones(catalog: Catalog, pool: Zones) -> tuple[Assumption, ...]:
    """What is taken of the zones, with its sources."""
    probes = next(row for row in catalog.spot if row.probe == "availability")
    probed = f"{probes.source} ({probes.source_date}): V100 and K80, an indication of the level"
    together = catalog.parameter("spot_correlation")
    correlated = f"{together.source} ({together.source_date})"
    return (
        Assumption(name="capacity in a zone", value=pool.available_fraction, unit="-", source=probed),
        Assumption(name="correlation between zones", value=pool.correlation, unit="-", source=correlated),
    )


def drawn_zones(catalog: Catalog, pool: Zones, length_s: float, seed: int) -> Up:
    """Zones over time in steps of STEP_S, with the mean length of runs of the probed ones."""
    runs = [row.mean_up_hours for row in catalog.spot if _is_probe(row)]
    mean_up_s = 3600 * float(np.mean([hours for hours in runs if hours]))
    together = np.full((pool.zones, pool.zones), pool.correlation)
    np.fill_diagonal(together, 1.0)
    steps = max(round(length_s / STEP_S), 1)
    shares = np.full(pool.zones, pool.available_fraction)
    return draw_zones(shares, np.full(pool.zones, mean_up_s), together, STEP_S, steps, seed)


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


def price_ratio(catalog: Catalog, accelerator: str, given: float | None, option: str) -> tuple[float, str]:
    """Spot price over on-demand and where it is from: the reader's own, the advice on the first family, the prices. [-]

    Raises
    ------
    NoSpotPrice
        If none is known; names the option that states it.
    """
    if given:
        return given, "option"
    family = family_of(catalog, accelerator)
    if family is not None:
        return family.price_ratio, family.source
    priced = _priced(catalog, accelerator)
    if priced is None:
        raise NoSpotPrice(accelerator, option)
    return priced


def _priced(catalog: Catalog, accelerator: str) -> tuple[float, str] | None:
    """Cheapest spot price of an accelerator over on demand, of the same provider where that sells it so, too."""
    by_term: dict[str, list[tuple[float, Price]]] = {"spot": [], "on_demand": []}
    for price, count in catalog.rented.get(accelerator, ()):
        if price.term in by_term:
            by_term[price.term].append((price.price_usd_per_hour / count, price))
    if not all(by_term.values()):
        return None
    sellers = {price.provider for _, price in by_term["on_demand"]}
    usd, spot = min(by_term["spot"], key=lambda one: (one[1].provider not in sellers, one[0]))
    whole_usd, whole = min(by_term["on_demand"], key=lambda one: (one[1].provider != spot.provider, one[0]))
    return usd / whole_usd, "; ".join(
        f"{price.provider} {price.term} {each:.2f} USD/h: {price.source} ({price.source_date})"
        for each, price in ((usd, spot), (whole_usd, whole))
    )


def price_told(ratio: float, source: str) -> Assumption:
    """What is taken of the price, with its source."""
    return Assumption(name="spot price over on demand", value=ratio, unit="-", source=source)


def _range(advice: list[SpotAdvice]) -> tuple[float, float | None]:
    """From the lower edge of the lowest bucket to the upper edge of the highest; from that one's where it has none."""
    edges = [BUCKETS[row.monthly_interruption_bucket] for row in advice]
    highs = [high for _, high in edges]
    closed = [high for high in highs if high is not None]
    worst = max(closed) if len(closed) == len(highs) else None
    return (min(low for low, _ in edges) if worst is not None else BUCKETS[">20%"][0]), worst
