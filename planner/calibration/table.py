"""The rows of catalogs/calibration.csv as text, for the fits that set some of them."""

from __future__ import annotations

import csv
import hashlib
from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path

from planner.calibration.bands import Interval
from planner.catalog import Catalog

Key = tuple[str, str]
Row = dict[str, str]


def read_rows(catalog: Catalog) -> list[Row]:
    """All rows, in their order."""
    with (catalog.folder / "calibration.csv").open(encoding="utf-8", newline="") as stream:
        return list(csv.DictReader(stream))


def set_values(rows: Sequence[Row], values: Mapping[Key, float], about: Mapping[str, str]) -> None:
    """Give rows new values, and with them where these come from."""
    for row in rows:
        key = (row["name"], row["scope"])
        if key in values:
            row |= {"value": f"{values[key]:.4g}", **about}


def band_row(name: str, scope: str, found: Interval, meaning: str, left_out: str, about: Mapping[str, str]) -> Row:
    """An interval of measured over predicted as a row."""
    return {
        "name": name,
        "scope": scope,
        "value": "1",
        "low": f"{found.low:.3g}",
        "high": f"{found.high:.3g}",
        "kind": "measured",
        "meaning": f"80 % interval of measured over predicted {meaning}",
        "source": f"measured over predicted with whole {left_out} left out of the fit, 10th to 90th percentile, "
        "widened until intervals from other curves hold 80 %",
        "confidence": "medium" if left_out == "curves" else "low",
        "notes": "",
        **about,
        "n": str(found.n),
    }


def stamp(catalog: Catalog, files: Iterable[Path]) -> Row:
    """Dataset and date of a fit that read some files."""
    read = list(files)
    digest = hashlib.sha256(b"".join(file.read_bytes() for file in read)).hexdigest()[:12]
    names = ", ".join(file.name for file in read)
    return {"dataset": f"measured/ {names} {digest}", "source_date": catalog.as_of.isoformat()}


def replace_rows(catalog: Catalog, rows: Sequence[Row]) -> None:
    """Write all rows beside the file, then rename."""
    file = catalog.folder / "calibration.csv"
    beside = file.with_suffix(".new")
    with beside.open("w", encoding="utf-8", newline="") as stream:
        writer = csv.DictWriter(stream, list(rows[0]), lineterminator="\n")
        writer.writeheader()
        writer.writerows(rows)
    beside.replace(file)
