"""Spot capacity as the catalogs know it: zones of a region, and what a cloud says of an instance family."""

from __future__ import annotations

from dataclasses import dataclass

from planner.catalog import Catalog
from planner.errors import MissingFact
from planner.models.spot import beta_parameters, firm_base
from planner.schema import SpotRecord


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
        raise MissingFact("spot.csv", "available_fraction", "spot", "Add a probe of availability with its source.")
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
