"""Procurement documents of a bundle: bill of materials, workbook and request for quotation, in English and Chinese.

Whatever a user or a source wrote is made harmless before it reaches a cell; see `cells`.
"""

from __future__ import annotations

import csv
import io
from collections.abc import Mapping

from planner.bundle.documents.cells import plain_text
from planner.bundle.documents.draft import Draft
from planner.bundle.documents.purchase import Purchase, purchase
from planner.bundle.documents.purchase_words import bill_headings
from planner.bundle.documents.quotation import quotation
from planner.bundle.documents.workbook import workbook
from planner.errors import WorkloadError
from planner.i18n import translator
from planner.report.cost_words import item_name, reason, role_words
from planner.report.words import Translate, confidence_words

PLACE = "procurement"


def write(draft: Draft) -> Mapping[str, str | bytes]:
    """Files by path; where the plan does not follow from these catalogs, a note that says so and nothing else."""
    subject = draft.subject
    try:
        bought = purchase(subject.result, subject.plan.rank, draft.catalog)
    except WorkloadError as error:
        return {f"{PLACE}/NOT_WRITTEN.md": f"{error}\n"}
    found: dict[str, str | bytes] = {}
    for language, suffix in (("en", ""), ("zh", ".zh")):
        _ = translator(language)
        found[f"{PLACE}/bom{suffix}.csv"] = bill_csv(bought, _)
        found[f"{PLACE}/bom{suffix}.xlsx"] = workbook(bought, draft.subject.plan.title, draft.catalog.as_of, _)
        found[f"{PLACE}/rfq{suffix}.md"] = quotation(subject, bought, language)
    return found


def bill_csv(bought: Purchase, _: Translate) -> bytes:
    """The bill as CSV with a byte-order mark, which Excel needs to read Chinese."""
    roles, sure = role_words(_), confidence_words(_)
    total = bought.bill.capital_usd
    content = io.StringIO()
    rows = csv.writer(content, lineterminator="\r\n")
    rows.writerow(bill_headings(_))
    for item in bought.bill.items:
        power = None if item.unit_power_w is None or item.included else item.quantity * item.unit_power_w
        share = item.total_usd / total if item.total_usd is not None and total else None
        texts = item.source, item.source_date, sure.get(item.confidence, ""), _("over 180 days") if item.stale else ""
        rows.writerow(
            [
                *map(plain_text, (roles[item.role], item.item, item_name(item, _))),
                item.quantity,
                item.spare,
                _("in the server") if item.included else _number(item.unit_usd),
                _number(item.total_usd),
                _number(item.unit_usd_low),
                _number(item.unit_usd_high),
                _number(item.unit_power_w),
                _number(power),
                _number(share, 4),
                *map(plain_text, (*texts, reason(item, _))),
            ]
        )
    return content.getvalue().encode("utf-8-sig")


def _number(value: float | None, digits: int = 2) -> str:
    """Blank for what is not sourced; never zero."""
    return "" if value is None else f"{value:.{digits}f}".rstrip("0").rstrip(".")
