"""One request of a file: which columns hold it, and what its text means."""

from __future__ import annotations

import math
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any, Literal

from planner.errors import Message, PlannerError

MOST_TOKENS = 10_000_000
ROLES = ("time", "input", "output")

# Lower-case names of columns: ours, Azure's, Mooncake's, and what engines call them.
INPUT = ("input_tokens", "contexttokens", "input_length", "prompt_tokens")
OUTPUT = ("output_tokens", "generatedtokens", "output_length", "completion_tokens")
TIME: dict[str, Literal["s", "ms", "stamp"]] = {"arrival_s": "s", "arrival_ms": "ms", "timestamp": "stamp"}


class BadRow(PlannerError):
    """A row that is no request; the reader adds file and line, unless the line is known here."""

    def __init__(self, message: str, /, line: int | None = None, **values: object):
        super().__init__(message, **values)
        self.line = line


@dataclass(frozen=True)
class Columns:
    """Names of the columns of a file, and how its times are written."""

    time: str
    input: str
    output: str
    seconds: Callable[[Any], float]

    @property
    def names(self) -> tuple[str, str, str]:
        """Time, prompt, answer."""
        return self.time, self.input, self.output


def choose_columns(names: Iterable[str], stamp: Callable[[Any], float]) -> Columns:
    """Columns by their names, in any case and order; `stamp` reads a column called `timestamp`.

    Raises
    ------
    BadRow
        Naming what is missing and what is known.
    """
    known = {name.strip().lower(): name for name in names}
    found = [next((name for name in options if name in known), None) for options in (TIME, INPUT, OUTPUT)]
    missing = [role for role, name in zip(ROLES, found, strict=True) if name is None]
    if missing:
        there = ", ".join(repr(name[:30]) for name in list(known)[:8]) or Message("none")
        raise BadRow(
            "no column for {missing}; there: {there}.\n  Time: {time}. Prompt: {input}. Answer: {output}",
            line=1,
            missing=" and ".join(missing),
            there=there,
            time=", ".join(TIME),
            input=", ".join(INPUT),
            output=", ".join(OUTPUT),
        )
    time, prompt, answer = (known[name] for name in found if name is not None)
    kind = TIME[str(found[0])]
    return Columns(time, prompt, answer, {"s": number, "ms": milliseconds, "stamp": stamp}[kind])


def number(value: Any) -> float:
    """A finite number, or one in text.

    Examples
    --------
    >>> number("1.5"), number(2)
    (1.5, 2.0)
    """
    if isinstance(value, str | int | float) and not isinstance(value, bool):
        try:
            found = float(value)
        except (ValueError, OverflowError):
            found = math.nan
        if math.isfinite(found):
            return found
    raise BadRow("{value} is no number", value=_shown(value))


def milliseconds(value: Any) -> float:
    """Milliseconds as seconds. [s]"""
    return number(value) / 1e3


def mooncake_time(value: Any) -> float:
    """A `timestamp` of JSONL: milliseconds, or a date and time. [s]"""
    return date_time(value) if isinstance(value, str) else milliseconds(value)


def date_time(value: Any) -> float:
    """A date and time as seconds since 1970; without a time zone, UTC. [s]

    Examples
    --------
    >>> date_time("2023-11-16 18:15:46.6805900") - date_time("2023-11-16 18:15:46")  # doctest: +ELLIPSIS
    0.680589...
    """
    try:
        found = datetime.fromisoformat(str(value).strip())
        return (found if found.tzinfo else found.replace(tzinfo=UTC)).timestamp()
    except (ValueError, OverflowError):
        raise BadRow(
            "timestamp {value} is no date and time such as 2023-11-16 18:15:46.68.\n"
            "  A number of seconds belongs in a column arrival_s, of milliseconds in arrival_ms",
            value=_shown(value),
        ) from None


def tokens(value: Any, role: str) -> int:
    """A whole number of tokens from 1."""
    try:
        found = int(value) if type(value) in (int, str) else _whole(value)
    except ValueError:
        found = _whole(value)
    if not 1 <= found <= MOST_TOKENS:
        raise BadRow(
            "{role} tokens {value}: give whole numbers from 1 to {most_tokens:,}",
            role=role,
            value=_shown(value),
            most_tokens=MOST_TOKENS,
        )
    return found


def _whole(value: Any) -> int:
    """A whole number that is written with a point; 0, which is no length, where it is none."""
    try:
        found = number(value)
    except BadRow:
        return 0
    return int(found) if found == int(found) else 0


def _shown(value: Any) -> str:
    return "is blank" if value is None or value == "" else repr(value)[:40]
