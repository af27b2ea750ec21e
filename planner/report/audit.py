"""An audit for people: a headline, a table, a document."""

from __future__ import annotations

from collections.abc import Callable

from planner.report.tables import TextTable
from planner.schema import Audited, AuditResult, Evidence, Verdict

Translate = Callable[[str], str]
MARKS: dict[Verdict, str] = {"holds": "✓", "conditional": "~", "refuted": "✗", "uncheckable": "?"}


def verdict_words(_: Translate) -> dict[Verdict, str]:
    """Verdicts in words."""
    return {
        "holds": _("holds"),
        "conditional": _("holds under conditions"),
        "refuted": _("refuted"),
        "uncheckable": _("cannot be checked"),
    }


def headline(found: AuditResult, _: Translate) -> str:
    """How many claims stand, in a sentence."""
    counts = found.counts()
    text = _(
        "{n} claims: {holds} hold, {conditional} hold under conditions, {refuted} are refuted, {uncheckable} cannot "
        "be checked."
    )
    return text.format(n=len(found.claims), **counts)


def headings(_: Translate) -> tuple[str, ...]:
    """Of the table, and of the workbook."""
    return (_("Claim"), _("Verdict"), _("Stated"), _("Computed"), _("In words"), _("Why"))


def cells(one: Audited, _: Translate) -> tuple[str, ...]:
    """One row under `headings`."""
    verdict = f"{MARKS[one.verdict]} {verdict_words(_)[one.verdict]}"
    return (one.id, verdict, one.stated, one.computed, one.text, one.reason)


def table(found: AuditResult, _: Translate) -> TextTable:
    """Every claim in a row."""
    rows = tuple(cells(one, _) for one in found.claims)
    heads = headings(_)
    return TextTable(found.title, heads, rows, numeric_from=len(heads))


def refusals(found: AuditResult, _: Translate) -> list[str]:
    """Claims that could not be computed, with what is missing."""
    return [_("{id} is not audited: {reason}").format(id=one.id, reason=one.reason) for one in found.refused]


def document(found: AuditResult, _: Translate) -> str:
    """Markdown: headline, table, and the evidence of every claim."""
    parts = [f"# {_plain(found.title)}", _plain(found.source), headline(found, _), _markdown_table(found, _)]
    parts += [f"- {_plain(line)}" for line in refusals(found, _)]
    parts += [_("## Evidence"), *(_evidence(one, _) for one in found.claims)]
    parts.append(_("Catalogs {hash}.").format(hash=found.catalog_sha256[:8]))
    return "\n\n".join(part for part in parts if part) + "\n"


def _markdown_table(found: AuditResult, _: Translate) -> str:
    heads = headings(_)
    rows = [f"| {' | '.join(heads)} |", f"|{' --- |' * len(heads)}"]
    rows += [f"| {' | '.join(_plain(cell) for cell in cells(one, _))} |" for one in found.claims]
    return "\n".join(rows)


def _evidence(one: Audited, _: Translate) -> str:
    lines = [f"**{_plain(one.id)}**: {_plain(one.text)}"]
    lines += [f"- {_plain(evidence_line(some, _))}" for some in one.evidence]
    return "\n".join(lines)


def evidence_line(some: Evidence, _: Translate) -> str:
    """Row, field, value, source and date of one piece of evidence."""
    line = " ".join(filter(None, (some.row, some.field))) + (f" = {some.value}" if some.value else "")
    return f"{line} ({some.source}, {some.source_date})" if some.source else line


def _plain(text: str) -> str:
    """Text that Markdown shows as it stands: no table cell, link, image or tag comes out of a claim."""
    for mark in "\\`*_[]<>|#!":
        text = text.replace(mark, "\\" + mark)
    return " ".join(text.split())
