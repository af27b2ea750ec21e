"""What a mix costs beside its units: switches, racks, people, transit of what is owned; egress of what is rented.

These follow the whole fleet, in steps or once, so that no single unit has a price of them. The programme is solved
for every choice of where to own and whether to rent that such a cost could decide, each time with the cost of a
mean server in the place of the steps; the answer is the choice that costs least with the steps counted as they are.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, replace
from itertools import product

import numpy as np

from planner.catalog import Catalog
from planner.errors import WorkloadError
from planner.models import finance, power, supply
from planner.schema import Plan, Workload
from planner.schema.mix import FleetLine
from planner.search.bom import Fleet, beside_servers, bill_of
from planner.search.columns import Array
from planner.search.mix_options import Way
from planner.search.offers import maintenance_share
from planner.units import HOURS_PER_YEAR

NETWORK = ("leaf", "spine", "server_link", "switch_link")


@dataclass(frozen=True)
class FleetCosts:
    """Costs of a fleet of one plan at the sites where it may be owned."""

    workload: Workload
    catalog: Catalog
    best: Plan

    def refuse_unknown_quotes(self) -> None:
        """A misspelt quote would silently price nothing.

        Raises
        ------
        WorkloadError
        """
        if self.workload.ownership.unit_prices and "own" in self.workload.supply.options:
            count = self.catalog.accelerators[self.best.accelerator].server_accelerators
            bill_of(self.best, self.workload, self.catalog, Fleet(2, 0, count))

    def at_site(self, site: str, servers: int) -> dict[str, float | None]:
        """Switches and links, racks with the people for them, and transit; None where nobody priced it. [USD/a]"""
        asked = self.workload.model_copy(update={"site": site})
        count = self.catalog.accelerators[self.best.accelerator].server_accelerators
        beside = beside_servers(self.best, asked, self.catalog, Fleet(servers, 0, count))
        own, network = asked.ownership, [i for i in beside.items if i.role in NETWORK]
        racks = sum(i.total_usd or 0.0 for i in beside.items if i.role == "rack") or None
        priced = beside.fabric is not None and all(i.total_usd is not None for i in network)
        goods = sum(i.total_usd or 0.0 for i in network) if priced else None
        powered = self._powered_usd(asked, beside.optics_w) if network else 0.0
        return {
            "network": None if goods is None else self._capital_usd(goods) + powered,
            "rack": None if racks is None else self._capital_usd(racks),
            "rack_staff": None if own.staff_usd_per_rack_year is None else own.staff_usd_per_rack_year * beside.racks,
            "transit": None if own.transit_usd_per_month is None else 12 * own.transit_usd_per_month,
        }

    def _capital_usd(self, goods_usd: float) -> float:
        """Annuity and maintenance of goods with their installation. [USD/a]"""
        own = self.workload.ownership
        paid = goods_usd * (1 + (own.installation_share or 0.0))
        years, rate = self.workload.horizon_years, self.workload.discount_rate
        yearly = float(finance.annuity_usd(paid, own.residual_share * paid, years, rate))
        return yearly + maintenance_share(self.catalog, self.workload) * paid

    def _powered_usd(self, asked: Workload, optics_w: float) -> float:
        """Place, energy, demand charge and carbon of the optics. [USD/a]"""
        site, own = self.catalog.site(asked.site), asked.ownership
        kw = float(power.facility_power_w(optics_w, site.pue or 1.0)) / 1e3
        tariff = (site.carbon_kg_per_kwh or 0.0) / 1e3 * (own.carbon_price_usd_per_tonne or 0.0)
        tariff += 0.0 if site.colocation_includes_energy else site.electricity_usd_per_kwh or 0.0
        place = float(finance.colocation_usd_per_month(optics_w, site.colocation_usd_per_kw_month or 0.0))
        return kw * HOURS_PER_YEAR * tariff + 12 * (place + kw * (own.demand_charge_usd_per_kw_month or 0.0))

    def lines(self, found: list[Way], units: Array) -> tuple[FleetLine, ...]:
        """Costs beside the units that a mix holds."""
        own, lines = self.workload.ownership, []
        servers = owned_servers(found, units)
        for site, count in servers.items():
            for name, cost in self.at_site(site, count).items():
                label = "staff" if name == "rack_staff" else name
                lines += [FleetLine(name=label, region=site, usd_per_year=cost)] if cost else []
        if servers and own.staff_usd_per_year is not None:
            lines.append(FleetLine(name="staff", region="", usd_per_year=own.staff_usd_per_year))
        rents = any(way.offer.option != "own" and n >= 0.5 for way, n in zip(found, units, strict=True))
        if rents and own.egress_usd_per_month is not None:
            lines.append(FleetLine(name="egress", region="", usd_per_year=12 * own.egress_usd_per_month))
        return tuple(lines)

    def total_usd(self, found: list[Way], units: Array) -> float:
        """All costs beside the units. [USD/a]"""
        return sum(line.usd_per_year for line in self.lines(found, units))

    def unpriced(self, found: list[Way], units: Array) -> tuple[str, ...]:
        """Names of costs that what is held does have and nobody priced."""
        own, servers = self.workload.ownership, owned_servers(found, units)
        names: list[str] = []
        for site, count in servers.items():
            costs = self.at_site(site, count)
            names += [name for name in ("network", "rack", "transit") if costs[name] is None]
        if servers:
            blank = {
                "staff": own.staff_usd_per_year if own.staff_usd_per_rack_year is None else 1.0,
                "installation": own.installation_share,
                "licences": own.licence_usd_per_gpu_year,
                "demand": own.demand_charge_usd_per_kw_month,
                "carbon": own.carbon_price_usd_per_tonne,
            }
            names += [name for name, stated in blank.items() if stated is None]
        if any(way.offer.option != "own" and n >= 0.5 for way, n in zip(found, units, strict=True)):
            stated = {"egress": own.egress_usd_per_month, "storage": own.storage_usd_per_gb_month}
            names += [name for name, price in stated.items() if price is None]
        return tuple(dict.fromkeys(names))


def owned_servers(found: list[Way], units: Array) -> dict[str, int]:
    """Servers by site."""
    counts: dict[str, int] = {}
    for way, blocks in zip(found, units, strict=True):
        if way.offer.option == "own" and blocks >= 0.5:
            counts[way.offer.region] = counts.get(way.offer.region, 0) + round(float(blocks)) * way.units
    return counts


@dataclass(frozen=True)
class Solved:
    """The cheapest mix, costs beside the units included.

    Attributes
    ----------
    options : of the programme that gave it: what costs of the fleet rule out has no quota
    """

    mix: supply.Mix
    options: supply.Options
    usd_per_year: float


def cheapest(found: list[Way], costs: FleetCosts, load: supply.Levels) -> Solved:
    """The mix that costs least in all.

    Raises
    ------
    WorkloadError
        If all quotas together do not carry the load.
    """
    best: Solved | None = None
    refused: WorkloadError | None = None
    for options in _choices(found, costs):
        try:
            solved = _refined(found, costs, options, load)
        except WorkloadError as error:
            refused = refused or error
            continue
        if best is None or solved.usd_per_year < best.usd_per_year:
            best = solved
    if best is None:
        assert refused is not None
        raise refused
    return best


def _choices(found: list[Way], costs: FleetCosts) -> Iterator[supply.Options]:
    """All options, then those left without a site, or without rent, that costs a sum of its own."""
    own, whole = costs.workload.ownership, options_of(found)
    places = np.array([way.offer.region if way.offer.option == "own" else "" for way in found])
    sites = sorted(set(places) - {""})
    apart = [places == site for site in sites if costs.total_usd(found, 1.0 * (places == site))]
    if own.egress_usd_per_month is not None:
        apart.append(places == "")
    for kept in product((True, False), repeat=len(apart)):
        barred = np.zeros(len(found), bool)
        for group, stays in zip(apart, kept, strict=True):
            barred |= group & (not stays)
        if not barred.all():
            yield replace(whole, quota=np.where(barred, 0.0, whole.quota))


def _refined(found: list[Way], costs: FleetCosts, options: supply.Options, load: supply.Levels) -> Solved:
    """Solve with the mean server's part of the steps, at the peak and then at what that held."""
    first = _with_steps(found, costs, options, np.ceil(load.demand.max() / options.size - 1e-9))
    tries = [_counted(found, costs, first, load)]
    held = tries[0].mix.units
    if owned_servers(found, held):
        again = _with_steps(found, costs, options, np.maximum(held, 1.0))
        if not np.allclose(again.fixed_usd_per_year, first.fixed_usd_per_year):
            tries.append(_counted(found, costs, again, load))
    return min(tries, key=lambda one: one.usd_per_year)


def _with_steps(found: list[Way], costs: FleetCosts, options: supply.Options, blocks: Array) -> supply.Options:
    fixed = options.fixed_usd_per_year.copy()
    for at, way in enumerate(found):
        if way.offer.option == "own" and options.quota[at] > 0:
            servers = max(round(float(blocks[at])), 1) * way.units
            steps = {k: v for k, v in costs.at_site(way.offer.region, servers).items() if k != "transit"}
            fixed[at] += sum(v or 0.0 for v in steps.values()) / servers * way.units
    return replace(options, fixed_usd_per_year=fixed)


def _counted(found: list[Way], costs: FleetCosts, options: supply.Options, load: supply.Levels) -> Solved:
    """A solution with the true cost of its fleet."""
    mix = supply.cheapest(options, load)
    hours = (mix.served * load.hours).sum(axis=1) / options.size
    each = sum(
        u * w.fixed_usd_per_year + h * w.variable_usd_per_hour for u, h, w in zip(mix.units, hours, found, strict=True)
    )
    return Solved(mix, options, float(each) + costs.total_usd(found, mix.units))


def options_of(found: list[Way]) -> supply.Options:
    """Ways as options of the programme."""
    return supply.Options(
        fixed_usd_per_year=np.array([w.fixed_usd_per_year for w in found]),
        variable_usd_per_hour=np.array([w.variable_usd_per_hour for w in found]),
        availability=np.array([w.ready for w in found]),
        size=np.array([w.size for w in found], float),
        quota=np.array([w.quota for w in found]),
        firm=np.array([w.firm for w in found]),
    )
