"""Offers of a plan's accelerator as options of the supply programme, per replica or whole unit."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np

from planner.catalog import Catalog
from planner.errors import Message, MissingFact, UnknownName, WorkloadError
from planner.models import availability, finance, power
from planner.models.spot import served_hour_usd
from planner.schema import Plan, Supply, Workload
from planner.search.bom import checkpoint_bytes
from planner.search.offers import Offer, offers
from planner.search.spot import spot_zones
from planner.units import GB, HOURS_PER_YEAR, SECONDS_PER_HOUR

OPTIONS = ("own", "commitment", "on_demand", "spot")


@dataclass(frozen=True)
class Way:
    """One offer as an option: a block is the fewest units that hold whole replicas.

    Attributes
    ----------
    units, accelerators : in one block [-]
    size : replicas in one block [-]
    fixed_usd_per_year, variable_usd_per_hour : of one block [USD/a], [USD/h]
    quota : most blocks [-]
    quota_accelerators : the same as stated [-]
    ready : share of time in which a replica is there, over that of a cloud, by which spares are counted [-]
    """

    offer: Offer
    units: int
    accelerators: int
    size: int
    fixed_usd_per_year: float
    variable_usd_per_hour: float
    quota: float
    quota_accelerators: float
    ready: float = 1.0

    @property
    def held(self) -> bool:
        """Is it paid whether used or not?"""
        return self.offer.option in ("own", "commitment")

    @property
    def firm(self) -> bool:
        """Does it stay when others want it?"""
        return self.offer.option != "spot"

    @property
    def name(self) -> str:
        """Option and place."""
        return f"{self.offer.option}@{self.offer.region or self.offer.provider}"


def ways(
    workload: Workload,
    catalog: Catalog,
    best: Plan,
    regions: tuple[str, ...],
    quotas: Mapping[str, float],
    sites: tuple[str, ...] = (),
) -> tuple[list[Way], tuple[str, ...]]:
    """Options of a plan's accelerator, and allowed options that have no price.

    Parameters
    ----------
    regions : of clouds, side by side; empty: the cheapest anywhere.
    sites : at which owned servers may stand, side by side; empty: the workload's.

    Raises
    ------
    WorkloadError, MissingFact
        For a quota of nothing that is known or below zero, options that were asked for and have no price, or a
        named site without tariffs.
    """
    places = sites or (workload.site,)
    _check_quotas(quotas, regions, places)
    for site in sites:
        _refuse_untold_site(catalog, site)
    found: list[Way] = []
    for region in regions or ("",):
        asked = _in_region(workload, region)
        sold = [o for o in _sold(catalog, asked, best) if o.option != "own"]
        found += [way for o in _cheapest(sold, best) if (way := _way(workload, catalog, best, o, region, quotas))]
    for site in places:
        asked = workload.model_copy(update={"site": site})
        sold = [o for o in _sold(catalog, asked, best) if o.option == "own"]
        found += [way for o in sold if (way := _way(asked, catalog, best, o, site, quotas))]
    _refuse_alone_spot(found)
    missing = tuple(o for o in workload.supply.options if o not in {w.offer.option for w in found})
    if missing and set(workload.supply.options) != set(Supply().options):
        raise WorkloadError(
            "supply.options: {accelerator} has no sourced price for {missing}{place}.\n"
            "  Leave it out, give a quote under [prices], or see: planner catalog ls prices",
            accelerator=best.accelerator,
            missing=", ".join(missing),
            place=Message(" in {where}", where=", ".join(regions)) if regions else "",
        )
    return found, missing


def _sold(catalog: Catalog, workload: Workload, best: Plan) -> list[Offer]:
    """Offers whose units hold a whole server's part of a replica."""
    whole = min(best.gpus_per_replica, catalog.accelerators[best.accelerator].server_accelerators)
    return [o for o in offers(catalog, workload, [best.accelerator])[best.accelerator] if o.accelerators >= whole]


def _refuse_untold_site(catalog: Catalog, name: str) -> None:
    """A site that was named and cannot be priced is refused, where the workload's own would be left out."""
    site = catalog.site(name, "--own-site")
    for field in ("pue", "electricity_usd_per_kwh", "colocation_usd_per_kw_month"):
        if getattr(site, field) is None:
            raise MissingFact(
                name, field, Message("owning there"), Message("Add it with its source to catalogs/sites.csv.")
            )


def _in_region(workload: Workload, region: str) -> Workload:
    if not region:
        return workload
    return workload.model_copy(update={"supply": workload.supply.model_copy(update={"regions": (region,)})})


def _refuse_alone_spot(found: list[Way]) -> None:
    if not found:
        raise WorkloadError(
            "supply: no option has a price in these regions.\n  Give one under [prices], or widen supply.regions."
        )
    if any(w.offer.option == "spot" for w in found) and not any(w.firm for w in found):
        raise WorkloadError(
            "supply: Spot alone cannot be relied on, and has no firm price to fall back to.\n"
            "  Allow on_demand, commitment or own in supply.options."
        )


def _check_quotas(quotas: Mapping[str, float], regions: tuple[str, ...], sites: tuple[str, ...]) -> None:
    rented = [option for option in OPTIONS if option != "own"]
    known = [*OPTIONS, *regions, *sites, *(f"{option}@{region}" for option in rented for region in regions)]
    known += [f"own@{site}" for site in sites]
    for name, value in quotas.items():
        if name not in known:
            raise UnknownName(
                "quota",
                name,
                known,
                Message("planner mix --help (options, regions, sites, option@region, own@site)"),
            )
        if not value >= 0:
            raise WorkloadError(
                "--quota {name}={value:g}: give a number of accelerators, 0 or more.", name=name, value=value
            )


def _cheapest(sold: list[Offer], best: Plan) -> list[Offer]:
    """Per option, the offer that carries a replica for least."""

    def usd_per_replica(offer: Offer) -> float:
        units, size = block_of(best.gpus_per_replica, offer.accelerators)
        return offer.usd_per_hour * units / size

    options = dict.fromkeys(o.option for o in sold)
    return [min((o for o in sold if o.option == option), key=usd_per_replica) for option in options]


def block_of(gpus: int, accelerators: int) -> tuple[int, int]:
    """Units and replicas of the smallest block: several replicas in a unit, or several units for one replica.

    Examples
    --------
    >>> block_of(2, 8), block_of(16, 8)
    ((1, 4), (2, 1))
    """
    return (1, accelerators // gpus) if gpus <= accelerators else (-(-gpus // accelerators), 1)


def _way(
    workload: Workload, catalog: Catalog, best: Plan, offer: Offer, region: str, quotas: Mapping[str, float]
) -> Way | None:
    units, size = block_of(best.gpus_per_replica, offer.accelerators)
    fixed, variable = _unit_costs(workload, catalog, best, offer)
    if np.isnan(fixed):
        return None
    names = (offer.option, region, f"{offer.option}@{region}")
    limit = min((quotas[name] for name in names if name and name in quotas), default=np.inf)
    return Way(
        offer,
        units,
        units * offer.accelerators,
        size,
        fixed * units,
        variable * units,
        float(np.floor(limit / (units * offer.accelerators))) if np.isfinite(limit) else np.inf,
        float(limit),
        _ready(catalog, best, offer),
    )


def _ready(catalog: Catalog, best: Plan, offer: Offer) -> float:
    """A failed server of one's own is away for longer than one of a cloud."""
    between_h = catalog.parameter("interruption_gpu_hours").value

    def share(scope: str) -> float:
        repair_h = catalog.parameter("repair_hours", scope).value
        return float(availability.replica_availability(best.gpus_per_replica, between_h, repair_h))

    return share("own") / share("cloud") if offer.option == "own" else 1.0


def _unit_costs(workload: Workload, catalog: Catalog, best: Plan, offer: Offer) -> tuple[float, float]:
    """Fixed cost of a unit and year, variable cost of its hour in use. [USD/a], [USD/h]"""
    if offer.option == "commitment":
        return offer.usd_per_hour * HOURS_PER_YEAR + _volumes_usd(workload, catalog, best, offer), 0.0
    if offer.option == "on_demand":
        return _volumes_usd(workload, catalog, best, offer), offer.usd_per_hour
    if offer.option == "spot":
        return _volumes_usd(workload, catalog, best, offer), _spot_hour_usd(workload, catalog, best, offer)
    annuity, standing, hourly = owned_parts(workload, catalog, best, offer)
    return annuity + standing, hourly


def _volumes_usd(workload: Workload, catalog: Catalog, best: Plan, offer: Offer) -> float:
    """Volumes with the weights for a unit's servers, kept all year; nothing where nobody priced them. [USD/a]"""
    price = workload.ownership.storage_usd_per_gb_month
    if price is None:
        return 0.0
    units, size = block_of(best.gpus_per_replica, offer.accelerators)
    return 12 * price * checkpoint_bytes(best, catalog) / GB * size * best.nodes_per_replica / units


def _spot_hour_usd(workload: Workload, catalog: Catalog, best: Plan, offer: Offer) -> float:
    """A served hour of Spot: start-ups paid, gaps filled on demand; dear where nothing stands in. [USD/h]"""
    firm = [o for o in offers(catalog, workload, [best.accelerator])[best.accelerator] if o.option == "on_demand"]
    if not firm:
        return offer.usd_per_hour
    stand_in = min(o.usd_per_hour / o.accelerators for o in firm) * offer.accelerators
    ups = [r for r in catalog.spot if r.mean_up_hours]
    up_hours = sum((r.mean_up_hours or 0.0) * r.days for r in ups) / sum(r.days for r in ups)
    start_hours = (best.load_time_s or 0.0) / SECONDS_PER_HOUR
    away = 1 - spot_zones(catalog).available_fraction
    return served_hour_usd(offer.usd_per_hour, stand_in, start_hours, up_hours, away)


def owned_parts(workload: Workload, catalog: Catalog, best: Plan, offer: Offer) -> tuple[float, float, float]:
    """Annuity of a server; what it costs standing; what serving draws more. [USD/a], [USD/a], [USD/h]

    Standing are maintenance, colocation and idle power, and where the buyer states them licences, the demand
    charge and the price of carbon; installation counts as capital. Network, racks, staff and transit belong to a
    fleet and not to a server. NaN where a tariff or the power of the accelerator is
    not sourced: such a way is left out.
    """
    site, row = catalog.site(workload.site), catalog.accelerators[best.accelerator]
    place, tariff = site.colocation_usd_per_kw_month, site.electricity_usd_per_kwh
    if place is None or tariff is None or site.pue is None or best.power.gpu_w is None or row.tdp_w is None:
        return np.nan, np.nan, np.nan
    host = catalog.parameter("host_power_w_per_gpu").value
    idle_w = row.idle_low_w or catalog.parameter("idle_share").value * row.tdp_w
    count = offer.accelerators
    own = workload.ownership
    years, rate, left = workload.horizon_years, workload.discount_rate, own.residual_share * offer.capital_usd
    annuity = float(finance.annuity_usd(offer.capital_usd, left, years, rate))
    installed = 1 + (own.installation_share or 0.0)
    standing = (offer.usd_per_hour * HOURS_PER_YEAR - annuity) * installed  # maintenance
    standing += (own.licence_usd_per_gpu_year or 0.0) * count
    annuity *= installed
    peak_kw = float(power.facility_power_w((row.tdp_w + host) * count, site.pue)) / 1e3
    standing += 12 * peak_kw * (own.demand_charge_usd_per_kw_month or 0.0)
    standing += 12 * float(finance.colocation_usd_per_month((row.tdp_w + host) * count, place))
    emitted = (site.carbon_kg_per_kwh or 0.0) / 1e3 * (own.carbon_price_usd_per_tonne or 0.0)  # USD/kWh
    tariff = emitted + (0.0 if site.colocation_includes_energy else tariff)
    idle = float(power.facility_power_w((idle_w + host) * count, site.pue))
    more = float(power.facility_power_w((best.power.gpu_w - idle_w) * count, site.pue))
    return annuity, standing + idle / 1e3 * HOURS_PER_YEAR * tariff, max(more, 0.0) / 1e3 * tariff
