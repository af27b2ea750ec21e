"""Bring the generated parts of the documentation up to date: `make docs`.

Console blocks of README.md start with `$ planner …`; their output is made anew. Tables of
catalogs/README.md come from the schema and the catalogs. docs/ACCURACY.md and its charts come from the
measured points and the cross-validated predictions that `make calibrate` leaves beside them.
"""

from __future__ import annotations

import os
import re
import subprocess
import sys
from pathlib import Path

from planner.catalog import load_catalog
from planner.errors import PlannerError
from planner.report.accuracy_doc import documents
from planner.report.reference import refresh

ROOT = Path(__file__).resolve().parent.parent
PAGES = (ROOT / "README.md", ROOT / "README.zh.md")
CONSOLE = re.compile(r"```console\n(.*?)```", re.DOTALL)


def run(command: str) -> str:
    """Output of a command line that starts with `planner`, as a pipe sees it."""
    arguments = command.split()
    assert arguments[0] == "planner", command
    environment = {**os.environ, "PLANNER_LANG": "en", "PYTHONPATH": str(ROOT)}
    return subprocess.run(
        [sys.executable, "-m", "planner", *arguments[1:]],
        capture_output=True, text=True, check=True, env=environment, cwd=ROOT,
    ).stdout  # fmt: skip


def console(block: str) -> str:
    """A console block with the output of its command."""
    command = block.splitlines()[0].removeprefix("$ ")
    lines = [line.rstrip() for line in run(command).splitlines()]
    return "\n".join([f"$ {command}", *lines]) + "\n"


def refreshed(page: Path) -> str:
    """A page with all its console blocks made anew."""
    return CONSOLE.sub(lambda found: f"```console\n{console(found[1])}```", page.read_text(encoding="utf-8"))


def main() -> None:
    """Write every generated page."""
    for page in PAGES:
        page.write_text(refreshed(page), encoding="utf-8")
    for page in (*PAGES, ROOT / "catalogs" / "README.md"):
        page.write_text(refresh(page, load_catalog()), encoding="utf-8")
    write_accuracy()


def write_accuracy() -> None:
    """docs/ACCURACY.md and its charts; a report that cannot be made ends the run with the reason."""
    try:
        found = documents(load_catalog())
    except PlannerError as error:
        sys.exit(f"docs/ACCURACY.md is not made: {error}")
    for name, text in found.items():
        (ROOT / name).parent.mkdir(exist_ok=True)
        (ROOT / name).write_text(text, encoding="utf-8")


if __name__ == "__main__":
    main()
