"""Read TOML tables and CSV rows into strict records; a bad row fails by file, line and column."""

from __future__ import annotations

import csv
import re
import tomllib
from collections.abc import Iterator
from pathlib import Path
from typing import Any, TypeVar

from pydantic import BaseModel, ValidationError

from planner.complaints import complaint
from planner.encoding import decoded
from planner.errors import CatalogError, Message

Record = TypeVar("Record", bound=BaseModel)


def read_toml(path: Path, record: type[Record]) -> dict[str, Record]:
    """Read one record per top-level table.

    Raises
    ------
    CatalogError
        Naming file, line, key, value and what is allowed.
    """
    text = _text(path)
    try:
        tables = tomllib.loads(text)
    except tomllib.TOMLDecodeError as error:
        raise CatalogError("{file}: not valid TOML: {error}.", file=path.name, error=error) from None
    return {id: _toml_record(path, text, id, table, record) for id, table in tables.items()}


def read_table(path: Path, record: type[Record]) -> Record:
    """Read a whole TOML file as one record.

    Raises
    ------
    CatalogError
        Naming file, key, value and what is allowed.
    """
    try:
        return record.model_validate(tomllib.loads(_text(path)))
    except tomllib.TOMLDecodeError as error:
        raise CatalogError("{file}: not valid TOML: {error}.", file=path.name, error=error) from None
    except ValidationError as error:
        first = error.errors()[0]
        key = str(first["loc"][0]) if first["loc"] else ""
        lines = _text(path).splitlines()
        line = next((n for n, text in enumerate(lines, 1) if text.split("=")[0].strip() == key), 1)
        raise _wrong_cell(path, line, key or "-", first) from None


def _toml_record(path: Path, text: str, id: str, table: object, record: type[Record]) -> Record:
    try:
        return record.model_validate(table)
    except ValidationError as error:
        first = error.errors()[0]
        column = ".".join(str(part) for part in first["loc"]) or "-"
        line = _toml_line(text, id, str(first["loc"][0]) if first["loc"] else "")
        raise _wrong_cell(path, line, f"[{id}] {column}", first) from None


def _toml_line(text: str, id: str, key: str) -> int:
    """Line of `key` inside table `id`, or of the table's header when the key is absent."""
    header = re.compile(rf'^\[(?:"{re.escape(id)}"|{re.escape(id)})\]')
    wanted = re.compile(rf"^{re.escape(key)}\s*=")
    start = 0
    for number, line in enumerate(text.splitlines(), 1):
        if header.match(line):
            start = number
        elif start and line.startswith("["):
            break
        elif start and key and wanted.match(line):
            return number
    return start


def read_csv(path: Path, record: type[Record]) -> tuple[Record, ...]:
    """Read one record per row; blank cells are absent, lists are joined with semicolons.

    A byte order mark, and semicolons between cells as some spreadsheets write them, are read, too.

    Raises
    ------
    CatalogError
        Naming file, line, column, value and what is allowed.
    """
    header, rows = csv_rows(path)
    _refuse_missing(path, header, record)
    return tuple(_csv_record(path, line, cells, record) for line, cells in rows)


def _refuse_missing(path: Path, header: list[str], record: type[BaseModel]) -> None:
    names = record.model_fields
    lacking = [name for name, field in names.items() if field.is_required() and name not in header]
    if lacking:
        raise CatalogError(
            "{file}, line 1: no column {lacking}; the first line has: {header}.\n  Columns: {names}.",
            file=path.name,
            lacking=", ".join(lacking),
            header=", ".join(header)[:200],
            names=", ".join(names),
        )


def csv_rows(path: Path) -> tuple[list[str], Iterator[tuple[int, dict[str, Any]]]]:
    """Header, and line number with the cells that are not blank by column.

    Raises
    ------
    CatalogError
        Naming file, line and what is wrong; for rows, when they are taken.
    """
    lines = _text(path).splitlines(keepends=True)
    semicolons = bool(lines) and ";" in lines[0] and "," not in lines[0]
    reader = csv.reader(lines, strict=True, delimiter=";" if semicolons else ",")
    try:
        header = next(reader, [])
    except csv.Error as error:
        raise CatalogError("{file}, line 1: not valid CSV: {error}.", file=path.name, error=error) from None
    return header, _csv_cells(path, reader, header)


def _csv_cells(path: Path, reader: Any, header: list[str]) -> Iterator[tuple[int, dict[str, Any]]]:
    try:
        for row in reader:
            if len(row) != len(header):
                raise CatalogError(
                    "{file}, line {line_num}: {cells} cells under {columns} columns.\n"
                    "  Quote cells that contain commas.",
                    file=path.name,
                    line_num=reader.line_num,
                    cells=len(row),
                    columns=len(header),
                )
            yield reader.line_num, {name: cell for name, cell in zip(header, row, strict=True) if cell != ""}
    except csv.Error as error:
        raise CatalogError(
            "{file}, line {line_num}: not valid CSV: {error}.", file=path.name, line_num=reader.line_num, error=error
        ) from None


def _csv_record(path: Path, line: int, cells: dict[str, Any], record: type[Record]) -> Record:
    if "unverified" in cells:
        cells["unverified"] = tuple(part.strip() for part in cells["unverified"].split(";"))
    try:
        return record.model_validate(cells)
    except ValidationError as error:
        raise wrong_row(path, line, error) from None


def wrong_row(path: Path, line: int, error: ValidationError) -> CatalogError:
    """What is wrong with the row at `line`: the first cell that a record refused."""
    first = error.errors()[0]
    return _wrong_cell(path, line, ".".join(str(part) for part in first["loc"]) or "-", first)


def _wrong_cell(path: Path, line: int, column: str, first: Any) -> CatalogError:
    value = Message(", value {value!r}", value=str(first["input"])[:80])
    return CatalogError(
        "{file}, line {line}, column {column}{value}: {msg}.",
        file=path.name,
        line=line,
        column=column,
        value="" if first["type"] == "missing" else value,
        msg=complaint(first),
    )


def _text(path: Path) -> str:
    try:
        return decoded(path.read_bytes())
    except UnicodeDecodeError:
        raise CatalogError("{name} is not UTF-8 text.", name=path.name) from None
    except OSError as error:
        raise CatalogError("cannot read catalog file {path}: {error}.", path=path, error=error) from None
