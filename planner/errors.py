"""Every expected failure of the planner.

    PlannerError                      the command prints the message and exits 1
    |-- UnknownName                   a name that no catalog row has
    |-- CatalogError                  a catalog file that breaks its own rules
    |-- MissingFact                   a blank that a model needs
    |-- WorkloadError                 a question that contradicts itself or cannot be read
    |   `-- TooSmall                a set-up whose memory does not hold the LLM
    |-- NoPlan                        a good question without an answer; carries the rejections
    `-- OutputError                   a file that cannot be written

A message says what was asked, what is allowed and what to do next.
"""

from __future__ import annotations

import difflib
from collections.abc import Iterable, Sequence
from typing import Any


class PlannerError(Exception):
    """Base of all expected failures. Anything else is a bug and keeps its traceback."""


class UnknownName(PlannerError):
    """A name that is not in a catalog."""

    def __init__(self, kind: str, asked: str, known: Iterable[str], list_command: str, where: str = ""):
        self.kind, self.asked = kind, asked
        names = sorted(known)
        nearest = difflib.get_close_matches(asked.lower(), names, n=3, cutoff=0.45)
        hint = f" Nearest: {', '.join(repr(n) for n in nearest)}." if nearest else ""
        place = f" in {where}" if where else ""
        super().__init__(f"unknown {kind} {asked!r}{place}.{hint}\n  List them: {list_command}")


class CatalogError(PlannerError):
    """A catalog file that breaks its schema: file, line, column, value, what is allowed."""


class MissingFact(PlannerError):
    """A figure that nobody sourced, needed by a model."""

    def __init__(self, row: str, field: str, needed_for: str, next_step: str):
        self.row, self.field = row, field
        super().__init__(f"{row} has no sourced {field}, which {needed_for} needs.\n  {next_step}")


class WorkloadError(PlannerError):
    """A workload that cannot be read or that contradicts itself."""


class TooSmall(WorkloadError):
    """A set-up whose memory does not hold the weights, the reserve and one sequence."""


class NoPlan(PlannerError):
    """No candidate satisfies the workload; carries the rejections of those that came closest, where they are known."""

    def __init__(self, message: str, llm: str = "", nearest: Sequence[Any] = ()):
        self.llm, self.nearest = llm, tuple(nearest)
        super().__init__(message)


class OutputError(PlannerError):
    """A result that cannot be written where it was asked for."""
