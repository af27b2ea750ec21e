"""What candidates cost and how often they are ready, for one offer at a time, as columns."""

from __future__ import annotations

from bisect import bisect_left
from dataclasses import dataclass
from functools import lru_cache

import numpy as np
from numpy.typing import NDArray

from planner.models import availability, finance, power, spot
from planner.schema import Accelerator, SupplyOption
from planner.search.columns import Array, Index
from planner.search.metrics import Load
from planner.search.offers import Offer, owned_running_usd_per_month
from planner.search.spot import Zones, spot_zones
from planner.search.study import Study
from planner.units import HOURS_PER_MONTH

MANY = 1 << 32  # more replicas than anybody has
PARTS = ("rent", "capital", "maintenance", "energy", "colocation")


@dataclass(frozen=True)
class Priced:
    """Candidates of one accelerator under one offer, as columns.

    Attributes
    ----------
    at : positions among the feasible candidates
    ready : share of time in which enough replicas are there [-]
    reached : the availability target is met
    parts : USD per month by part, shape (len(PARTS), n)
    """

    offer: Offer
    at: Index
    replicas: Index
    spares: Index
    units: Index
    ready: Array
    reached: NDArray[np.bool_]
    parts: Array

    @property
    def usd_per_month(self) -> Array:
        """All parts together."""
        return np.asarray(self.parts.sum(axis=0))


@dataclass(frozen=True)
class Fleets:
    """Feasible candidates with so many replicas each, and how often those are ready, as columns.

    Attributes
    ----------
    gpus : of one replica [-]
    ready : share of time in which enough replicas are there, the spares among them [-]
    reached : the availability target is met
    """

    gpus: Index
    replicas: Index
    spares: Index
    ready: Array
    reached: NDArray[np.bool_]


@dataclass(frozen=True)
class Sized:
    """How much of what is obtained, as columns; as in `Priced`."""

    at: Index
    replicas: Index
    spares: Index
    units: Index
    ready: Array
    reached: NDArray[np.bool_]


def price(study: Study, rows: Index, sized: Sized, offer: Offer, load: Load) -> Priced | None:
    """Price candidates of one accelerator, sized for the units of an offer; None where nothing can be priced."""
    if not len(sized.at) or (offer.option == "own" and not _power_known(study, load, sized.at)):
        return None
    parts = _parts(study, rows, sized.at, offer, sized.replicas, sized.units, load)
    return Priced(offer, sized.at, sized.replicas, sized.spares, sized.units, sized.ready, sized.reached, parts)


def away(option: SupplyOption) -> str:
    """What says for how long a failed replica is away: scope of `repair_hours`."""
    return option if option in ("own", "spot") else "cloud"


def fleets(study: Study, rows: Index, replicas: Index, option: SupplyOption) -> Fleets:
    """Spares and availability of candidates obtained in one way; they share few pairs of GPUs and replicas."""
    gpus = study.candidates.gpus[rows]
    kinds, of = np.unique(gpus * MANY + replicas, return_inverse=True)
    answer = _spot_ready if option == "spot" else _firm_ready
    ready, spares = answer(study, option, kinds // MANY, kinds % MANY)
    return Fleets(gpus, replicas, np.maximum(spares, 0)[of], ready[of], spares[of] >= 0)


def size(accelerator: Accelerator, found: Fleets, at: Index, unit: int) -> Sized:
    """Units of `unit` accelerators for the candidates at `at`, all of one accelerator, that such units can hold."""
    gpus = found.gpus[at]
    # A group that fills a server cannot be put together from smaller instances.
    whole = np.minimum(gpus, accelerator.server_accelerators) <= unit
    at, gpus = at[whole], gpus[whole]
    replicas, spares = found.replicas[at], found.spares[at]
    # A spare beside what it stands for, in one server, would be lost with it.
    units = _units(unit, replicas, gpus) + np.where(spares > 0, _units(unit, spares, gpus), 0)
    return Sized(at, replicas, spares, units, found.ready[at], found.reached[at])


def _firm_ready(study: Study, option: SupplyOption, gpus: Index, needed: Index) -> tuple[Array, Index]:
    """Availability with the fewest spares that reach the target, and those; -1 and none of them where none do."""
    repair_h = study.catalog.parameter("repair_hours", away(option)).value
    between_h = study.catalog.parameter("interruption_gpu_hours").value
    one = availability.replica_availability(gpus, between_h, repair_h)
    spares, ready = availability.fewest_spares(needed, one, study.workload.slo.availability)
    return ready, spares


def _spot_ready(study: Study, option: SupplyOption, gpus: Index, needed: Index) -> tuple[Array, Index]:
    """The same of spot capacity, where it depends on replicas alone."""
    target, zones = study.workload.slo.availability, spot_zones(study.catalog)
    answers = [_spot_availability(replicas, target, zones) for replicas in needed.tolist()]
    return np.array([a[0] for a in answers]), np.array([-1 if a[1] is None else a[1] for a in answers], np.int64)


def _power_known(study: Study, load: Load, at: Index) -> bool:
    return study.catalog.site(study.workload.site).pue is not None and not np.isnan(load.gpu_w[at]).any()


def _units(unit: int, replicas: Index, gpus: Index) -> Index:
    """Units that hold whole replicas: several in one unit, or several units for one replica."""
    inside = np.maximum(unit // gpus, 1)
    return np.asarray(np.where(gpus <= unit, -(-replicas // inside), replicas * -(-gpus // unit)), np.int64)


@lru_cache(maxsize=4096)
def _spot_availability(replicas: int, target: float, zones: Zones) -> tuple[float, int | None]:
    """Availability with the fewest spares that reach the target; with the most, and None, where none do."""

    def ready(spares: int) -> float:
        return spot.mix_availability(replicas, 0, replicas + spares, zones.zones, zones.alpha, zones.beta)

    most = min(replicas, 16)  # more than twice the capacity is no saving
    if ready(most) < target:
        return ready(most), None
    spares = bisect_left(range(most), True, key=lambda spares: ready(spares) >= target)
    return ready(spares), spares


def _parts(study: Study, rows: Index, at: Index, offer: Offer, replicas: Index, units: Index, load: Load) -> Array:
    """Monthly cost by part, shape (len(PARTS), n). [USD]"""
    parts = np.zeros((len(PARTS), len(at)))
    fixed = offer.usd_per_hour * HOURS_PER_MONTH * units
    if offer.option != "own":
        parts[0] = fixed
        return parts
    catalog, site = study.catalog, study.catalog.site(study.workload.site)
    host = catalog.parameter("host_power_w_per_gpu").value
    tdp = catalog.accelerators[study.candidates.accelerator_ids[study.candidates.accelerator[rows[at[0]]]]].tdp_w
    assert tdp is not None and site.pue is not None
    bought, used = units * offer.accelerators, replicas * study.candidates.gpus[rows[at]]
    it_w = power.node_power_w(load.gpu_w[at], used, host) + power.node_power_w(load.idle_w[at], bought - used, host)
    workload = study.workload
    left = workload.ownership.residual_share * offer.capital_usd
    yearly = float(finance.annuity_usd(offer.capital_usd, left, workload.horizon_years, workload.discount_rate))
    parts[1] = yearly / 12 * units
    parts[2] = fixed - parts[1]
    facility_w = power.facility_power_w(it_w, site.pue)
    provisioned_w = np.asarray((tdp + host) * bought, float)
    parts[3], parts[4] = owned_running_usd_per_month(site, provisioned_w, facility_w)
    return parts
