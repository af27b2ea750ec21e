"""Offers against the catalogs: what changed, what is new, what is confirmed, what is not taken."""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass, replace

from planner.catalog import Catalog, newest
from planner.market.offered import Fetched, Offered
from planner.schema import Price
from planner.schema.base import earliest_day
from planner.schema.market import PriceChange

JUMP = 3.0  # a price that is so many times what it was, or less than its inverse, is held back
SAME = 1e-6  # relative
FLAT = "all regions (flat)"
UNKNOWN_SHAPE = "instance type that instances.csv does not have"
OLDER = "older than the price in the catalogs"

Key = tuple[str, str, str, str]


@dataclass(frozen=True)
class Comparison:
    """Offers sorted by what they do.

    Attributes
    ----------
    changes : what differs, the largest relative changes first, with its offer
    confirmed : offers that are as the catalogs have them
    left_out : reasons with counts
    not_seen : catalog rows of the providers that were read, which no longer appear
    """

    changes: tuple[tuple[PriceChange, Offered], ...]
    confirmed: tuple[Offered, ...]
    left_out: dict[str, int]
    not_seen: int


def compare(fetched: Fetched, catalog: Catalog) -> Comparison:
    """Compare offers with the newest price of each thing in the catalogs."""
    known = {_key(p): p for p in newest(p for p in catalog.prices if p.usable)}
    shapes = {(i.provider, i.instance_type) for i in catalog.instances if i.accelerator}
    left: Counter[str] = Counter(fetched.left_out)
    changes, confirmed, seen = [], [], set()
    for offer in _cheapest(_flattened(fetched.offers, known)):
        if offer.accelerator is None and (offer.provider, offer.item) not in shapes:
            left[UNKNOWN_SHAPE] += 1
            continue
        before = _before(offer, known, catalog)
        seen.add(offer.key)
        if _older(offer, known):
            left[OLDER] += 1
        elif before is not None and abs(offer.price_usd / before[0] - 1) <= SAME:
            confirmed.append(offer)
        else:
            changes.append((_change(offer, before), offer))
    read = {offer.provider for offer in fetched.offers if offer.accelerator is None}
    # gpuhunt has one Spot price for a region, and says nothing about zones.
    zoned = {offer.provider for offer in fetched.offers if offer.zone}
    rents = ((key, price) for key, price in known.items() if price.term in ("on_demand", "spot"))
    whole = (key for key, price in rents if not price.zone or price.provider in zoned)
    gone = sum(1 for key in whole if key[0] in read and key not in seen)
    ordered = sorted(changes, key=lambda pair: (pair[0].kind == "new", -abs(pair[0].relative or 0.0), pair[0].item))
    return Comparison(tuple(ordered), tuple(confirmed), dict(left), gone)


def _key(price: Price) -> Key:
    return price.provider, price.instance_type, price.zone or price.region, price.term


def _older(offer: Offered, known: dict[Key, Price]) -> bool:
    """Would a rent take the place of a price that was seen later?"""
    price = known.get(offer.key)
    return price is not None and earliest_day(offer.source_date) < price.dated


def _flattened(offers: tuple[Offered, ...], known: dict[Key, Price]) -> list[Offered]:
    """Offers of things that the catalogs price for all regions at once, where all regions do agree."""
    prices: dict[Key, set[float]] = {}
    for offer in offers:
        prices.setdefault((offer.provider, offer.item, FLAT, offer.term), set()).add(offer.price_usd)
    found: dict[Key, Offered] = {}
    for offer in offers:
        flat = (offer.provider, offer.item, FLAT, offer.term)
        if flat in known and len(prices[flat]) == 1:
            found.setdefault(flat, replace(offer, region=FLAT, zone=""))
        else:
            key = offer.key
            if key not in found or offer.price_usd < found[key].price_usd:
                found[key] = offer
    return list(found.values())


def _cheapest(offers: list[Offered]) -> list[Offered]:
    return sorted(offers, key=lambda offer: offer.key)


def _before(offer: Offered, known: dict[Key, Price], catalog: Catalog) -> tuple[float, str] | None:
    """Price and date in the catalogs; None where they have none."""
    if offer.term == "purchase":
        row = next((p for p in catalog.purchases if p.kind == "accelerator" and p.item == offer.item), None)
        return None if row is None else ((row.price_usd_low + row.price_usd_high) / 2, row.source_date)
    price = known.get(offer.key)
    return None if price is None else (price.price_usd_per_hour, price.source_date)


def _change(offer: Offered, before: tuple[float, str] | None) -> PriceChange:
    ratio = None if before is None else offer.price_usd / before[0]
    held = ratio is not None and offer.accelerator is None and not 1 / JUMP <= ratio <= JUMP
    return PriceChange(
        kind="new" if before is None else "held back" if held else "changed",
        provider=offer.provider,
        item=offer.item,
        region=offer.zone or offer.region,
        term=offer.term,
        before_usd=None if before is None else before[0],
        before_date="" if before is None else before[1],
        after_usd=offer.price_usd,
        relative=None if ratio is None else ratio - 1,
    )
