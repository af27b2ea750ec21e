"""A trace or a profile by what a workload calls it: a name in the catalogs, or a file."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import TypeVar

from planner.catalog import Catalog
from planner.errors import WorkloadError
from planner.models.traffic import RateProfile, Tokens, Trace
from planner.traces.read import read_profile, read_trace
from planner.traces.shipped import load_lengths, load_profile, load_trace

Found = TypeVar("Found")


def choose_trace(name: str, catalog: Catalog) -> Trace:
    """A shipped trace, or that of a file.

    Raises
    ------
    UnknownName, WorkloadError
        If neither has that name, or the file is no trace.
    """
    return _choose(name, catalog, "requests", load_trace, read_trace)


def choose_profile(name: str, catalog: Catalog) -> RateProfile:
    """A shipped rate profile, or that of a file; raises as `choose_trace` does."""
    return _choose(name, catalog, "rates", load_profile, read_profile)


def choose_lengths(name: str, catalog: Catalog) -> tuple[Tokens, Tokens]:
    """Prompt and answer lengths that belong together: a shipped list, or those of a trace. [token]"""
    row = catalog.traces.get(name)
    if row is not None and row.kind == "lengths":
        return load_lengths(name, catalog)
    trace = choose_trace(name, catalog)
    return trace.input_tokens, trace.output_tokens


def is_shipped(name: str, catalog: Catalog) -> bool:
    """Whether the catalogs hold it, so that no file is read."""
    return name in catalog.traces


def _choose(
    name: str, catalog: Catalog, kind: str, load: Callable[[str, Catalog], Found], read: Callable[[Path], Found]
) -> Found:
    if is_shipped(name, catalog) or (not Path(name).suffix and Path(name).parent == Path()):
        return load(name, catalog)
    if not Path(name).is_file():
        known = ", ".join(id for id, row in catalog.traces.items() if row.kind == kind)
        raise WorkloadError("no file {name!r}.\n  Give a CSV or JSONL file, or one of {known}.", name=name, known=known)
    return read(Path(name))
