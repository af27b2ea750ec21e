"""A catalog that breaks its own rules: file, line, column, value and what is allowed, for TOML and for CSV."""

from __future__ import annotations

import csv
import re
import shutil
from collections.abc import Callable
from pathlib import Path

import pytest

from planner.catalog import FILES, add_llm, load_catalog
from planner.errors import CatalogError, MissingFact, OutputError, PlannerError, UnknownName

SHIPPED = Path(__file__).resolve().parent.parent / "catalogs"
Edit = Callable[[str], str]


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    return shutil.copytree(SHIPPED, tmp_path / "catalogs")


def refusal(folder: Path, name: str, edit: Edit) -> str:
    """What reading says after one edit of one file."""
    file = folder / name
    before = file.read_text(encoding="utf-8")
    after = edit(before)
    assert after != before, "the edit changed nothing"
    file.write_text(after, encoding="utf-8")
    with pytest.raises(CatalogError) as caught:
        load_catalog(folder).everything()
    return str(caught.value)


def line_of(file: Path, pattern: str) -> int:
    """Line of the first match."""
    text = file.read_text(encoding="utf-8")
    found = re.search(pattern, text, re.MULTILINE)
    assert found
    return text.count("\n", 0, found.start()) + 1


def replaced(pattern: str, by: str) -> Edit:
    return lambda text: re.sub(pattern, by, text, count=1, flags=re.MULTILINE)


TOML = {
    "unknown key": (r"^bandwidth_bytes_per_s = ", "bandwith_bytes_per_s = ", "bandwith_bytes_per_s", "not permitted"),
    "negative": (r"^bandwidth_bytes_per_s = .*$", "bandwidth_bytes_per_s = -1.0", "'-1.0'", "greater than 0"),
    "zero": (r"^tdp_w = .*$", "tdp_w = 0", "'0'", "greater than 0"),
    "infinite": (r"^bandwidth_bytes_per_s = .*$", "bandwidth_bytes_per_s = inf", "'inf'", "finite number"),
    "wrong type": (r"^pcie_gen = .*$", 'pcie_gen = "four"', "'four'", "valid integer"),
    "out of range": (r"^pcie_gen = .*$", "pcie_gen = 9", "'9'", "less than or equal to 7"),
    "wrong choice": (r'^confidence = "\w+"', 'confidence = "certain"', "'certain'", "'high', 'medium' or 'low'"),
    "wrong date": (r'^source_date = ".*"', 'source_date = "last year"', "'last year'", "match pattern"),
}


@pytest.mark.parametrize("case", TOML)
def test_bad_toml_row(folder: Path, case: str) -> None:
    pattern, by, value, allowed = TOML[case]
    line = line_of(folder / "accelerators.toml", pattern)
    column = by.split(" = ")[0]
    message = refusal(folder, "accelerators.toml", replaced(pattern, by))
    assert message.startswith(f"accelerators.toml, line {line}, column [a6000-48gb] {column}")
    assert value in message
    assert allowed in message


def test_missing_toml_key(folder: Path) -> None:
    line = line_of(folder / "accelerators.toml", r"^\[a6000-48gb\]")
    message = refusal(folder, "accelerators.toml", replaced(r"^vendor = .*\n", ""))
    assert message.startswith(f"accelerators.toml, line {line}, column [a6000-48gb] vendor")
    assert "Field required" in message


def test_row_that_contradicts_itself(folder: Path) -> None:
    message = refusal(
        folder, "accelerators.toml", replaced(r"^memory_visible_bytes = .*$", "memory_visible_bytes = 1e9")
    )
    assert "[a6000-48gb]" in message
    assert "is not within 0.85 to 1.1 of memory_marketed_bytes" in message


def test_row_without_a_source(folder: Path) -> None:
    message = refusal(folder, "llms.toml", replaced(r"^source = .*\n", ""))
    assert message.startswith("llms.toml, line ")
    assert "source: Field required" in message


def test_unverified_column_that_is_none(folder: Path) -> None:
    message = refusal(folder, "engines.toml", replaced(r"^port = ", 'unverified = ["prot"]\nport = '))
    assert message.startswith("engines.toml, line ")
    assert "unverified names no column: prot" in message


@pytest.mark.parametrize("text", ["[a6000-48gb\n", "name = \n", "[x]\na = 1\na = 2\n", '[x]\n"'])
def test_no_toml(folder: Path, text: str) -> None:
    message = refusal(folder, "llms.toml", lambda before: text + before)
    assert message.startswith("llms.toml: not valid TOML: ")
    assert "line " in message


def test_table_that_is_a_value(folder: Path) -> None:
    assert refusal(folder, "engines.toml", lambda text: "vllm2 = 3\n" + text).startswith("engines.toml, line ")


def edited_cell(file: Path, column: str, value: str) -> tuple[int, Edit]:
    """Line, and an edit that puts a value into the first row that has one in this column."""
    with file.open(encoding="utf-8", newline="") as lines:
        rows = list(csv.reader(lines))
    at = rows[0].index(column)
    number = next(n for n, row in enumerate(rows[1:], 1) if row[at])
    assert not any("\n" in cell for row in rows[: number + 1] for cell in row)  # else rows are not lines
    rows[number][at] = value

    def edit(_: str) -> str:
        file_text = file.with_suffix(".edited")
        with file_text.open("w", encoding="utf-8", newline="") as out:
            csv.writer(out, lineterminator="\n").writerows(rows)
        text = file_text.read_text(encoding="utf-8")
        file_text.unlink()
        return text

    return number + 1, edit


CSV = [
    ("prices.csv", "price_usd_per_hour", "-3", "greater than"),
    ("prices.csv", "price_usd_per_hour", "cheap", "valid number"),
    ("prices.csv", "price_usd_per_hour", "nan", ""),
    ("prices.csv", "term", "forever", "Input should be"),
    ("prices.csv", "confidence", "sure", "'high', 'medium' or 'low'"),
    ("prices.csv", "source_date", "yesterday", "match pattern"),
    ("instances.csv", "accelerators", "-8", "greater than"),
    ("sites.csv", "pue", "0.5", "greater than or equal to 1"),
    ("sites.csv", "electricity_usd_per_kwh", "free", "valid number"),
    ("cpus.csv", "cores", "1.5", "valid integer"),
    ("drives.csv", "pcie_gen", "2", "greater than or equal to 3"),
    ("calibration.csv", "value", "", "Field required"),
    ("calibration.csv", "kind", "hoped", "Input should be"),
    ("spot.csv", "available_fraction", "1.2", "less than or equal to 1"),
]


@pytest.mark.parametrize(("name", "column", "value", "allowed"), CSV)
def test_bad_csv_cell(folder: Path, name: str, column: str, value: str, allowed: str) -> None:
    line, edit = edited_cell(folder / name, column, value)
    message = refusal(folder, name, edit)
    assert message.startswith(f"{name}, line {line}, column {column}")
    assert repr(value) in message or not value
    assert allowed in message


@pytest.mark.parametrize("name", [name for name in FILES if name.endswith(".csv")])
def test_csv_with_a_column_too_many(folder: Path, name: str) -> None:
    def widen(text: str) -> str:
        with (folder / name).open(encoding="utf-8", newline="") as lines:
            rows = list(csv.reader(lines))
        wide = [[*row, "colour" if number == 0 else "red"] for number, row in enumerate(rows)]
        with (folder / name).open("w", encoding="utf-8", newline="") as out:
            csv.writer(out, lineterminator="\n").writerows(wide)
        return (folder / name).read_text(encoding="utf-8")

    assert refusal(folder, name, widen).startswith(f"{name}, line 2, column colour, value 'red': Extra inputs")


@pytest.mark.parametrize("name", [name for name in FILES if name.endswith(".csv")])
def test_csv_with_a_cell_too_many(folder: Path, name: str) -> None:
    lines = (folder / name).read_text(encoding="utf-8").splitlines()
    message = refusal(folder, name, lambda text: f"{text}{','.join('x' * (lines[0].count(',') + 2))}\n")
    assert re.match(rf"{re.escape(name)}, line \d+: \d+ cells under \d+ columns", message)
    assert "Quote cells" in message


def test_csv_without_a_column(folder: Path) -> None:
    message = refusal(folder, "prices.csv", lambda text: text.replace("price_usd_per_hour", "price", 1))
    assert message.startswith("prices.csv, line 1: no column price_usd_per_hour; the first line has: provider, ")


def test_csv_with_an_open_quote(folder: Path) -> None:
    message = refusal(folder, "cpus.csv", lambda text: text + '"never closed')
    assert message.startswith("cpus.csv, line ")
    assert "not valid CSV" in message


@pytest.mark.parametrize("name", FILES)
def test_file_that_is_not_there(folder: Path, name: str) -> None:
    (folder / name).unlink()
    with pytest.raises(CatalogError, match=re.escape(f"cannot read catalog file {folder / name}")):
        load_catalog(folder).everything()


@pytest.mark.parametrize("name", ["llms.toml", "prices.csv"])
def test_file_that_is_no_text(folder: Path, name: str) -> None:
    (folder / name).write_bytes(b"\xff\x00")
    with pytest.raises(CatalogError, match=f"^{re.escape(name)} is not UTF-8 text"):
        load_catalog(folder).everything()


def test_no_catalogs(tmp_path: Path) -> None:
    with pytest.raises(CatalogError, match=r"catalog\.toml is missing"):
        load_catalog(tmp_path)


@pytest.mark.parametrize("text", ["as_of = [", 'version = "1"\n', 'as_of = "soon"\nversion = "1"\n', "\x00"])
def test_broken_description_of_the_catalogs(folder: Path, text: str) -> None:
    (folder / "catalog.toml").write_text(text)
    with pytest.raises(CatalogError, match=r"catalog\.toml"):
        _ = load_catalog(folder).as_of


def test_missing_parameter_is_asked_for(folder: Path) -> None:
    file = folder / "calibration.csv"
    kept = [line for line in file.read_text(encoding="utf-8").splitlines() if not line.startswith("headroom,")]
    file.write_text("\n".join(kept) + "\n", encoding="utf-8")
    with pytest.raises(MissingFact, match=r"calibration\.csv has no sourced headroom.*\n  Add the row"):
        load_catalog(folder).parameter("headroom")


def test_unknown_names_get_suggestions() -> None:
    catalog = load_catalog()
    for resolve, asked, nearest in (
        (catalog.llm_id, "llama-3.1-70", "llama-3.1-70b"),
        (catalog.accelerator_id, "mi300", "mi300x"),
        (catalog.engine_id, "slang", "sglang"),
    ):
        with pytest.raises(UnknownName) as caught:
            resolve(asked, "mine.toml")
        assert f"{asked!r} in mine.toml. Nearest: " in str(caught.value)
        assert f"'{nearest}" in str(caught.value)


def test_names_resolve_however_they_are_written() -> None:
    catalog = load_catalog()
    for written in ("DeepSeek-R1", " deepseek_r1 ", "deepseek r1", "R1"):
        assert catalog.llm_id(written) == "deepseek-r1"


def test_adding_an_llm_that_breaks_the_file_changes_nothing(tmp_path: Path) -> None:
    file = tmp_path / "llms.toml"
    file.write_text("# mine\n")
    with pytest.raises(CatalogError):
        add_llm(file, "[x]\nlayers = 3\n")
    assert file.read_text() == "# mine\n"
    assert [left.name for left in tmp_path.iterdir()] == ["llms.toml"]
    with pytest.raises(OutputError, match="cannot write"):
        add_llm(tmp_path / "absent" / "llms.toml", "[x]\n")


def test_every_refusal_is_an_expected_failure() -> None:
    assert all(issubclass(error, PlannerError) for error in (CatalogError, MissingFact, OutputError, UnknownName))
