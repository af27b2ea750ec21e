"""Write new prices into a folder of catalogs, keep what they replace, or change nothing at all."""

from __future__ import annotations

import csv
import io
import re
from collections.abc import Sequence
from datetime import date
from pathlib import Path

from planner.catalog import FILES, Catalog
from planner.errors import OutputError
from planner.market.compare import Comparison
from planner.market.offered import UNCHANGED, Offered
from planner.tabular import read_csv

HISTORY = "history"
Rows = list[dict[str, str]]


def write(catalog: Catalog, found: Comparison, today: date, jumps: bool = False) -> None:
    """Replace and add prices; confirmed ones get a new date; replaced rows go to `history/`.

    All files are written beside, read back, and only then renamed.

    Parameters
    ----------
    jumps : take prices that were held back, too.

    Raises
    ------
    CatalogError
        If what would be written breaks the catalogs' own rules; nothing is changed.
    OutputError
        If the folder cannot be written.
    """
    taken = [offer for change, offer in found.changes if jumps or change.kind != "held back"]
    offers = [*taken, *found.confirmed]
    texts = {name: _new_text(catalog, name, offers, taken, today) for name in ("prices.csv", "purchase_prices.csv")}
    files = {name: text for name, (text, _) in texts.items()}
    files["instances.csv"] = _instances(catalog, taken)
    files["catalog.toml"] = _as_of(catalog, today)
    kept = {name: old for name, (_, old) in texts.items() if old}
    _replace(catalog.folder, files, kept, today)


def _rows(folder: Path, name: str) -> tuple[list[str], Rows]:
    with (folder / name).open(encoding="utf-8", newline="") as stream:
        reader = csv.DictReader(stream)
        return list(reader.fieldnames or ()), list(reader)


def _text(columns: Sequence[str], rows: Rows) -> str:
    stream = io.StringIO()
    writer = csv.DictWriter(stream, columns, lineterminator="\n", extrasaction="ignore", restval="")
    writer.writeheader()
    writer.writerows(rows)
    return stream.getvalue()


def _new_text(
    catalog: Catalog, name: str, offers: list[Offered], taken: list[Offered], today: date
) -> tuple[str, Rows]:
    """New text of a price file, and the rows whose price it replaces."""
    columns, rows = _rows(catalog.folder, name)
    purchases = name == "purchase_prices.csv"
    mine = {_offer_key(o): o for o in offers if (o.term == "purchase") == purchases}
    changed = {_offer_key(o) for o in taken}
    replaced: Rows = []
    for key, number in _places(catalog, rows, purchases).items():
        offer = mine.pop(key, None)
        if offer is not None:
            replaced += [rows[number]] if key in changed else []
            rows[number] = rows[number] | (_purchase(offer) if purchases else _price(catalog, offer, rows[number]))
    added = [_purchase(o) if purchases else _price(catalog, o, {}) for o in mine.values()]
    return _text(columns, [*rows, *added]), replaced


def _places(catalog: Catalog, rows: Rows, purchases: bool) -> dict[tuple[str, ...], int]:
    """Row that counts for each thing: of several dated ones the newest, as a plan takes it."""
    places: dict[tuple[str, ...], int] = {}
    if purchases:
        for number, row in enumerate(rows):
            places.setdefault(_purchase_key(row), number)
        return places
    for number, (row, price) in enumerate(zip(rows, catalog.prices, strict=True)):
        key = _price_key(row)
        if price.usable and (key not in places or price.dated >= catalog.prices[places[key]].dated):
            places[key] = number
    return places


def _offer_key(offer: Offered) -> tuple[str, ...]:
    if offer.term == "purchase":
        return ("accelerator", offer.item)
    return offer.key


def _price_key(row: dict[str, str]) -> tuple[str, ...]:
    return row["provider"], row["instance_type"], row["zone"] or row["region"], row["term"]


def _purchase_key(row: dict[str, str]) -> tuple[str, ...]:
    return row["kind"], row["item"]


def _price(catalog: Catalog, offer: Offered, row: dict[str, str]) -> dict[str, str]:
    count = offer.accelerators or next(
        (i.accelerators for i in catalog.instances if (i.provider, i.instance_type) == (offer.provider, offer.item)),
        None,
    )
    place = {} if row else {"region": offer.region, "zone": offer.zone}
    return {
        "provider": offer.provider,
        "instance_type": offer.item,
        **place,
        "term": offer.term,
        "price_usd_per_hour": _number(offer.price_usd),
        "price_usd_per_gpu_hour": _number(offer.price_usd / count) if count else "",
        "usable": "true",
        **_about(offer),
    }


def _purchase(offer: Offered) -> dict[str, str]:
    price = _number(offer.price_usd)
    return {"item": offer.item, "kind": "accelerator", "price_usd_low": price, "price_usd_high": price, **_about(offer)}


def _about(offer: Offered) -> dict[str, str]:
    return {
        "source": offer.source,
        "source_date": offer.source_date,
        "confidence": offer.confidence,
        "unverified": "",
        "notes": offer.notes,
    }


def _number(value: float) -> str:
    return f"{value:.10g}"


def _instances(catalog: Catalog, taken: list[Offered]) -> str:
    """Shapes of quotes that are not there yet."""
    columns, rows = _rows(catalog.folder, "instances.csv")
    known = {(row["provider"], row["instance_type"]) for row in rows}
    for offer in taken:
        if offer.accelerator and offer.term != "purchase" and (offer.provider, offer.item) not in known:
            known.add((offer.provider, offer.item))
            rows.append(
                {
                    "provider": offer.provider,
                    "instance_type": offer.item,
                    "accelerator": offer.accelerator,
                    "accelerator_as_quoted": offer.accelerator,
                    "accelerators": str(offer.accelerators),
                    **_about(offer),
                }
            )
    return _text(columns, rows)


def _as_of(catalog: Catalog, today: date) -> str:
    """The day from which ages of prices count never goes back."""
    text = (catalog.folder / "catalog.toml").read_text(encoding="utf-8")
    day = max(today, catalog.as_of).isoformat()
    return re.sub(r"^as_of\s*=.*$", f'as_of = "{day}"', text, count=1, flags=re.MULTILINE)


def _replace(folder: Path, files: dict[str, str], kept: dict[str, Rows], today: date) -> None:
    """Write everything beside, read it back, then rename; what was replaced is appended to the history first."""
    beside = {folder / name: folder / f".{name}.new" for name in files}
    try:
        for (target, new), text in zip(beside.items(), files.values(), strict=True):
            new.write_text(text, encoding="utf-8")
            if target.name in FILES:
                read_csv(new, FILES[target.name])
        for name, rows in kept.items():
            _keep(folder, name, rows, today)
        for target, new in beside.items():
            new.replace(target)
    except OSError as error:
        raise OutputError(
            "cannot write catalogs in {folder}: {reason}.\n  {unchanged}",
            folder=folder,
            reason=error,
            unchanged=UNCHANGED,
        ) from None
    finally:
        for new in beside.values():
            new.unlink(missing_ok=True)


def _keep(folder: Path, name: str, rows: Rows, today: date) -> None:
    """Append replaced rows to the history of a file."""
    (folder / HISTORY).mkdir(exist_ok=True)
    file = folder / HISTORY / name
    columns = ["replaced_on", *_rows(folder, name)[0]]
    old = _rows(folder / HISTORY, name)[1] if file.is_file() else []
    new = file.with_name(f".{name}.new")
    new.write_text(
        _text(columns, [*old, *({"replaced_on": today.isoformat(), **row} for row in rows)]), encoding="utf-8"
    )
    new.replace(file)


def history(folder: Path) -> Rows:
    """Replaced rows of all price files, the oldest first."""
    found: Rows = []
    for name in ("prices.csv", "purchase_prices.csv"):
        if (folder / HISTORY / name).is_file():
            found += _rows(folder / HISTORY, name)[1]
    return sorted(found, key=lambda row: row["replaced_on"])
