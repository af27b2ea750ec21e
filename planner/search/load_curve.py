"""The load over the hours of a day, a week or a year: a recorded profile, or the user's own file."""

from __future__ import annotations

import csv
import io
from pathlib import Path

import numpy as np

from planner.catalog import Catalog
from planner.encoding import decoded
from planner.errors import Message, UnknownName, WorkloadError
from planner.search.columns import Array
from planner.search.mix import Curve
from planner.traces import load_profile

MOST_HOURS = 8784
MAX_BYTES = 1_000_000
DEFAULT = "servegen-r1-day"


def load_curve(name: str, catalog: Catalog) -> Curve:
    """A rate profile of the catalogs by name, `constant`, or a CSV file with a column rate_per_s, an hour a row.

    The shape counts; the mean is the workload's.

    Raises
    ------
    UnknownName, WorkloadError
    """
    if name == "constant":
        return Curve(name, np.ones(1))
    if Path(name).suffix or Path(name).is_file():
        return _shaped(name, _read(Path(name)))
    known = [id for id, row in catalog.traces.items() if row.kind == "rates"]
    if name not in known:
        raise UnknownName(
            "load curve", name, [*known, "constant"], Message("planner catalog ls traces, or give a CSV file")
        )
    profile = load_profile(name, catalog)
    return _shaped(name, hourly(profile.rate_per_s, profile.step_s))


def hourly(rate_per_s: Array, step_s: float) -> Array:
    """Mean rate of each hour; an hour that is not complete is left out. [1/s]

    Examples
    --------
    >>> hourly(np.array([1.0, 3.0, 5.0, 7.0, 9.0]), 1800).tolist()
    [2.0, 6.0]
    """
    each = max(round(3600 / step_s), 1)
    whole = len(rate_per_s) // each * each
    return np.asarray(rate_per_s[:whole].reshape(-1, each).mean(axis=1))


def _shaped(name: str, rates: Array) -> Curve:
    if not len(rates) or not rates.mean() > 0:
        raise WorkloadError("--load {name}: has no hour with requests.\n  Give rates above zero.", name=name)
    return Curve(Path(name).name, rates / rates.mean())


def _read(path: Path) -> Array:
    try:
        if path.stat().st_size > MAX_BYTES:
            raise WorkloadError(
                "{file} is larger than {max_bytes:,} bytes: not an hourly load curve.",
                file=path.name,
                max_bytes=MAX_BYTES,
            )
        rows = list(csv.DictReader(io.StringIO(decoded(path.read_bytes()))))
    except (OSError, ValueError, csv.Error) as error:
        raise WorkloadError("cannot read load curve {path}: {error}.", path=path, error=error) from None
    if not rows or "rate_per_s" not in rows[0]:
        raise WorkloadError(
            "{file}: no column rate_per_s.\n  Give a CSV with a header and one row for each hour.", file=path.name
        )
    if len(rows) > MOST_HOURS:
        raise WorkloadError(
            "{file}: {count} rows; at most {most_hours}, an hour each.",
            file=path.name,
            count=len(rows),
            most_hours=MOST_HOURS,
        )
    return np.array([_rate(path, line, row["rate_per_s"]) for line, row in enumerate(rows, 2)])


def _rate(path: Path, line: int, text: str | None) -> float:
    try:
        value = float(text or "")
    except ValueError:
        value = np.nan
    if not 0 <= value < 1e9:
        raise WorkloadError(
            "{file}, line {line}, column rate_per_s, value {text!r}: give a rate of 0 or more.",
            file=path.name,
            line=line,
            text=text,
        )
    return value
