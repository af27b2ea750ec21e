"""Spot zones under a fleet's day: drawn together, as they vanish together."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Protocol

import numpy as np
from numpy.typing import NDArray

from planner.catalog import Catalog
from planner.models.places import SpotZones
from planner.models.spot import recomputed
from planner.schema import Assumption, AutoscaleOptions, Plan, SpotDay
from planner.search.spot import STEP_S, drawn_zones, price_ratio, price_told, spot_zones, told_zones


class Served(Protocol):
    """What is known of a plan's requests."""

    @property
    def plan(self) -> Plan:
        """The plan."""
        ...

    @property
    def answers_s(self) -> NDArray[np.float64] | None:
        """Times of some requests in a replica; None: unknown. [s]"""
        ...


@dataclass(frozen=True)
class SpotUnder:
    """Zones of a fleet's time, and what is told of them."""

    zones: SpotZones
    told: SpotDay
    assumptions: tuple[Assumption, ...]


def spot_under(catalog: Catalog, subject: Served, options: AutoscaleOptions, length_s: float, seed: int) -> SpotUnder:
    """Zones of one region over a fleet's time, with the statistics of the catalogs' probes.

    Raises
    ------
    NoSpotPrice
        If nobody sourced a price ratio for the accelerator.
    """
    option = "autoscale.spot_price_ratio"
    ratio, priced = price_ratio(catalog, subject.plan.accelerator, options.spot_price_ratio, option)
    pool, base = spot_zones(catalog), options.spot_base or 0
    up = drawn_zones(catalog, pool, length_s, seed)
    answers = subject.answers_s
    caught = 1.0 if answers is None else recomputed(answers, options.spot_drain_s).share
    told = SpotDay(
        base=base,
        zones=pool.zones,
        available=tuple(up.mean(axis=0).tolist()),
        all_gone=float((~up).all(axis=1).mean()),
        correlation=pool.correlation,
        price_ratio=ratio,
        caught_share=caught,
    )
    price = price_told(ratio, priced)
    notice = Assumption(name="notice", value=options.spot_drain_s, unit="s", source="option")
    return SpotUnder(SpotZones(up, STEP_S, base, caught), told, (*told_zones(catalog, pool), price, notice))
