"""Procurement documents: formulas give the planner's own figures, nothing in a cell runs, same plan same bytes."""

from __future__ import annotations

import csv
import io
import re
import zipfile
from typing import Any

import openpyxl
import pytest
from hypothesis import given
from hypothesis import strategies as st

from planner.bundle.documents.cells import plain_text
from planner.bundle.write import documents
from planner.catalog import Catalog
from planner.search.cost import purchase_of
from planner.search.plan import plan
from planner.workloads import load_workload

ATTACK = "=cmd|' /C calc'!A0"
STATED = {
    "name": ATTACK,
    "supply.options": ["own"],
    "limits.accelerators": ["h200"],
    "limits.engines": ["vllm"],
    "limits.max_gpus_per_replica": 8,
    "ownership.residual_share": 0.1,
    "ownership.staff_usd_per_year": 100_000,
    "ownership.tax_rate": 0.2,
    "ownership.demand_charge_usd_per_kw_month": 12,
}
Files = dict[str, bytes]


def files_of(catalog: Catalog, **changes: Any) -> Files:
    result = plan(load_workload("default", {**STATED, **changes}), catalog)
    return {k: v for k, v in documents(result, 1, catalog).items() if k.startswith("procurement/")}


@pytest.fixture(scope="module")
def files(catalog: Catalog) -> Files:
    return files_of(catalog)


class Sheets:
    """A workbook evaluated: the few functions that its formulas use, written anew."""

    def __init__(self, content: bytes):
        self.book = openpyxl.load_workbook(io.BytesIO(content))
        self.known: dict[tuple[str, str], Any] = {}

    def value(self, sheet: str, cell: str) -> Any:
        key = (sheet, cell.replace("$", ""))
        if key not in self.known:
            raw = self.book[sheet][key[1]].value
            formula = isinstance(raw, str) and raw.startswith("=")
            self.known[key] = self.evaluate(sheet, raw[1:]) if formula else raw
        return self.known[key]

    def many(self, sheet: str, cells: str) -> list[Any]:
        return [self.value(sheet, cell.coordinate) for row in self.book[sheet][cells.replace("$", "")] for cell in row]

    def evaluate(self, sheet: str, formula: str) -> Any:
        place = r"(?:'([^']+)'!)?(\$?[A-Z]{1,2}\$?\d+)(?::(\$?[A-Z]{1,2}\$?\d+))?"

        def read(found: re.Match[str]) -> str:
            name, first, last = found[1] or sheet, found[2], found[3]
            return f"many({name!r},'{first}:{last}')" if last else f"value({name!r},'{first}')"

        code = re.sub(place, read, formula).replace("^", "**")
        code = re.sub(r"(?<![<>=])=(?!=)", "==", code)
        number = lambda x: x if isinstance(x, int | float) else 0  # noqa: E731
        names = {
            "value": lambda s, c: "" if (v := self.value(s, c)) is None else v,
            "many": self.many,
            "SUM": lambda xs: sum(map(number, xs)),
            "SUMPRODUCT": lambda xs, ys: sum(number(x) * number(y) for x, y in zip(xs, ys, strict=True)),
            "IF": lambda test, yes, no: yes if test else no,
            "N": number,
            "MIN": min,
            "MAX": max,
        }
        try:
            return eval(code, {"__builtins__": {}}, names)  # our own formulas, from a file that we just wrote
        except ZeroDivisionError:
            return 0.0
        except TypeError:  # IF evaluates the arm that Excel would not: a blank price times pieces
            return ""


def column(book: Sheets, sheet: str, title: str) -> str:
    heads = {str(cell.value): cell.column_letter for cell in book.book[sheet][4]}
    return heads[title]


@pytest.mark.parametrize("depreciation", ["straight_line", "declining_balance"])
def test_the_workbook_gives_the_planners_figures(catalog: Catalog, depreciation: str) -> None:
    changes = {**STATED, "ownership.depreciation": depreciation}
    result = plan(load_workload("default", changes), catalog)
    owned, rent = purchase_of(result, 1, catalog)
    assert owned.way is not None and owned.bill.capital_usd is not None and rent is not None
    book = Sheets(documents(result, 1, catalog)["procurement/bom.xlsx"])
    items, months = len(owned.bill.items), 36
    assert book.value("Bill of materials", f"G{5 + items}") == pytest.approx(owned.bill.capital_usd)
    foot = 5 + months + 1
    titles = ("Present value", "Cloud", "Write-off", "Energy", "Staff", "Demand charge")
    cash = {title: book.value("Cash flow", f"{column(book, 'Cash flow', title)}{foot}") for title in titles}
    assert cash["Present value"] == pytest.approx(owned.way.npv_usd)
    for name, title in (("energy", "Energy"), ("staff", "Staff"), ("demand", "Demand charge")):
        monthly = next(part.usd_per_month for part in owned.way.lines if part.name == name)
        assert cash[title] == pytest.approx(months * monthly)
    assert cash["Cloud"] == pytest.approx(months * rent.usd_per_month)
    assert cash["Write-off"] == pytest.approx(owned.way.capital_usd - owned.way.residual_usd)


def test_weights_are_shares_of_the_present_cost(files: Files) -> None:
    book = Sheets(files["procurement/bom.xlsx"])
    weights = {book.value("Assumptions", f"A{r}"): book.value("Assumptions", f"D{r}") for r in range(5, 27)}
    parts = ("Support contract, of the purchase, a year", "Electricity", "Colocation", "Staff, fixed", "Demand charge")
    assert all(0 < weights[name] < 1 for name in parts)
    assert 0.4 < weights["Purchase, all that is priced"] < 1
    assert weights["Value left at the end, of the purchase"] < 0
    # Everything paid is one of these; tax is what is left of one.
    assert 1 < weights["Purchase, all that is priced"] + sum(weights[n] for n in parts[1:]) < 1.35


def test_an_entered_price_reaches_the_total(files: Files) -> None:
    before = Sheets(files["procurement/bom.xlsx"])
    after = Sheets(files["procurement/bom.xlsx"])
    sheet = after.book["Bill of materials"]
    row = next(r for r in range(5, 20) if sheet[f"B{r}"].value == "rack")
    assert sheet[f"F{row}"].value is None and sheet[f"F{row}"].fill.start_color.rgb == "00FFF3C4"
    sheet[f"F{row}"] = 7000
    last = next(r for r in range(5, 30) if sheet[f"A{r}"].value == "Together")
    pieces = sheet[f"D{row}"].value
    gained = after.value(sheet.title, f"G{last}") - before.value(sheet.title, f"G{last}")
    assert gained == pytest.approx(7000 * pieces)


def test_every_price_has_source_and_date(files: Files) -> None:
    rows = list(csv.DictReader(io.StringIO(files["procurement/bom.csv"].decode("utf-8-sig"))))
    assert len(rows) > 8 and {"rack", "installation"} <= {r["Id"] for r in rows}
    for row in rows:
        priced = row["Unit price"] not in ("", "in the server")
        assert not priced or (row["Source"] and row["Date"] and row["Confidence"])
        assert row["Unit price"] != "0" and row["Total price"] != "0"
    chinese = list(csv.reader(io.StringIO(files["procurement/bom.zh.csv"].decode("utf-8-sig"))))
    assert len(chinese) == len(rows) + 1 and chinese[1][0] == "服务器"


@given(st.text(max_size=30))
def test_no_text_becomes_a_formula(text: str) -> None:
    shown = plain_text(text)
    assert not shown.startswith(("=", "+", "-", "@", "\t", "\r")) and "\n" not in shown
    assert plain_text(shown) == shown


def test_what_a_user_wrote_does_not_run(files: Files) -> None:
    for name in ("procurement/bom.xlsx", "procurement/bom.zh.xlsx"):
        book = openpyxl.load_workbook(io.BytesIO(files[name]))
        for sheet in book:
            cells = [cell for row in sheet.iter_rows() for cell in row]
            assert not any(ATTACK in str(cell.value) for cell in cells)
            formulas = [cell.value for cell in cells if cell.data_type == "f"]
            assert formulas and not any("cmd" in f or "http" in f.lower() for f in formulas)
    for name in ("procurement/rfq.md", "procurement/rfq.zh.md", "procurement/bom.csv", "procurement/bom.zh.csv"):
        assert ATTACK not in files[name].decode()


def test_same_plan_same_bytes(catalog: Catalog, files: Files) -> None:
    assert files_of(catalog) == files
    with zipfile.ZipFile(io.BytesIO(files["procurement/bom.xlsx"])) as archive:
        assert {entry.date_time for entry in archive.infolist()} == {(1980, 1, 1, 0, 0, 0)}
        assert catalog.as_of.isoformat().encode() in archive.read("docProps/core.xml")


def test_acceptance_tests_come_from_the_plan(catalog: Catalog, files: Files) -> None:
    best = plan(load_workload("default", STATED), catalog).plans[0]
    for name in ("procurement/rfq.md", "procurement/rfq.zh.md"):
        text = files[name].decode()
        assert "--random-input-len 2000 --random-output-len 1000" in text and "nvidia-smi" in text
        assert f"--request-rate {best.serving.requests_per_s:.4g}" in text
        assert f"--max-concurrency {-(-best.serving.running_sequences // 1):.0f}" in text
        assert "{" not in text and "2 s" in text and "50 ms" in text
    assert "$" not in files["procurement/rfq.md"].decode()  # prices are the seller's to name
