"""Prices from a file of SkyPilot's public catalog: catalogs/VERSION/CLOUD/vms.csv, and copies of it.

Layout: the README of github.com/skypilot-org/skypilot-catalog. On-demand prices hold for a region, Spot prices for
a zone where the cloud has one; both are for the whole instance. A Spot price that equals the on-demand one is where
AWS reports no capacity. Google's rows price host and accelerators apart and are refused.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable
from pathlib import Path

from pydantic import ValidationError

from planner.catalog import Catalog
from planner.errors import CatalogError, PlannerError, UnknownName
from planner.market.offered import NO_PRICE, UNCHANGED, Fetched, Offered
from planner.schema.base import DATE_FORMS, earliest_day
from planner.schema.market import SkyPilotRow
from planner.tabular import csv_rows, wrong_row

MAX_BYTES = 64_000_000  # the largest, that of AWS, has 5 MB
NEEDED = ("InstanceType", "AcceleratorName", "AcceleratorCount", "Price", "SpotPrice", "Region")
APART = "gcp"
NO_SPOT = "Spot price that equals on-demand: no capacity"
OTHER_COUNT = "other number of accelerators than instances.csv"


def from_skypilot(path: Path, provider: str, dated: str, catalog: Catalog) -> Fetched:
    """Prices of one cloud.

    Parameters
    ----------
    provider : whose prices; empty: the name of the file's folder
    dated : when the file was recorded, in any form that the catalogs take

    Raises
    ------
    CatalogError, UnknownName, PlannerError
        Naming file, line, column, value and what is allowed.
    """
    cloud = _cloud(path, provider, catalog)
    _check_date(dated)
    rows = list(_rows(path))
    if not rows:
        raise PlannerError(
            "{file}: no instances with accelerators.\n  {unchanged}", file=path.name, unchanged=UNCHANGED
        )
    left: Counter[str] = Counter()
    counts = {i.instance_type: i.accelerators for i in catalog.instances if i.provider == cloud}
    source = f"skypilot-catalog, {'/'.join(path.parts[-3:])}"
    offers: list[Offered] = []
    for row in rows:
        if counts.get(row.instance_type, row.accelerators) != row.accelerators:
            left[OTHER_COUNT] += 1
            continue
        offers += _offers(row, cloud, source, dated, left)
    return Fetched(tuple(offers), (source,), (), dict(left))


def _cloud(path: Path, provider: str, catalog: Catalog) -> str:
    known = sorted({i.provider for i in catalog.instances if i.accelerator} - {APART})
    name = provider.lower() or path.resolve().parent.name
    if name == APART:
        raise PlannerError(
            "SkyPilot's file for Google prices host and accelerators apart, so that no row is an "
            "instance's price.\n"
            "  {unchanged} Use: planner catalog refresh --provider gcp",
            unchanged=UNCHANGED,
        )
    if name not in known:
        if not provider:
            raise PlannerError(
                "{file}: whose prices are these? Its folder is called {name!r}.\n"
                "  Name the cloud with --provider: {known}. {unchanged}",
                file=path.name,
                name=name,
                known=", ".join(known),
                unchanged=UNCHANGED,
            )
        raise UnknownName("provider", provider, known, "planner catalog ls instances")
    return name


def _check_date(dated: str) -> None:
    try:
        earliest_day(dated)
    except ValueError:
        raise PlannerError(
            "--dated {dated!r}: SkyPilot's files carry no date, so say when this one was copied.\n"
            "  {date_forms}. {unchanged}",
            dated=dated,
            date_forms=DATE_FORMS,
            unchanged=UNCHANGED,
        ) from None


def _rows(path: Path) -> Iterable[SkyPilotRow]:
    """Instances with accelerators."""
    try:
        size = path.stat().st_size
    except OSError as error:
        raise CatalogError(
            "cannot read {path}: {reason}.\n  {unchanged}", path=path, reason=error, unchanged=UNCHANGED
        ) from None
    if size > MAX_BYTES:
        raise CatalogError(
            "{file} has {size:,} bytes; at most {max_bytes:,} are read.\n  {unchanged}",
            file=path.name,
            size=size,
            max_bytes=MAX_BYTES,
            unchanged=UNCHANGED,
        )
    header, rows = csv_rows(path)
    if missing := [name for name in NEEDED if name not in header]:
        raise CatalogError(
            "{file}: not a vms.csv of SkyPilot's catalog: no column {missing}.\n  {unchanged}",
            file=path.name,
            missing=", ".join(missing),
            unchanged=UNCHANGED,
        )
    for line, cells in rows:
        if cells.get("InstanceType") and cells.get("AcceleratorName"):
            try:
                yield SkyPilotRow.model_validate(cells)
            except ValidationError as error:
                raise wrong_row(path, line, error) from None


def _offers(row: SkyPilotRow, cloud: str, source: str, dated: str, left: Counter[str]) -> Iterable[Offered]:
    if row.price:
        yield _offered(row, cloud, source, dated, "on_demand", row.price)
    else:
        left[NO_PRICE] += 1
    if row.spot and row.spot != row.price:
        yield _offered(row, cloud, source, dated, "spot", row.spot)
    elif row.spot is not None:
        left[NO_SPOT if row.spot else NO_PRICE] += 1


def _offered(row: SkyPilotRow, cloud: str, source: str, dated: str, term: str, price: float) -> Offered:
    zone = row.zone if term == "spot" else ""
    return Offered(cloud, row.instance_type, row.region, term, price, source, dated, zone=zone, confidence="medium")
