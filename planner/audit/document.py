"""An audit as files: Markdown, or a workbook whose cells hold text and never formulas."""

from __future__ import annotations

import io
from datetime import date, datetime
from pathlib import Path

from planner.audit.finding import Translate
from planner.bundle.documents.cells import plain_text
from planner.bundle.documents.workbook import settled
from planner.errors import OutputError
from planner.report import audit as told
from planner.schema import AuditResult

WIDTHS = (8, 22, 24, 28, 48, 90)


def as_markdown(found: AuditResult, _: Translate) -> str:
    """The document."""
    return told.document(found, _)


def as_workbook(found: AuditResult, day: date, _: Translate) -> bytes:
    """A sheet of verdicts and one of evidence; the same bytes for the same audit."""
    from openpyxl import Workbook
    from openpyxl.styles import Alignment, Font

    book = Workbook()
    first = book.active
    assert first is not None
    first.title = _("Verdicts")
    evidence = book.create_sheet(_("Evidence"))
    rows = [told.headings(_), *(told.cells(one, _) for one in found.claims)]
    rows += [(one.id, _("not audited"), "", "", "", one.reason) for one in found.refused]
    heads = (_("Claim"), _("Row"), _("Field"), _("Value"), _("Source"), _("Dated"), _("Confidence"))
    some = [
        (one.id, e.row, e.field, e.value, e.source, e.source_date, e.confidence)
        for one in found.claims
        for e in one.evidence
    ]
    for sheet, lines in ((first, rows), (evidence, [heads, *some])):
        for line in lines:
            sheet.append([plain_text(cell) for cell in line])
        for cell in sheet[1]:
            cell.font = Font(bold=True)
        for letter, width in zip("ABCDEF", WIDTHS, strict=True):
            sheet.column_dimensions[letter].width = width
            for cell in sheet[letter]:
                cell.alignment = Alignment(wrap_text=True, vertical="top")
    book.properties.creator, book.properties.title = "llm-capacity-planner", plain_text(found.title)
    book.properties.created = datetime(day.year, day.month, day.day)
    content = io.BytesIO()
    book.save(content)
    return settled(content.getvalue(), day)


def write(found: AuditResult, path: Path, day: date, _: Translate, force: bool = False) -> None:
    """Write the document that the file's ending asks for, beside and then in place.

    Raises
    ------
    OutputError
        For another ending, a file that exists, or a place that cannot be written.
    """
    makers = {".md": lambda: as_markdown(found, _).encode(), ".xlsx": lambda: as_workbook(found, day, _)}
    if path.suffix.lower() not in makers:
        raise OutputError(
            "--out {file}: give a name that ends in {endings}.", file=path.name, endings=" or ".join(makers)
        )
    if path.exists() and not force:
        raise OutputError("{path} exists.\n  Next: another --out, or --force to replace it.", path=path)
    beside = path.with_name(f".{path.name}.part")
    try:
        beside.write_bytes(makers[path.suffix.lower()]())
        beside.replace(path)
    except OSError as error:
        beside.unlink(missing_ok=True)
        raise OutputError("cannot write {path}: {reason}.", path=path, reason=error) from None
