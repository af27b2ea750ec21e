"""Exports of the frozen plans and their verdicts, made once for all tests of a process."""

from __future__ import annotations

import tempfile
from functools import cache
from pathlib import Path

from planner.bundle.finding import Finding
from planner.bundle.lint import lint
from planner.bundle.write import documents, write_bundle
from planner.catalog import load_catalog
from tests.golden.refresh import frozen_result

Files = dict[str, bytes]
CATALOG = load_catalog()


def clean(name: str) -> Files:
    """Files of a frozen plan; a copy, as bad samples are made of them."""
    return dict(_files(name))


@cache
def verdicts(name: str) -> tuple[Finding, ...]:
    """What every rule and tool says about that export on disk."""
    with tempfile.TemporaryDirectory() as place:
        write_bundle(_files(name), Path(place) / "out")
        return tuple(lint(Path(place) / "out"))


@cache
def _files(name: str) -> Files:
    return documents(frozen_result(name), 1, CATALOG)
