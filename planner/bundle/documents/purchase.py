"""What the procurement documents tell of a plan: bill, figures with their sources, and the cash that they make."""

from __future__ import annotations

from dataclasses import dataclass

from planner.catalog import Catalog
from planner.schema import Parameter, PlanResult, Site, Workload
from planner.schema.costs import Bill, WayCost
from planner.search.cost import purchase_of
from planner.search.offers import STALE_AFTER
from planner.search.ways import Owned
from planner.units import HOURS_PER_MONTH, HOURS_PER_YEAR


@dataclass(frozen=True)
class Figure:
    """One assumption of the purchase.

    Attributes
    ----------
    key : names it, in the words of `procurement_words`
    value : None where nobody has stated it
    scales : columns of the cash flow that grow as it does
    """

    key: str
    value: float | None
    unit: str
    source: str
    source_date: str = ""
    confidence: str = ""
    stale: bool = False
    scales: tuple[str, ...] = ()


@dataclass(frozen=True)
class Purchase:
    """A plan as something to buy.

    Attributes
    ----------
    npv_usd : present cost as the planner computes it, to check the workbook against; None where it has none. [USD]
    rent : the cheapest firm cloud price, to compare with; None where none is sourced
    """

    owned: Owned
    figures: tuple[Figure, ...]
    horizon_years: float
    depreciation: str
    rent: WayCost | None

    @property
    def bill(self) -> Bill:
        """Bill of materials."""
        return self.owned.bill

    @property
    def npv_usd(self) -> float | None:
        """Present cost as the planner computes it. [USD]"""
        return self.owned.way.npv_usd if self.owned.way else None


def purchase(result: PlanResult, rank: int, catalog: Catalog) -> Purchase:
    """Gather a purchase.

    Raises
    ------
    WorkloadError
        If this plan does not follow from its workload and these catalogs.
    """
    owned, rent = purchase_of(result, rank, catalog)
    workload = result.workload
    return Purchase(
        owned, _figures(owned, rent, workload, catalog), workload.horizon_years, workload.ownership.depreciation, rent
    )


def _figures(owned: Owned, rent: WayCost | None, workload: Workload, catalog: Catalog) -> tuple[Figure, ...]:
    own, site, bill = workload.ownership, catalog.site(workload.site), owned.bill
    place = _sourced(catalog, site)
    energy = owned.energy
    model = ("calibration.csv: power_*", catalog.as_of.isoformat(), "medium", False)

    def stated(key: str, value: float | None, unit: str, *scales: str) -> Figure:
        return Figure(key, value, unit, "" if value is None else "ownership", scales=scales)

    support = catalog.parameter("maintenance_share_per_year")
    share = own.maintenance_share_per_year
    maintenance = stated("maintenance_share", share, "share", "maintenance")
    if share is None:
        maintenance = Figure("maintenance_share", support.value, "share", *_sourced(catalog, support), ("maintenance",))
    inside = bool(site.colocation_includes_energy)
    return (
        Figure("capital", bill.capital_usd, "USD", "", scales=("capital", "maintenance", "residual")),
        Figure("discount_rate", workload.discount_rate, "share", "discount_rate"),
        Figure("residual_share", own.residual_share, "share", "ownership", scales=("residual",)),
        maintenance,
        Figure("mean_kw", energy.mean_w / 1e3 if energy else None, "kW", *model, scales=("energy", "carbon")),
        Figure("peak_kw", energy.peak_w / 1e3 if energy else None, "kW", *model, scales=("demand",)),
        Figure("hours", HOURS_PER_MONTH, "h", f"{HOURS_PER_YEAR:g} h / 12", scales=("energy", "carbon")),
        Figure("tariff", site.electricity_usd_per_kwh, "USD/kWh", *place, scales=("energy",)),
        Figure("energy_apart", 0.0 if inside else 1.0, "0/1", *place),
        stated("demand_charge", own.demand_charge_usd_per_kw_month, "USD/kW/month", "demand"),
        Figure("provisioned_kw", bill.provisioned_w / 1e3, "kW", "accelerators.toml: tdp_w", scales=("colocation",)),
        Figure("colocation_price", site.colocation_usd_per_kw_month, "USD/kW/month", *place, scales=("colocation",)),
        stated("licence", own.licence_usd_per_gpu_year, "USD/year", "licences"),
        Figure("gpus", owned.fleet.servers * owned.fleet.accelerators, "-", "plan", scales=("licences",)),
        stated("staff", own.staff_usd_per_year, "USD/year", "staff"),
        stated("staff_rack", own.staff_usd_per_rack_year, "USD/year"),
        Figure("racks", bill.racks, "-", "plan"),
        stated("transit", own.transit_usd_per_month, "USD/month", "transit"),
        stated("carbon_price", own.carbon_price_usd_per_tonne, "USD/t", "carbon"),
        Figure("carbon_intensity", site.carbon_kg_per_kwh, "kg/kWh", *place, scales=("carbon",)),
        stated("tax_rate", own.tax_rate, "share", "tax"),
        _rent(rent),
    )


def _rent(rent: WayCost | None) -> Figure:
    if rent is None:
        return Figure("rent", None, "USD/month", "")
    source = f"{rent.provider}, {rent.term}, {rent.region or '-'}: {rent.source}"
    return Figure("rent", rent.usd_per_month, "USD/month", source, rent.source_date, rent.confidence, rent.stale)


def _sourced(catalog: Catalog, row: Site | Parameter) -> tuple[str, str, str, bool]:
    return row.source, row.source_date, row.confidence, catalog.as_of - row.dated > STALE_AFTER
