"""What every catalog row shares: strict fields and where its figures come from."""

from __future__ import annotations

import re
from collections.abc import Mapping
from datetime import date
from typing import Annotated, Literal, Self

from pydantic import BaseModel, ConfigDict, Field, PrivateAttr, StringConstraints, field_validator, model_validator

from planner.errors import Invalid

Confidence = Literal["high", "medium", "low"]
Id = Annotated[str, StringConstraints(pattern=r"^[a-z0-9][a-z0-9.+-]*$", max_length=64)]
Text = Annotated[str, StringConstraints(min_length=1)]
Positive = Annotated[float, Field(gt=0, allow_inf_nan=False)]
NonNegative = Annotated[float, Field(ge=0, allow_inf_nan=False)]
Fraction = Annotated[float, Field(ge=0, le=1)]
Count = Annotated[int, Field(ge=1)]

_DATE = re.compile(r"^(\d{4})(?:-(\d{2})(?:-(\d{2}))?|-H([12])|-Q([1-4]))?(?:\.\..+)?$")
DATE_FORMS = "YYYY, YYYY-MM, YYYY-MM-DD, YYYY-H1, YYYY-Q1 or a range A..B"


def earliest_day(source_date: str) -> date:
    """Earliest day that the date of a source allows.

    Raises
    ------
    ValueError
        For any other form, and for days that no calendar has.

    Examples
    --------
    >>> earliest_day("2026-H2"), earliest_day("2025-12..2026")
    (datetime.date(2026, 7, 1), datetime.date(2025, 12, 1))
    """
    found = _DATE.match(source_date)
    if found is None:
        raise Invalid("not a date of a source: {source_date!r}", source_date=source_date)
    year, month, day, half, quarter = found.groups()
    first = int(month or 1) if not half and not quarter else 0
    month_number = first or (6 * int(half) - 5 if half else 3 * int(quarter) - 2)
    return date(int(year), month_number, int(day or 1))


class Strict(BaseModel):
    """Frozen, and a key that it does not know is an error."""

    # Validators are built when a model is first used: a command pays only for the records it reads.
    model_config = ConfigDict(extra="forbid", frozen=True, str_strip_whitespace=True, defer_build=True)


class CatalogInfo(Strict):
    """The catalogs as a whole."""

    as_of: date = Field(description="day on which the catalogs were closed")
    version: Text = Field(description="version of the catalogs")


class Provenance(Strict):
    """Where one figure comes from."""

    row: str
    field: str
    source: Text
    source_date: Text
    confidence: Confidence


class Sourced(Strict):
    """A row whose every figure can be followed to a source."""

    source: Text = Field(description="where the figures come from")
    source_date: str = Field(
        pattern=_DATE.pattern,
        description=f"date of the source: {DATE_FORMS}",
    )
    confidence: Confidence = Field(
        description="high: provider or vendor document, or two sources agree; "
        "medium: one third party; low: estimate, undated or conflicting"
    )
    unverified: tuple[str, ...] = Field(
        (), description="columns of this row recalled without a document at hand: low confidence"
    )
    notes: str = Field("", description="caveats of the source")
    _replaced: dict[str, str] = PrivateAttr(default_factory=dict)  # figures of a reader's own, with their sources

    @field_validator("source_date")
    @classmethod
    def _is_a_date(cls, value: str) -> str:
        earliest_day(value)
        return value

    @model_validator(mode="after")
    def _unverified_are_columns(self) -> Sourced:
        unknown = set(self.unverified) - set(type(self).model_fields)
        if unknown:
            raise Invalid("unverified names no column: {unknown}", unknown=", ".join(sorted(unknown)))
        return self

    def provenance(self, row: str, field: str) -> Provenance:
        """Source, date and confidence of one figure of this row."""
        own = self._replaced.get(field)
        confidence: Confidence = "low" if own or field in self.unverified else self.confidence
        source = own or self.source
        return Provenance(row=row, field=field, source=source, source_date=self.source_date, confidence=confidence)

    def replacing(self, sources: Mapping[str, str], before: Sourced) -> Self:
        """The row with sources of its own for some figures, beside those that the row before it had."""
        other = self.model_copy()
        other._replaced = {**before._replaced, **sources}
        return other

    @property
    def dated(self) -> date:
        """Earliest day that `source_date` allows: an undated figure counts as old."""
        return earliest_day(self.source_date)
