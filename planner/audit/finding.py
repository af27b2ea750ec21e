"""What a checker is given, and what it says."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from dataclasses import dataclass, field
from pathlib import Path

from planner.catalog import Catalog
from planner.schema import Evidence, Verdict

Translate = Callable[[str], str]

# From best to worst; a claim of several figures is as good as the worst of them.
ORDER: tuple[Verdict, ...] = ("holds", "conditional", "uncheckable", "refuted")


@dataclass(frozen=True)
class Context:
    """What checkers look things up in."""

    catalog: Catalog
    _: Translate
    folder: Path | None = None


@dataclass(frozen=True)
class Finding:
    """Verdict of one claim, or of one figure in it."""

    verdict: Verdict
    reason: str
    stated: str = ""
    computed: str = ""
    unit: str = ""
    evidence: tuple[Evidence, ...] = field(default=())


def worst(verdicts: Iterable[Verdict]) -> Verdict:
    """The worst of several verdicts.

    Examples
    --------
    >>> worst(["holds", "refuted", "conditional"])
    'refuted'
    """
    return max(verdicts, key=ORDER.index)


def together(parts: Iterable[Finding]) -> Finding:
    """One finding of several figures."""
    found = list(parts)
    return Finding(
        worst(part.verdict for part in found),
        " ".join(dict.fromkeys(part.reason for part in found if part.reason)),
        "; ".join(part.stated for part in found if part.stated),
        "; ".join(part.computed for part in found if part.computed),
        found[0].unit,
        tuple(dict.fromkeys(one for part in found for one in part.evidence)),
    )


def evidence(context: Context, id: str, name: str, value: str) -> Evidence:
    """A figure of a catalog row with its source."""
    kind, row_id, row = context.catalog.find(id)
    came = row.provenance(row_id, name.partition(".")[0])
    return Evidence(
        row=f"{kind} {row_id}", field=name, value=value, source=came.source, source_date=came.source_date,
        confidence=came.confidence,
    )  # fmt: skip


def formula(text: str, value: str = "") -> Evidence:
    """A computation as evidence."""
    return Evidence(row=text, value=value)
