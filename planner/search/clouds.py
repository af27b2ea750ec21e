"""Every dated cloud price of an accelerator, and commitments that nobody sources: a discount, marked as such."""

from __future__ import annotations

from dataclasses import replace

from planner.catalog import Catalog
from planner.schema import Parameter, Sourced, SupplyOption, Workload
from planner.search.offers import Offer, place_allowed, rented, term_fits

TERMS: dict[str, SupplyOption] = {
    "on_demand": "on_demand",
    "capacity_block": "on_demand",
    "reserved_1y": "commitment",
    "reserved_1y_no_upfront": "commitment",
    "rental_3y": "commitment",
    "spot": "spot",
}
YEARS = {"reserved_1y": "1y", "reserved_1y_no_upfront": "1y", "rental_3y": "3y"}
INDICATIVE = {"1y": "commitment_1y_indicative", "3y": "commitment_3y_indicative"}
STATED = {"1y": "commitment_1y_stated", "3y": "commitment_3y_stated"}


def cloud_offers(catalog: Catalog, workload: Workload, accelerator: str) -> list[Offer]:
    """Usable prices of whole units with this accelerator, in catalog order, the newest of each thing."""
    priced = catalog.rented.get(accelerator, ())
    return [
        rented(TERMS[price.term], price, count)
        for price, count in priced
        if place_allowed(price, workload) and term_fits(price.term, workload)
    ]


def committed_by_discount(
    catalog: Catalog, workload: Workload, offers: list[Offer]
) -> tuple[list[Offer], tuple[str, ...]]:
    """Commitments of those who sell on demand and have no current commitment price.

    Returns
    -------
    (offers, asked)
        Offers at on-demand less the buyer's discount, else less the dated indicative one; and the years for
        which neither exists, so that the buyer is asked.
    """
    found: list[Offer] = []
    asked: list[str] = []
    current = {(o.provider, YEARS[o.term]) for o in offers if o.term in YEARS and not o.stale(catalog.as_of)}
    for years in (years for years in INDICATIVE if float(years[0]) <= workload.horizon_years):
        without = [o for o in offers if o.term == "on_demand" and (o.provider, years) not in current]
        stated = workload.ownership.commitment_discounts.get(years)  # type: ignore[call-overload]
        row = catalog.calibration.get(("commitment_discount", years))
        if stated is not None:
            found += [_at_stated(o, years, stated) for o in without]
        elif row is not None:
            found += [_at_indicative(o, years, row) for o in without]
        elif without:
            asked.append(years)
    return found, tuple(asked)


def _at_stated(offer: Offer, years: str, discount: float) -> Offer:
    """On-demand less the buyer's discount; as old and as sure as the on-demand price."""
    source = f"{offer.source} ({offer.row.source_date}), less {discount:.0%}: ownership.commitment_discounts"
    price = offer.usd_per_hour * (1 - discount)
    return replace(offer, option="commitment", term=STATED[years], usd_per_hour=price, source=source)


def _at_indicative(offer: Offer, years: str, row: Parameter) -> Offer:
    """On-demand less a dated discount; as old as the older of the two figures, and low confidence."""
    older = min((row, offer.row), key=lambda r: r.dated)
    return replace(
        offer,
        option="commitment",
        term=INDICATIVE[years],
        usd_per_hour=offer.usd_per_hour * (1 - row.value),
        row=Sourced(source=row.source, source_date=older.source_date, confidence="low"),
        source=f"{offer.source} ({offer.row.source_date}), less {row.value:.0%}: {row.source} ({row.source_date})",
    )
