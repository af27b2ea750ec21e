"""What `planner audit` answers."""

from __future__ import annotations

from typing import Literal

from pydantic import Field

from planner.schema.base import Strict

Verdict = Literal["holds", "conditional", "refuted", "uncheckable"]


class Evidence(Strict):
    """A catalog row or a formula behind a verdict."""

    row: str = Field(description="kind and id of the catalog row, or the formula")
    field: str = ""
    value: str = ""
    source: str = ""
    source_date: str = ""
    confidence: str = ""


class Audited(Strict):
    """What the planner finds about one claim."""

    id: str
    text: str
    kind: str
    stated: str = Field(description="as the text says it, with unit")
    unit: str
    computed: str = Field(description="what it should be")
    verdict: Verdict
    reason: str
    evidence: tuple[Evidence, ...] = ()


class RefusedClaim(Strict):
    """A claim that cannot be read, and what is missing."""

    id: str
    reason: str


class AuditResult(Strict):
    """Verdicts of all claims of a file."""

    title: str
    source: str = ""
    catalog_sha256: str
    claims: tuple[Audited, ...]
    refused: tuple[RefusedClaim, ...] = ()

    def counts(self) -> dict[Verdict, int]:
        """Claims by verdict."""
        found: dict[Verdict, int] = {"holds": 0, "conditional": 0, "refuted": 0, "uncheckable": 0}
        for one in self.claims:
            found[one.verdict] += 1
        return found
