"""The documentation says what is true: commands run, tables match the schema, every command is described."""

from __future__ import annotations

import re
import sys
from pathlib import Path

import pytest

sys.path.insert(0, str(Path(__file__).resolve().parent))

from refresh_docs import CONSOLE, PAGES, ROOT, run

from planner.catalog import FILES, Catalog
from planner.cli import cli
from planner.report.accuracy_doc import documents
from planner.report.reference import refresh

REFRESH = "out of date; bring it up to date with: make docs"


def blocks() -> list[tuple[str, str, str]]:
    found = []
    for page in PAGES:
        for block in CONSOLE.findall(page.read_text(encoding="utf-8")):
            command, output = block.split("\n", 1)
            found.append((page.name, command.removeprefix("$ "), output))
    return found


def settled(text: str) -> str:
    """Without trailing blanks and the time that a run took."""
    lines = "\n".join(line.rstrip() for line in text.splitlines())
    return re.sub(r"in \d+\.\d+ s", "in T s", lines).strip()


@pytest.mark.parametrize(("page", "command", "output"), blocks())
def test_console_output_is_real(page: str, command: str, output: str) -> None:
    assert settled(run(command)) == settled(output), f"{page}: output of `{command}` is {REFRESH}"


def test_the_readme_shows_commands() -> None:
    assert {page for page, _, _ in blocks()} == {page.name for page in PAGES}


@pytest.mark.parametrize("page", [*PAGES, ROOT / "catalogs" / "README.md"], ids=str)
def test_generated_blocks_are_current(page: Path, catalog: Catalog) -> None:
    assert refresh(page, catalog) == page.read_text(encoding="utf-8"), f"{page.name} is {REFRESH}"


def test_the_accuracy_report_is_current(catalog: Catalog) -> None:
    for name, text in documents(catalog).items():
        assert (ROOT / name).read_text(encoding="utf-8") == text, f"{name} is {REFRESH}"


def test_every_catalog_file_and_column_is_described(catalog: Catalog) -> None:
    assert {file.name for file in catalog.files()} == {*FILES, "catalog.toml"}
    for name, model in FILES.items():
        missing = [column for column, field in model.model_fields.items() if not field.description]
        assert not missing, f"{name}: columns without a description in planner/schema: {missing}"


@pytest.mark.parametrize("page", [page.name for page in PAGES])
def test_every_command_is_in_the_readme(page: str) -> None:
    text = (ROOT / page).read_text(encoding="utf-8")
    missing = [name for name in cli.commands if f"planner {name}" not in text]
    assert not missing, f"{page} does not mention: {missing}"
