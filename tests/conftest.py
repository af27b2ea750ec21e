"""Fixtures of all tests; and, where PLANNER_CI is set, a skipped test is a failed one."""

from __future__ import annotations

import contextlib
import io
import os
import shutil
import sys
from collections.abc import Callable, Generator
from dataclasses import dataclass
from typing import TYPE_CHECKING, TypeVar

import hypothesis
import pytest

if TYPE_CHECKING:
    from planner.catalog import Catalog

Report = TypeVar("Report", pytest.TestReport, pytest.CollectReport)

IN_CI = bool(os.environ.get("PLANNER_CI"))

# One CPU-bound example can outlast hypothesis's 200 ms; in CI the same examples run every time.
hypothesis.settings.register_profile("planner", deadline=None, derandomize=IN_CI)
hypothesis.settings.load_profile("planner")


@dataclass(frozen=True)
class CommandResult:
    """What a shell would have seen of a command."""

    exit_code: int
    stdout: str
    stderr: str


@pytest.fixture(scope="session")
def catalog() -> Catalog:
    """The catalogs that ship, read once."""
    from planner.catalog import load_catalog

    return load_catalog()


@pytest.fixture(autouse=True)
def _main_module_stays(monkeypatch: pytest.MonkeyPatch) -> None:
    """AppTest leaves its script as `__main__`, which spawned workers of a later test would run again."""
    monkeypatch.setitem(sys.modules, "__main__", sys.modules["__main__"])


@pytest.fixture
def run_cli(monkeypatch: pytest.MonkeyPatch) -> Callable[..., CommandResult]:
    """Function that runs `planner ARGUMENTS` in this process: `run_cli("plan", "--json")`."""

    def run(*arguments: str, stdin: str = "") -> CommandResult:
        monkeypatch.setattr(sys, "argv", ["planner", *arguments])
        monkeypatch.setattr(sys, "stdin", io.StringIO(stdin))
        return _run_main()

    return run


@pytest.fixture(scope="session")
def chromium() -> str:
    """Path of the system's Chromium, for Playwright's `executable_path`."""
    path = shutil.which("chromium") or shutil.which("chromium-browser") or shutil.which("google-chrome")
    return path or pytest.skip("no Chromium: apt-get install chromium")


def _run_main() -> CommandResult:
    """Call the console script's function; an unexpected exception passes through with its traceback."""
    from planner.cli import main

    exit_code = 0
    with contextlib.redirect_stdout(_TextFile()) as stdout, contextlib.redirect_stderr(_TextFile()) as stderr:
        try:
            main()
        except SystemExit as stop:
            exit_code = _exit_code(stop.code)
    return CommandResult(exit_code, stdout.text(), stderr.text())


def _exit_code(code: str | int | None) -> int:
    """Exit status that Python gives to `sys.exit(code)`."""
    if isinstance(code, str):
        sys.stderr.write(f"{code}\n")
        return 1
    return code or 0


class _TextFile(io.TextIOWrapper):
    """Standard output kept in memory; unlike StringIO it takes bytes, too, through `buffer`."""

    def __init__(self) -> None:
        self.kept = io.BytesIO()
        super().__init__(self.kept, encoding="utf-8", write_through=True)

    def text(self) -> str:
        self.flush()
        return self.kept.getvalue().decode()


@pytest.hookimpl(wrapper=True)
def pytest_runtest_makereport() -> Generator[None, pytest.TestReport, pytest.TestReport]:
    return _refuse_skip((yield))


@pytest.hookimpl(wrapper=True)
def pytest_make_collect_report() -> Generator[None, pytest.CollectReport, pytest.CollectReport]:
    return _refuse_skip((yield))


def _refuse_skip(report: Report) -> Report:
    """A check that did not run has shown nothing: fail it in CI. An expected failure did run."""
    if IN_CI and report.outcome == "skipped" and not hasattr(report, "wasxfail"):
        reason = report.longrepr[-1] if isinstance(report.longrepr, tuple) else report.longrepr
        report.outcome, report.longrepr = "failed", f"skipped, which PLANNER_CI does not allow: {reason}"
    return report
