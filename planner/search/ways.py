"""What each way to obtain one plan costs: owned servers line by line, and every dated cloud price."""

from __future__ import annotations

import math
from dataclasses import dataclass

import numpy as np

from planner.models import cash, finance, power
from planner.models.spot import served_hour_usd
from planner.schema import Sourced, SupplyOption, Workload
from planner.schema.costs import Bill, CostLine, Unpriced, WayCost
from planner.search.bom import Fleet, bill_of, checkpoint_bytes, provisioned_w
from planner.search.offers import STALE_AFTER, Offer, maintenance_share
from planner.search.price import Fleets, Sized, fleets, size
from planner.search.single import Single, gpu_w, load_factors
from planner.units import GB, HOURS_PER_MONTH, SECONDS_PER_HOUR


@dataclass(frozen=True)
class Energy:
    """Power of owned servers at the meter over the load.

    Attributes
    ----------
    mean_w, peak_w : at the meter [W]
    """

    mean_w: float
    peak_w: float

    @property
    def kwh_per_month(self) -> float:
        """Energy of a mean month. [kWh]"""
        return self.mean_w / 1e3 * HOURS_PER_MONTH


@dataclass(frozen=True)
class Owned:
    """The plan bought.

    Attributes
    ----------
    way : None where the servers have no price, or the site no tariffs
    unpriced : what is in no total
    energy : None where PUE or the accelerator's power is not sourced
    """

    way: WayCost | None
    bill: Bill
    unpriced: tuple[Unpriced, ...]
    energy: Energy | None
    fleet: Fleet


def owned_fleet(one: Single) -> tuple[Fleet, Sized]:
    """Servers that hold the plan if it is owned, spares for repair times of owned hardware included."""
    accelerator = one.study.catalog.accelerators[one.plan.accelerator]
    count = accelerator.server_accelerators
    sized = size(accelerator, _ready(one, "own"), np.array([0]), count)
    units, needed = int(sized.units[0]), math.ceil(one.replicas * one.plan.gpus_per_replica / count)
    if one.plan.gpus_per_replica > count:
        needed = one.replicas * math.ceil(one.plan.gpus_per_replica / count)
    return Fleet(units, units - needed, count), sized


def _ready(one: Single, option: SupplyOption) -> Fleets:
    """The plan's replicas with what spares and availability they have, obtained in one way."""
    return fleets(one.study, one.rows, np.array([one.replicas]), option)


def energy_of(one: Single, fleet: Fleet, bill: Bill) -> Energy | None:
    """Facility power over the load profile; None where PUE or the accelerator's power is not sourced."""
    catalog, site = one.study.catalog, one.study.catalog.site(one.study.workload.site)
    factors = load_factors(one.study.workload, catalog)
    watts = gpu_w(one, factors)
    if site.pue is None or np.isnan(watts).any():
        return None
    host = catalog.parameter("host_power_w_per_gpu").value
    used = one.replicas * one.plan.gpus_per_replica
    standing = fleet.servers * fleet.accelerators - used
    it_w = power.node_power_w(watts, used, host) + power.node_power_w(one.load.idle_w, standing, host)
    optics_w = bill.provisioned_w - provisioned_w(catalog, one.plan.accelerator, fleet)
    meter_w = power.facility_power_w(it_w + optics_w, site.pue)
    return Energy(float(meter_w.mean()), float(meter_w.max()))


def owned(one: Single) -> Owned:
    """The plan bought: its cost, its bill of materials, its energy, and what is in no total."""
    workload, catalog = one.study.workload, one.study.catalog
    fleet, sized = owned_fleet(one)
    bill = bill_of(one.plan, workload, catalog, fleet)
    site, energy = catalog.site(workload.site), energy_of(one, fleet, bill)
    unpriced = bill.unpriced + _unstated(one)
    tariffs = site.electricity_usd_per_kwh is not None and site.colocation_usd_per_kw_month is not None
    if bill.capital_usd is None or energy is None or not tariffs:
        return Owned(None, bill, unpriced, energy, fleet)
    residual = workload.ownership.residual_share * bill.capital_usd
    lines = _owned_lines(one, fleet, bill, energy, bill.capital_usd, residual)
    server = next(i for i in bill.items if i.role == "server")
    way = _way(
        one,
        lines,
        bill.capital_usd,
        residual,
        option="own",
        term="purchase",
        provider="owner",
        instance_type=server.name,
        region=workload.site,
        units=fleet.servers,
        usd_per_hour=None,
        source=server.source,
        source_date=server.source_date,
        confidence=server.confidence,
        stale=server.stale,
        sized=sized,
        accelerators=fleet.servers * fleet.accelerators,
        kg=None if site.carbon_kg_per_kwh is None else energy.kwh_per_month * site.carbon_kg_per_kwh,
    )
    return Owned(way, bill, unpriced, energy, fleet)


def _owned_lines(
    one: Single, fleet: Fleet, bill: Bill, energy: Energy, capital: float, residual: float
) -> tuple[CostLine, ...]:
    """Every part that is priced; the rest is named in `_unstated`."""
    workload, catalog = one.study.workload, one.study.catalog
    own, site = workload.ownership, catalog.site(workload.site)
    gpus = fleet.servers * fleet.accelerators
    yearly = float(finance.annuity_usd(capital, residual, workload.horizon_years, workload.discount_rate))
    place = finance.colocation_usd_per_month(bill.provisioned_w, site.colocation_usd_per_kw_month or 0.0)
    powered = 0.0 if site.colocation_includes_energy else energy.kwh_per_month * (site.electricity_usd_per_kwh or 0.0)
    support = catalog.parameter("maintenance_share_per_year")
    share = maintenance_share(catalog, workload)
    carbon = energy.kwh_per_month * (site.carbon_kg_per_kwh or 0.0) / 1e3
    server = next(i for i in bill.items if i.role == "server")
    amounts: list[tuple[str, float | None, str, bool]] = [
        ("capital", yearly / 12, _dated(server.source, server.source_date), server.stale),
        ("maintenance", share * capital / 12, *_of(one, support, own.maintenance_share_per_year is not None)),
        ("energy", powered or None, *_of(one, site)),
        ("demand", _times(own.demand_charge_usd_per_kw_month, energy.peak_w / 1e3), "ownership", False),
        ("colocation", float(place), *_of(one, site)),
        ("licences", _times(own.licence_usd_per_gpu_year, gpus / 12), "ownership", False),
        ("staff", _staff(one, bill), "ownership", False),
        ("transit", own.transit_usd_per_month, "ownership", False),
        ("carbon", _times(own.carbon_price_usd_per_tonne, carbon), "ownership", False),
    ]
    return _lines(amounts)


def _staff(one: Single, bill: Bill) -> float | None:
    own = one.study.workload.ownership
    parts = [_times(own.staff_usd_per_year, 1 / 12), _times(own.staff_usd_per_rack_year, bill.racks / 12)]
    known = [p for p in parts if p is not None]
    return sum(known) if known else None


def _unstated(one: Single) -> tuple[Unpriced, ...]:
    """Running costs that only the buyer knows, and facts that the site lacks."""
    own, site = one.study.workload.ownership, one.study.catalog.site(one.study.workload.site)
    asked = {
        "licences": "licence_usd_per_gpu_year",
        "transit": "transit_usd_per_month",
        "demand": "demand_charge_usd_per_kw_month",
        "carbon": "carbon_price_usd_per_tonne",
    }
    found = [Unpriced(what=w, field=f"ownership.{f}") for w, f in asked.items() if getattr(own, f) is None]
    if own.staff_usd_per_year is None and own.staff_usd_per_rack_year is None:
        found.insert(0, Unpriced(what="staff", field="ownership.staff_usd_per_year"))
    if own.carbon_price_usd_per_tonne is not None and site.carbon_kg_per_kwh is None:
        found.append(Unpriced(what="carbon", field=f"catalogs/sites.csv, {site.id}, carbon_kg_per_kwh"))
    for name in ("pue", "electricity_usd_per_kwh", "colocation_usd_per_kw_month"):
        if getattr(site, name) is None:
            found.append(Unpriced(what="energy", field=f"catalogs/sites.csv, {site.id}, {name}"))
    if site.colocation_includes_energy is None:
        found.append(Unpriced(what="colocation", field=f"catalogs/sites.csv, {site.id}, colocation_includes_energy"))
    return tuple(found)


def unstated_of_clouds(workload: Workload) -> tuple[Unpriced, ...]:
    """Costs beside the rent that only the buyer knows."""
    own = workload.ownership
    asked = {"egress": own.egress_usd_per_month, "storage": own.storage_usd_per_gb_month}
    fields = {"egress": "egress_usd_per_month", "storage": "storage_usd_per_gb_month"}
    return tuple(Unpriced(what=w, field=f"ownership.{fields[w]}") for w, stated in asked.items() if stated is None)


def rented(one: Single, offer: Offer, on_demand_usd_per_gpu_hour: float | None = None) -> WayCost | None:
    """The plan on one cloud price; None where such units cannot hold a replica.

    Parameters
    ----------
    on_demand_usd_per_gpu_hour : what stands in while Spot is away; None: nothing is sourced. [USD/h]
    """
    catalog = one.study.catalog
    sized = size(
        catalog.accelerators[one.plan.accelerator], _ready(one, offer.option), np.array([0]), offer.accelerators
    )
    if not len(sized.at):
        return None
    units = int(sized.units[0])
    own = one.study.workload.ownership
    hour = offer.usd_per_hour
    start = _dated(offer.source, offer.row.source_date)
    storage = None
    if own.storage_usd_per_gb_month is not None:
        servers = (one.replicas + int(sized.spares[0])) * one.plan.nodes_per_replica
        storage = own.storage_usd_per_gb_month * checkpoint_bytes(one.plan, catalog) / GB * servers
    amounts: list[tuple[str, float | None, str, bool]] = [
        ("rent", hour * HOURS_PER_MONTH * units, start, offer.stale(catalog.as_of)),
        ("on_demand_fallback", _fallback(one, offer, units, on_demand_usd_per_gpu_hour), start, False),
        ("storage", storage, "ownership", False),
        ("egress", own.egress_usd_per_month, "ownership", False),
    ]
    return _way(
        one,
        _lines(amounts),
        0.0,
        0.0,
        option=offer.option,
        term=offer.term,
        provider=offer.provider,
        instance_type=offer.instance_type,
        region=offer.region,
        units=units,
        usd_per_hour=hour,
        source=offer.source,
        source_date=offer.row.source_date,
        confidence=offer.row.confidence,
        stale=offer.stale(catalog.as_of),
        sized=sized,
        accelerators=units * offer.accelerators,
        kg=None,
    )


def _fallback(one: Single, offer: Offer, units: int, on_demand_usd_per_gpu_hour: float | None) -> float | None:
    """What interruptions add to Spot: machines that start and serve nothing, and on-demand hours. [USD/month]"""
    if offer.option != "spot" or on_demand_usd_per_gpu_hour is None:
        return None
    catalog = one.study.catalog
    up = [r for r in catalog.spot if r.mean_up_hours]
    days = sum(r.days for r in catalog.spot)
    away = 1 - sum(r.available_fraction * r.days for r in catalog.spot) / days
    up_hours = sum((r.mean_up_hours or 0.0) * r.days for r in up) / sum(r.days for r in up)
    start_hours = (one.plan.load_time_s or 0.0) / SECONDS_PER_HOUR
    firm = on_demand_usd_per_gpu_hour * offer.accelerators
    hour = served_hour_usd(offer.usd_per_hour, firm, start_hours, up_hours, away)
    return (hour - offer.usd_per_hour) * HOURS_PER_MONTH * units


def _way(
    one: Single,
    lines: tuple[CostLine, ...],
    capital: float,
    residual: float,
    *,
    sized: Sized,
    accelerators: int,
    kg: float | None,
    **about: object,
) -> WayCost:
    """Totals of the lines; a purchase is an annuity in the month and a payment in the cash."""
    workload = one.study.workload
    monthly = sum(line.usd_per_month for line in lines)
    running = sum(line.usd_per_month for line in lines if line.name != "capital")
    paid = cash.payments_usd(capital, residual, running, workload.horizon_years)
    taxed = paid
    own = workload.ownership
    if own.tax_rate is not None:
        taxed = paid - cash.tax_shield_usd(
            capital, residual, running, workload.horizon_years, own.tax_rate, own.depreciation
        )
    return WayCost(
        accelerators=accelerators,
        replicas=int(sized.replicas[0]),
        spares=int(sized.spares[0]),
        indicative="_indicative" in str(about["term"]),
        availability=float(sized.ready[0]),
        meets_availability=bool(sized.reached[0]),
        lines=lines,
        usd_per_month=monthly,
        capital_usd=capital,
        residual_usd=residual,
        running_usd_per_month=running,
        total_usd=float(paid.sum()),
        npv_usd=cash.present_usd(taxed, workload.discount_rate),
        usd_per_gpu_hour=monthly / HOURS_PER_MONTH / accelerators,
        kg_co2e_per_month=kg,
        **about,
    )


def _lines(amounts: list[tuple[str, float | None, str, bool]]) -> tuple[CostLine, ...]:
    return tuple(
        CostLine(name=name, usd_per_month=usd, source=source, stale=stale)
        for name, usd, source, stale in amounts
        if usd is not None
    )


def _of(one: Single, row: Sourced, stated: bool = False) -> tuple[str, bool]:
    """Source and age of a row, unless the buyer states the figure."""
    if stated:
        return "ownership", False
    return _dated(row.source, row.source_date), one.study.catalog.as_of - row.dated > STALE_AFTER


def _dated(source: str, date: str) -> str:
    return f"{source} ({date})"


def _times(price: float | None, amount: float) -> float | None:
    return None if price is None else price * amount
