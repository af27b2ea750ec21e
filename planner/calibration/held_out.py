"""Cross-validated predictions of the measured points, as `make calibrate` leaves them beside the points."""

from __future__ import annotations

import csv
import gzip
import io
import zlib
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from pathlib import Path

from planner.catalog import Catalog
from planner.errors import CatalogError, Message, MissingFact

COLUMNS = ("id", "predicted", "low", "high")


@dataclass(frozen=True)
class HeldOut:
    """Prediction in SI by a fit that has not seen the point's curve, and its 80 % interval; NaN: none."""

    predicted: float
    low: float
    high: float


def points_file(catalog: Catalog) -> Path:
    """The measured points that ship."""
    return catalog.folder / "measured" / "points.csv.gz"


def held_out_file(catalog: Catalog) -> Path:
    """Their cross-validated predictions."""
    return catalog.folder / "measured" / "held_out.csv.gz"


def read_held_out(catalog: Catalog) -> dict[str, HeldOut]:
    """Cross-validated prediction of each point by id; points that cannot be answered are absent.

    Raises
    ------
    MissingFact
        If nobody has calibrated yet.
    CatalogError
        If the file is damaged.
    """
    file = held_out_file(catalog)
    if not file.is_file():
        raise MissingFact(
            f"measured/{file.name}", Message("cross-validated prediction"), Message("the accuracy report"), _NEXT
        )
    try:
        with gzip.open(file, "rt", encoding="utf-8", newline="") as stream:
            rows = list(csv.DictReader(stream))
        return {row["id"]: HeldOut(*(_number(row[name]) for name in COLUMNS[1:])) for row in rows}
    except (OSError, EOFError, UnicodeDecodeError, csv.Error, zlib.error, KeyError, TypeError, ValueError) as error:
        raise CatalogError(
            "{file}: not a table of {columns}: {error}.\n  {next_step}",
            file=file.name,
            columns=", ".join(COLUMNS),
            error=error,
            next_step=_NEXT,
        ) from None


_NEXT = Message("Make it: make calibrate")


def write_held_out(file: Path, predictions: Mapping[str, HeldOut]) -> None:
    """Write predictions by id, the same bytes for the same numbers; written beside, then renamed."""
    text = io.StringIO()
    writer = csv.writer(text, lineterminator="\n")
    writer.writerow(COLUMNS)
    for id, one in predictions.items():
        if one.predicted == one.predicted:
            writer.writerow([id, *_spelled((one.predicted, one.low, one.high))])
    beside = file.with_suffix(".new")
    beside.write_bytes(gzip.compress(text.getvalue().encode(), mtime=0))
    beside.replace(file)


def _spelled(values: Iterable[float]) -> list[str]:
    return [f"{value:.5g}" if value == value else "" for value in values]


def _number(cell: str) -> float:
    return float(cell) if cell else float("nan")
