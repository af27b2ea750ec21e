"""Prices as they are offered today, in one form whatever they come from."""

from __future__ import annotations

import contextlib
import itertools
import logging
import math
import os
import re
import socket
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from datetime import date
from pathlib import Path
from typing import Any

from planner.catalog import Catalog
from planner.errors import Message, PlannerError, Told, UnknownName
from planner.schema.base import Confidence, earliest_day
from planner.schema.market import Quote
from planner.tabular import read_csv

# gpuhunt's name of a provider, and ours.
PROVIDERS = {"aws": "aws", "azure": "azure", "gcp": "gcp", "lambdalabs": "lambda", "nebius": "nebius", "oci": "oci"}
RECORDED = "GPUHUNT_CATALOG_DIR"  # gpuhunt reads provider files from here instead of the network
TIMEOUT_S = 30.0
UNCHANGED = Message("Nothing was changed.")
NO_PRICE = "no price, or zero"


@dataclass(frozen=True)
class Offered:
    """One price.

    Attributes
    ----------
    accelerator, accelerators : what a user's quote is for; None where the instance type says it
    zone : availability zone of a Spot price; empty: it is for the region
    """

    provider: str
    item: str
    region: str
    term: str
    price_usd: float
    source: str
    source_date: str
    accelerator: str | None = None
    accelerators: int | None = None
    notes: str = ""
    zone: str = ""
    confidence: Confidence = "high"

    @property
    def key(self) -> tuple[str, str, str, str]:
        """What the price is of: provider, item, zone or region, term."""
        return self.provider, self.item, self.zone or self.region, self.term


@dataclass(frozen=True)
class Fetched:
    """What was read, and what could not be.

    Attributes
    ----------
    left_out : prices that are none, by reason
    """

    offers: tuple[Offered, ...]
    sources: tuple[str, ...]
    failed: tuple[str, ...]
    left_out: dict[str, int] = field(default_factory=dict)


def from_gpuhunt(providers: Sequence[str], today: str) -> Fetched:
    """Current prices of clouds through gpuhunt.

    Raises
    ------
    UnknownName
        For a provider that gpuhunt does not publish.
    PlannerError
        Without gpuhunt, or without a network.
    """
    asked = [_theirs(name) for name in providers] or list(PROVIDERS)
    hunter, version = _open()
    offers: list[Offered] = []
    sources, failed, unusable = [], [], 0
    for name in asked:
        items = _items(hunter, name)
        if not items:
            failed.append(PROVIDERS[name])
            continue
        found = hunter.catalog.get(name)
        source = f"gpuhunt {version}, {name}" + (f" catalog {found.version}" if found else ", recorded file")
        sources.append(source)
        good = [one for item in items if (one := _offered(item, PROVIDERS[name], source, today))]
        unusable += len(items) - len(good)
        offers += good
    if not offers:
        raise PlannerError(
            "no prices could be read of {failed}.\n  {unchanged} Try again with a network.",
            failed=", ".join(failed),
            unchanged=UNCHANGED,
        )
    left = {NO_PRICE: unusable} if unusable else {}
    return Fetched(tuple(offers), tuple(sources), tuple(failed), left)


def _theirs(name: str) -> str:
    for theirs, ours in PROVIDERS.items():
        if name.lower() in (theirs, ours):
            return theirs
    raise UnknownName("provider", name, PROVIDERS.values(), "planner catalog refresh --help")


def _open() -> tuple[Any, str]:
    """gpuhunt's catalog, loaded, and its version."""
    try:
        import gpuhunt
        from gpuhunt.version import __version__ as version
    except ImportError:
        raise PlannerError(
            "planner catalog refresh reads current prices through gpuhunt, which is not installed.\n"
            "  {unchanged} Install it: pip install 'llm-capacity-planner[prices]'",
            unchanged=UNCHANGED,
        ) from None
    hunter = gpuhunt.Catalog(balance_resources=False, auto_reload=False)
    if not os.environ.get(RECORDED):
        with _quiet():
            try:
                hunter.load()
            except (gpuhunt.GPUHuntError, OSError) as error:
                reason = str(error.__cause__ or error)
                raise PlannerError(
                    "prices cannot be fetched: {reason}. Is there a network?\n"
                    "  {unchanged} Import your own quotes instead: planner catalog refresh --quotes FILE.csv",
                    reason=reason,
                    unchanged=UNCHANGED,
                ) from None
    return hunter, str(version)


@contextlib.contextmanager
def _quiet() -> Iterator[None]:
    """gpuhunt logs tracebacks of what it survives, and waits for a server for ever."""
    loggers, timeout = [logging.getLogger(name) for name in _loggers()], socket.getdefaulttimeout()
    before = [logger.disabled for logger in loggers]
    for logger in loggers:
        logger.disabled = True
    socket.setdefaulttimeout(TIMEOUT_S)
    try:
        yield
    finally:
        socket.setdefaulttimeout(timeout)
        for logger, disabled in zip(loggers, before, strict=True):
            logger.disabled = disabled


def _loggers() -> list[str]:
    return sorted(name for name in logging.root.manager.loggerDict if name.split(".")[0] == "gpuhunt")


def _items(hunter: Any, name: str) -> list[Any]:
    """Offers with accelerators; none where the provider's file is not there."""
    with _quiet():
        try:
            return list(hunter.query(provider=name, min_gpu_count=1))
        except OSError:
            return []


def _offered(item: Any, provider: str, source: str, today: str) -> Offered | None:
    """One of gpuhunt's offers; None where it has no price: zero is not a price."""
    price = float(item.price)
    if not price > 0 or not math.isfinite(price):
        return None
    name = item.instance_name.replace(" ", "_") if provider == "nebius" else item.instance_name
    term = "spot" if item.spot else "on_demand"
    return Offered(provider, name, _region(provider, item.location), term, price, source, today)


def _region(provider: str, location: str) -> str:
    """Region of a location; Google's are zones.

    Examples
    --------
    >>> _region("gcp", "us-central1-a"), _region("aws", "us-east-1")
    ('us-central1', 'us-east-1')
    """
    return re.sub(r"-[a-z]$", "", location) if provider == "gcp" else location


def refuse_future(fetched: Fetched, today: date) -> None:
    """A price of tomorrow would count as the newest for ever, and never as old.

    Raises
    ------
    PlannerError
        Naming the offer and its date.
    """
    for offer in fetched.offers:
        if earliest_day(offer.source_date) > today:
            raise PlannerError(
                "the price of {provider} {item} is dated {source_date}, in the future; today is {today}.\n"
                "  {unchanged}",
                provider=offer.provider,
                item=offer.item,
                source_date=offer.source_date,
                today=today,
                unchanged=UNCHANGED,
            )


def from_quotes(path: Path, catalog: Catalog) -> Fetched:
    """A user's own quotes from a CSV file.

    Raises
    ------
    CatalogError, UnknownName, PlannerError
        Naming file, line, column, value and what is allowed.
    """
    rows = read_csv(path, Quote)
    if not rows:
        raise PlannerError(
            "{file}: no quotes.\n  Columns: {columns}. {unchanged}",
            file=path.name,
            columns=", ".join(Quote.model_fields),
            unchanged=UNCHANGED,
        )
    places = (Message("{file}, line {line}", file=path.name, line=line) for line in itertools.count(2))
    offers = [_quoted(row, catalog, where) for row, where in zip(rows, places, strict=False)]
    return Fetched(tuple(offers), (f"quotes in {path.name}",), ())


def _quoted(row: Quote, catalog: Catalog, where: Told) -> Offered:
    id = catalog.accelerator_id(row.accelerator, where)
    item = id if row.term == "purchase" else f"quote-{row.accelerators}x-{id}"
    told = f"{row.price:,.6g} {row.currency} at {row.usd_per_unit:g} USD" if row.currency != "USD" else ""
    seller = f"provider: {row.provider}" if row.provider != row.provider_id else ""
    notes = "; ".join(filter(None, (row.notes, seller, told)))
    return Offered(
        row.provider_id, item, row.region, row.term, row.price_usd, f"quote: {row.source}", row.source_date,
        id, row.accelerators, notes,
    )  # fmt: skip
