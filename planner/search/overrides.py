"""Figures that a reader replaces, each with a reason that goes wherever the figure goes."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import Any

from planner.catalog import Catalog
from planner.errors import WorkloadError
from planner.schema import Sourced, Workload
from planner.search.change import ROWS, Change, Question, apply

KINDS = (*ROWS, "calibration", "purchases")
SINGLE = ("calibration", "purchases")  # rows of one figure: its source is that of the row
MOST_REASON = 300


@dataclass(frozen=True)
class Override:
    """One figure of the catalogs, its new value as `planner whatif --set` takes it, and why."""

    field: str
    asked: str
    reason: str

    @property
    def assignment(self) -> str:
        """As `--set` takes it."""
        return f"{self.field}={self.asked}"


def overridden(catalog: Catalog, workload: Workload, overrides: Iterable[Override]) -> Catalog:
    """The catalogs with figures replaced; a replaced figure names the reason as its source, and low confidence.

    Parameters
    ----------
    workload : any question: changes of catalog rows do not depend on it

    Raises
    ------
    UnknownName, WorkloadError
        For a figure that no row has, a value that it cannot hold, or a missing reason.
    """
    for one in overrides:
        _check(one)
        changed = apply(Question(workload, catalog), [Change(one.field, one.asked)])[0].catalog
        catalog = _marked(catalog, changed, one)
    return catalog


def _check(one: Override) -> None:
    kind = one.field.split(".")[0]
    if kind not in KINDS:
        raise WorkloadError(
            "{field}: no catalog figure. Give KIND.ROW.FIELD with one of {kinds}.\n"
            "  Fields of the question are set in its form.",
            field=one.field,
            kinds=", ".join(KINDS),
        )
    if not 0 < len(one.reason.strip()) <= MOST_REASON:
        raise WorkloadError(
            "{assignment}: say why, in up to {most_reason} characters.",
            assignment=one.assignment,
            most_reason=MOST_REASON,
        )


def _marked(before: Catalog, after: Catalog, one: Override) -> Catalog:
    """The changed rows with their own sources back, and the reason at the figures that differ."""
    kind = one.field.split(".")[0]
    if kind == "purchases":
        rows = tuple(_row(old, new, one) for old, new in zip(before.purchases, after.purchases, strict=True))
        return after.with_facts(one.reason, purchases=rows)
    old_rows: Mapping[Any, Sourced] = getattr(before, kind)
    new_rows: Mapping[Any, Sourced] = getattr(after, kind)
    marked = {key: _row(old_rows[key], new, one) for key, new in new_rows.items()}
    return after.with_facts(one.reason, **{kind: marked})


def _row(old: Sourced, new: Sourced, one: Override) -> Sourced:
    if new is old or new == old:
        return old
    differ = {name for name in type(new).model_fields if getattr(new, name) != getattr(old, name)} - {"source"}
    sources = {name: told(one.reason, getattr(old, name), old.source) for name in sorted(differ)}
    if one.field.split(".")[0] in SINGLE:
        return new.model_copy(update={"source": next(iter(sources.values())), "confidence": "low"})
    return new.model_copy(update={"source": old.source}).replacing(sources, old)


def told(reason: str, before: Any, source: str) -> str:
    """What stands in place of a source.

    Examples
    --------
    >>> told("measured in our lab", 700.0, "vendor datasheet")
    'replaced in this session: measured in our lab (before: 700, vendor datasheet)'
    """
    value = f"{before:,.6g}" if isinstance(before, int | float) and not isinstance(before, bool) else str(before)
    return f"replaced in this session: {reason.strip()} (before: {value}, {source})"
