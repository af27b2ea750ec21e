"""A user's quotes laid over the catalogs, without writing them."""

from __future__ import annotations

import tempfile
from pathlib import Path
from typing import Any

from planner.catalog import Catalog
from planner.errors import WorkloadError
from planner.market.offered import Fetched, Offered, from_quotes
from planner.schema import Instance, Price, Purchase

MAX_BYTES = 1_000_000
NAME = "quotes.csv"  # in messages: the uploaded name never reaches the file system


def read_quotes(content: bytes, catalog: Catalog) -> Fetched:
    """Quotes of an uploaded CSV.

    Raises
    ------
    CatalogError, UnknownName, PlannerError
        Naming line, column, value and what is allowed.
    """
    if len(content) > MAX_BYTES:
        raise WorkloadError("{file} is larger than {max_bytes:,} bytes.", file=NAME, max_bytes=MAX_BYTES)
    with tempfile.TemporaryDirectory() as folder:
        file = Path(folder) / NAME
        file.write_bytes(content)
        return from_quotes(file, catalog)


def with_quotes(catalog: Catalog, fetched: Fetched) -> Catalog:
    """The catalogs with quotes beside the prices of clouds; a quoted purchase takes the place of the price seen.

    As with every price, a plan takes the cheapest offer of each kind.
    """
    rents = [one for one in fetched.offers if one.term != "purchase"]
    bought = {one.item: _purchase(one) for one in fetched.offers if one.term == "purchase"}
    known = {(i.provider, i.instance_type) for i in catalog.instances}
    shapes = {(o.provider, o.item): _instance(o) for o in rents if (o.provider, o.item) not in known}
    kept = tuple(p for p in catalog.purchases if p.kind != "accelerator" or p.item not in bought)
    return catalog.with_facts(
        repr(fetched.offers),
        prices=(*catalog.prices, *map(_price, rents)),
        purchases=(*bought.values(), *kept),
        instances=(*catalog.instances, *shapes.values()),
    )


def _price(offer: Offered) -> Price:
    assert offer.accelerators is not None
    return Price(
        provider=offer.provider,
        instance_type=offer.item,
        region=offer.region,
        term=offer.term,
        price_usd_per_hour=offer.price_usd,
        price_usd_per_gpu_hour=offer.price_usd / offer.accelerators,
        **_about(offer),
    )


def _purchase(offer: Offered) -> Purchase:
    return Purchase(
        item=offer.item,
        kind="accelerator",
        price_usd_low=offer.price_usd,
        price_usd_high=offer.price_usd,
        **_about(offer),
    )


def _instance(offer: Offered) -> Instance:
    assert offer.accelerator is not None and offer.accelerators is not None
    return Instance(
        provider=offer.provider,
        instance_type=offer.item,
        accelerator=offer.accelerator,
        accelerator_as_quoted=offer.accelerator,
        accelerators=float(offer.accelerators),
        **_about(offer),
    )


def _about(offer: Offered) -> dict[str, Any]:
    return {
        "source": offer.source,
        "source_date": offer.source_date,
        "confidence": "high",
        "notes": offer.notes,
    }
