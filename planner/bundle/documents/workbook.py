"""The purchase as a workbook whose cells finance can follow: every total is a formula over figures with sources.

Three sheets: the bill of materials, the assumptions with what each weighs, the cash flow month by month. The bytes
depend on the plan and the catalogs alone: times inside the file are those of the catalogs.
"""

from __future__ import annotations

import io
import re
import zipfile
from collections.abc import Sequence
from datetime import date, datetime

from openpyxl import Workbook
from openpyxl.styles import Alignment, Font, PatternFill
from openpyxl.utils import get_column_letter
from openpyxl.worksheet.worksheet import Worksheet

from planner.bundle.documents.cells import Formula, plain_text
from planner.bundle.documents.purchase import Figure, Purchase
from planner.bundle.documents.purchase_words import (
    assumption_headings,
    bill_headings,
    cash_headings,
    figure_words,
    sheet_words,
    unit_words,
)
from planner.models.cash import months_of
from planner.report.cost_words import item_name, reason, role_words
from planner.report.words import Translate, confidence_words

Value = str | float | int | None
FIRST = 5  # row below title, note, blank line and headings
ASK = PatternFill("solid", start_color="FFF3C4", end_color="FFF3C4")  # to be filled in by whoever quotes
HEAD = PatternFill("solid", start_color="E4ECF7", end_color="E4ECF7")
BOLD = Font(bold=True)
MONEY, SHARE, NUMBER = "#,##0", "0.0%", "#,##0.####"
EPOCH = (1980, 1, 1, 0, 0, 0)
BILL_WIDTHS = (18, 24, 40, 9, 9, 13, 14, 13, 13, 10, 10, 10, 40, 12, 11, 14, 60)
ASSUMPTION_WIDTHS = (44, 16, 16, 12, 60, 14, 12, 14)

RUNNING = ("maintenance", "energy", "demand", "colocation", "licences", "staff", "transit", "carbon")
CASH = (
    "month", "capital", *RUNNING, "residual", "tax", "total", "factor", "present", "so_far", "rent", "rent_so_far",
    "write_off", "book",
)  # fmt: skip
AT = {name: get_column_letter(number) for number, name in enumerate(CASH, 1)}


def workbook(purchase: Purchase, title: str, day: date, _: Translate) -> bytes:
    """The file."""
    book, names = Workbook(), sheet_words(_)
    first = book.active
    assert isinstance(first, Worksheet)
    first.title = names["bill"]
    capital = _bill(first, purchase, title, _)
    at = _assumptions(book.create_sheet(names["assumptions"]), purchase, title, capital, _)
    _cash(book.create_sheet(names["cash"]), purchase, title, at, _)
    book.properties.creator, book.properties.title = "llm-capacity-planner", plain_text(title)
    book.properties.created = datetime(day.year, day.month, day.day)
    content = io.BytesIO()
    book.save(content)
    return settled(content.getvalue(), day)


# ---- bill of materials


def _bill(sheet: Worksheet, purchase: Purchase, title: str, _: Translate) -> str:
    """Lines with live totals; returns the reference of the sum of all prices."""
    note = _("Yellow: nobody has sourced this price. Enter it, and all totals follow. Prices in USD.")
    _head(sheet, title, note, bill_headings(_))
    roles, sure, items = role_words(_), confidence_words(_), purchase.bill.items
    last = FIRST + len(items) - 1
    for row, item in enumerate(items, FIRST):
        total = Formula(f'=IF(F{row}="","",D{row}*F{row})')
        values: list[Value] = [
            roles[item.role],
            item.item,
            item_name(item, _),
            item.quantity,
            item.spare,
            None if item.included else item.unit_usd,
            _("in the server") if item.included else total,
            item.unit_usd_low,
            item.unit_usd_high,
            item.unit_power_w,
            None if item.included else Formula(f'=IF(J{row}="","",D{row}*J{row})'),
            None if item.included else Formula(f"=N(G{row})/G${last + 1}"),
            item.source,
            item.source_date,
            sure.get(item.confidence, ""),
            _("over 180 days") if item.stale else None,
            reason(item, _),
        ]
        _row(sheet, row, values, {6: MONEY, 7: MONEY, 8: MONEY, 9: MONEY, 12: SHARE})
        if not item.included and item.unit_usd is None:
            sheet.cell(row, 6).fill = ASK
    _row(sheet, last + 1, [_("Together"), *[None] * 5, Formula(f"=SUM(G{FIRST}:G{last})")], {7: MONEY}, bold=True)
    _widths(sheet, BILL_WIDTHS)
    return f"'{sheet.title}'!$G${last + 1}"


# ---- assumptions


def _assumptions(sheet: Worksheet, purchase: Purchase, title: str, capital: str, _: Translate) -> dict[str, str]:
    """Figures with sources; returns where each stands."""
    note = _("Weight: share of the present cost that follows the figure. Blank: it does not act in proportion.")
    _head(sheet, title, note, assumption_headings(_))
    words, units, sure = figure_words(_), unit_words(_), confidence_words(_)
    cash, months = sheet_words(_)["cash"], months_of(purchase.horizon_years)
    for row, figure in enumerate(purchase.figures, FIRST):
        values: list[Value] = [
            words[figure.key],
            Formula(f"={capital}") if figure.key == "capital" else figure.value,
            units.get(figure.unit, figure.unit),
            _weight(figure, cash, months),
            figure.source,
            figure.source_date,
            sure.get(figure.confidence, ""),
            _("over 180 days") if figure.stale else None,
        ]
        form = SHARE if figure.unit == "share" else MONEY if figure.key in ("capital", "rent") else NUMBER
        _row(sheet, row, values, {2: form, 4: SHARE})
        if figure.value is None and figure.key != "capital":
            sheet.cell(row, 2).fill = ASK
    _widths(sheet, ASSUMPTION_WIDTHS)
    return {figure.key: f"'{sheet.title}'!$B${row}" for row, figure in enumerate(purchase.figures, FIRST)}


def _weight(figure: Figure, cash: str, months: int) -> Value:
    """Present value of the cash columns that follow a figure, over that of all."""
    if not figure.scales:
        return None
    last = FIRST + months

    def column(name: str) -> str:
        return f"'{cash}'!${AT[name]}${FIRST}:${AT[name]}${last}"

    parts = [f"SUMPRODUCT({column(name)},{column('factor')})" for name in figure.scales]
    whole = f"'{cash}'!${AT['present']}${last + 1}"
    return Formula(f"=IF({whole}=0,0,({'+'.join(parts)})/{whole})")


# ---- cash flow


def _cash(sheet: Worksheet, purchase: Purchase, title: str, at: dict[str, str], _: Translate) -> None:
    """Month 0 buys; each later one pays; the last receives what is left."""
    note = _("Positive is paid, negative received; end of each month. Owned beside the cheapest firm cloud price.")
    words = cash_headings(_)
    _head(sheet, title, note, [words[name] for name in CASH])
    months = months_of(purchase.horizon_years)
    last = FIRST + months
    for row in range(FIRST, last + 1):
        cells = _month(row, row - FIRST, months, at, purchase.depreciation)
        money = dict.fromkeys(range(2, len(CASH) + 1), MONEY)
        _row(sheet, row, [cells[name] for name in CASH], {**money, CASH.index("factor") + 1: "0.0000"})
    summed = ("capital", *RUNNING, "residual", "tax", "total", "present", "rent", "write_off")
    foot = {name: Formula(f"=SUM({AT[name]}{FIRST}:{AT[name]}{last})") for name in summed}
    foot_row: list[Value] = [_("Together"), *(foot.get(name) for name in CASH[1:])]
    _row(sheet, last + 1, foot_row, dict.fromkeys(range(2, len(CASH) + 1), MONEY), bold=True)
    if purchase.npv_usd is not None:
        check: list[Value] = [_("planner"), *[None] * (CASH.index("present") - 1), purchase.npv_usd]
        _row(sheet, last + 2, check, {CASH.index("present") + 1: MONEY})
    _widths(sheet, (12, *[13] * (len(CASH) - 1)))


def _month(row: int, month: int, months: int, at: dict[str, str], depreciation: str) -> dict[str, Value]:
    """Formulas of one month by column."""
    cost, residual = at["capital"], f"{at['capital']}*{at['residual_share']}"
    running = _running(at)
    before = {name: f"{AT[name]}{row - 1}" for name in ("so_far", "rent_so_far", "book")}
    here = {name: f"{AT[name]}{row}" for name in CASH}
    paid = f"{AT['maintenance']}{row}:{AT['carbon']}{row}"
    cells: dict[str, Value] = {name: Formula(f"={running[name]}") if month else 0 for name in RUNNING}
    written = _write_off(before["book"], cost, residual, month, months, depreciation)
    return {
        **cells,
        "month": month,
        "capital": 0 if month else Formula(f"={cost}"),
        "residual": Formula(f"=-{residual}") if month == months else 0,
        "tax": Formula(f"=-N({at['tax_rate']})*(SUM({paid})+{here['write_off']})") if month else 0,
        "total": Formula(f"=SUM({AT['capital']}{row}:{AT['tax']}{row})"),
        "factor": Formula(f"=(1+{at['discount_rate']})^(-{here['month']}/12)"),
        "present": Formula(f"={here['total']}*{here['factor']}"),
        "so_far": Formula(f"={before['so_far']}+{here['total']}" if month else f"={here['total']}"),
        "rent": Formula(f"=N({at['rent']})") if month else 0,
        "rent_so_far": Formula(f"={before['rent_so_far']}+{here['rent']}") if month else 0,
        "write_off": Formula(written) if month else 0,
        "book": Formula(f"={before['book']}-{here['write_off']}" if month else f"={cost}"),
    }


def _write_off(book: str, cost: str, residual: str, month: int, months: int, depreciation: str) -> str:
    """Book depreciation of a month, as `planner.models.cash.write_off_usd` has it."""
    if depreciation == "straight_line":
        return f"=({cost}-{residual})/{months}"
    left = months - month + 1
    return f"=MIN(MAX(2*{book}/{months},({book}-{residual})/{left}),{book}-{residual})"


def _running(at: dict[str, str]) -> dict[str, str]:
    """Formula of each running cost; a blank figure counts as nothing and is marked on its own sheet."""
    kwh = f"N({at['mean_kw']})*{at['hours']}"
    return {
        "maintenance": f"{at['capital']}*{at['maintenance_share']}/12",
        "energy": f"{kwh}*N({at['tariff']})*{at['energy_apart']}",
        "demand": f"N({at['demand_charge']})*N({at['peak_kw']})",
        "colocation": f"{at['provisioned_kw']}*N({at['colocation_price']})",
        "licences": f"N({at['licence']})*{at['gpus']}/12",
        "staff": f"(N({at['staff']})+N({at['staff_rack']})*{at['racks']})/12",
        "transit": f"N({at['transit']})",
        "carbon": f"N({at['carbon_price']})*{kwh}*N({at['carbon_intensity']})/1000",
    }


# ---- cells and bytes


def _head(sheet: Worksheet, title: str, note: str, headings: Sequence[str]) -> None:
    sheet["A1"], sheet["A2"] = plain_text(title), note
    sheet["A1"].font = Font(bold=True, size=14)
    for column, heading in enumerate(headings, 1):
        top = sheet.cell(FIRST - 1, column, heading)
        top.font, top.fill = BOLD, HEAD
        top.alignment = Alignment(wrap_text=True, vertical="top")
    sheet.freeze_panes = f"B{FIRST}"


def _row(sheet: Worksheet, row: int, values: Sequence[Value], forms: dict[int, str], bold: bool = False) -> None:
    """Only our own formulas stay formulas; every other text is made harmless."""
    for column, value in enumerate(values, 1):
        text = isinstance(value, str) and not isinstance(value, Formula)
        cell = sheet.cell(row, column, plain_text(str(value)) if text else value)
        if column in forms:
            cell.number_format = forms[column]
        if bold:
            cell.font = BOLD


def _widths(sheet: Worksheet, widths: Sequence[float]) -> None:
    for column, width in enumerate(widths, 1):
        sheet.column_dimensions[get_column_letter(column)].width = width


def settled(content: bytes, day: date) -> bytes:
    """The same archive with fixed times, stored: compressors differ between machines."""
    stamp = f"{day.isoformat()}T00:00:00Z".encode()
    new = io.BytesIO()
    with zipfile.ZipFile(io.BytesIO(content)) as old, zipfile.ZipFile(new, "w", zipfile.ZIP_STORED) as archive:
        for name in sorted(old.namelist()):
            body = old.read(name)
            if name == "docProps/core.xml":
                body = re.sub(rb"(<dcterms:(\w+)[^>]*>)[^<]*(</dcterms:\2>)", rb"\g<1>" + stamp + rb"\g<3>", body)
            entry = zipfile.ZipInfo(name, EPOCH)
            entry.external_attr, entry.create_system = 0o100644 << 16, 3
            archive.writestr(entry, body)
    return new.getvalue()
