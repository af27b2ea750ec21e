"""Ways to obtain accelerators: the cheapest dated offer of each kind, and owned servers."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from datetime import date, timedelta

import numpy as np

from planner.catalog import Catalog
from planner.errors import Message, UnknownName, WorkloadError
from planner.models import finance
from planner.schema import Accelerator, Price, Purchase, Site, Sourced, SupplyOption, Workload
from planner.search.columns import Array
from planner.units import HOURS_PER_MONTH

STALE_AFTER = timedelta(days=180)

OPTION_TERMS: dict[SupplyOption, tuple[str, ...]] = {
    "on_demand": ("on_demand",),
    "spot": ("spot",),
    "commitment": ("reserved_1y", "reserved_1y_no_upfront", "rental_3y"),
}
TERM_YEARS = {"reserved_1y": 1.0, "reserved_1y_no_upfront": 1.0, "rental_3y": 3.0}  # paid whether used or not


@dataclass(frozen=True)
class Offer:
    """One way to obtain units of some accelerator.

    Attributes
    ----------
    accelerators : accelerators in one unit [-]
    usd_per_hour : fixed price of one unit, energy of owned servers excluded [USD/h]
    capital_usd : paid at the start for one unit [USD]
    row : the price's provenance
    """

    option: SupplyOption
    term: str
    provider: str
    instance_type: str
    region: str
    accelerators: int
    usd_per_hour: float
    capital_usd: float
    row: Sourced
    source: str

    def stale(self, today: date) -> bool:
        """Is the price older than 180 days?"""
        return today - self.row.dated > STALE_AFTER


def offers(catalog: Catalog, workload: Workload, accelerator_ids: Iterable[str]) -> dict[str, list[Offer]]:
    """Offers by accelerator, for the supply options and providers that the workload allows.

    Raises
    ------
    WorkloadError
        If the workload's own price names an accelerator that no cloud unit describes.
    """
    _refuse_unknown_places(catalog, workload)
    _refuse_unknown_servers(catalog, workload)
    own = {catalog.accelerator_id(k, "prices"): v for k, v in workload.prices.items()}
    result = {}
    for id in set(accelerator_ids):
        row = catalog.accelerators[id]
        found = _rented(catalog, workload, id)
        if id in own:
            found = [_user_price(row, own[id], catalog, o) for o in workload.supply.options if o == "on_demand"]
        result[id] = found + ([o] if "own" in workload.supply.options and (o := _owned(catalog, workload, id)) else [])
    return result


def _refuse_unknown_places(catalog: Catalog, workload: Workload) -> None:
    """A misspelt provider or region would silently leave only owned plans.

    Raises
    ------
    UnknownName
    """
    asked = {"provider": workload.supply.providers, "region": workload.supply.regions}
    for kind, names in asked.items():
        known = {getattr(price, kind) for price in catalog.prices} if names else set()
        for name in names:
            if name not in known:
                raise UnknownName(kind, name, known, "planner catalog ls prices", f"supply.{kind}s")


def _refuse_unknown_servers(catalog: Catalog, workload: Workload) -> None:
    """The quote of a server with a misspelt accelerator would silently price nothing.

    Raises
    ------
    UnknownName
    """
    start = server_item("")
    for name in workload.ownership.unit_prices:
        if name.startswith(start) and name.removeprefix(start) not in catalog.accelerators:
            known = map(server_item, catalog.accelerators)
            raise UnknownName("server", name, known, "planner catalog ls accelerators", "ownership.unit_prices")


def refuse_unpriced(workload: Workload, found: dict[str, list[Offer]]) -> None:
    """A question that names accelerators and a way to get them that has no price is refused.

    Raises
    ------
    WorkloadError
    """
    if not workload.limits.accelerators or any(found.values()):
        return
    asked, ids = ", ".join(workload.supply.options), sorted(found)
    quote = Message("Give a price under [prices]")
    if workload.supply.options == ("own",):
        quote = Message("Quote the server: ownership.unit_prices.{item}", item=server_item(ids[0]))
    providers, regions = (", ".join(names) for names in (workload.supply.providers, workload.supply.regions))
    short = workload.horizon_years < max(TERM_YEARS.values()) and "commitment" in workload.supply.options
    raise WorkloadError(
        "no price: {accelerators} cannot be obtained as {asked}{seller}{place}{term}.\n"
        "  {quote}, allow another supply.options, or see: planner catalog ls prices",
        accelerators=", ".join(ids),
        asked=asked,
        seller=Message(" from {names}", names=providers) if providers else "",
        place=Message(" in {where}", where=regions) if regions else "",
        term=Message(" for a term within the horizon of {years:g} years", years=workload.horizon_years)
        if short
        else "",
        quote=quote,
    )


def _rented(catalog: Catalog, workload: Workload, accelerator: str) -> list[Offer]:
    """Cheapest offer of an accelerator per option and unit size."""
    allowed = _terms(workload)
    best: dict[tuple[str, int], tuple[Price, int]] = {}
    for price, count in catalog.rented.get(accelerator, ()):
        if price.term not in allowed or not place_allowed(price, workload):
            continue
        key = (allowed[price.term], count)
        if key not in best or price.price_usd_per_hour < best[key][0].price_usd_per_hour:
            best[key] = (price, count)
    return [rented(allowed[price.term], price, count) for price, count in best.values()]


def rented(option: SupplyOption, price: Price, accelerators: int) -> Offer:
    """What a cloud sells at a price."""
    return Offer(
        option=option,
        term=price.term,
        provider=price.provider,
        instance_type=price.instance_type,
        region=price.zone or price.region,
        accelerators=accelerators,
        usd_per_hour=price.price_usd_per_hour,
        capital_usd=0.0,
        row=price,
        source=price.source,
    )


def _terms(workload: Workload) -> dict[str, SupplyOption]:
    asked = ((term, o) for o in workload.supply.options if o != "own" for term in OPTION_TERMS[o])
    return {term: o for term, o in asked if term_fits(term, workload)}


def term_fits(term: str, workload: Workload) -> bool:
    """A commitment beyond the horizon would be paid after it."""
    return TERM_YEARS.get(term, 0.0) <= workload.horizon_years


def place_allowed(price: Price, workload: Workload) -> bool:
    """May the workload use this provider and region?"""
    supply = workload.supply
    return (not supply.providers or price.provider in supply.providers) and (
        not supply.regions or price.region in supply.regions
    )


def _user_price(row: Accelerator, usd_per_hour: float, catalog: Catalog, option: SupplyOption) -> Offer:
    count = row.server_accelerators
    source = Sourced(source="the workload's [prices]", source_date=catalog.as_of.isoformat(), confidence="high")
    return Offer(
        option,
        "user",
        "user",
        f"{count} accelerators",
        "",
        count,
        usd_per_hour * count,
        0.0,
        source,
        source.source,
    )


def _owned(catalog: Catalog, workload: Workload, id: str) -> Offer | None:
    """A server of this accelerator, paid by annuity; None where no purchase price is sourced."""
    row = catalog.accelerators[id]
    count = row.server_accelerators
    capital, priced = owned_server_usd(catalog, workload, id, count)
    if capital is None or priced is None:
        return None
    years, rate = workload.horizon_years, workload.discount_rate
    left = workload.ownership.residual_share * capital
    yearly = float(finance.annuity_usd(capital, left, years, rate)) + maintenance_share(catalog, workload) * capital
    return Offer(
        "own",
        "purchase",
        "owner",
        f"server with {count} x {row.name}",
        workload.site,
        count,
        yearly / 12 / HOURS_PER_MONTH,
        capital,
        priced[0],
        "; ".join(p.source for p in priced),
    )


def maintenance_share(catalog: Catalog, workload: Workload) -> float:
    """Yearly support contract over the purchase price: the buyer's, else the catalog's assumption. [1/a]"""
    own = workload.ownership.maintenance_share_per_year
    return catalog.parameter("maintenance_share_per_year").value if own is None else own


def server_item(accelerator: str) -> str:
    """Item of the bill of materials, and key of a quote, of a server with these accelerators."""
    return f"server-{accelerator}"


def owned_server_usd(
    catalog: Catalog, workload: Workload, id: str, count: int
) -> tuple[float | None, tuple[Sourced, ...] | None]:
    """Price of a server: the buyer's quote under `ownership.unit_prices`, else the catalog's. [USD]"""
    quote = workload.ownership.unit_prices.get(server_item(id))
    if quote is None:
        return server_usd(catalog.purchases, id, count)
    day = catalog.as_of.isoformat()
    return quote, (Sourced(source="ownership.unit_prices", source_date=day, confidence="high"),)


def server_usd(
    purchases: tuple[Purchase, ...], id: str, count: int
) -> tuple[float | None, tuple[Purchase, ...] | None]:
    """Price of a server: its accelerators and everything around them, middle of what was seen. [USD]

    A whole-rack quote is taken where the unit is a rack; an 8-GPU base is shared by unit size.
    """
    found = {(p.kind, p.item): p for p in purchases}
    gpu = found.get(("accelerator", id))
    base = found.get(("server_base", "hgx-8gpu-server-base"))
    if gpu is None or base is None or count > 8:
        return None, None
    return _middle(gpu) * count + _middle(base) * count / 8, (gpu, base)


def _middle(purchase: Purchase) -> float:
    return (purchase.price_usd_low + purchase.price_usd_high) / 2


def owned_running_usd_per_month(site: Site, provisioned_w: Array, facility_w: Array) -> tuple[Array, Array]:
    """Energy and colocation of owned hardware. [USD/month]

    Raises
    ------
    WorkloadError
        If the site lacks a tariff.
    """
    if site.electricity_usd_per_kwh is None or site.colocation_usd_per_kw_month is None:
        raise WorkloadError(
            "site {site} has no sourced electricity or colocation price; owning there cannot be "
            "priced.\n"
            "  Choose another site (planner catalog ls sites) or remove 'own' from supply.options.",
            site=site.id,
        )
    place = finance.colocation_usd_per_month(provisioned_w, site.colocation_usd_per_kw_month)
    if site.colocation_includes_energy:
        return np.zeros_like(place), place
    return finance.energy_usd_per_month(facility_w, site.electricity_usd_per_kwh), place
