"""Traces and rate profiles of users: CSV, Azure's CSV, JSONL as Mooncake writes it; streamed and checked.

A row that makes no sense ends the reading with its line, since what a trace is sized for hangs on its worst
moments; nothing is repaired in silence.
"""

from __future__ import annotations

import csv
import json
from array import array
from collections.abc import Callable, Iterable, Iterator
from itertools import chain
from pathlib import Path
from typing import Any

import numpy as np

from planner.errors import WorkloadError
from planner.models.traffic import Blocks, RateProfile, Trace
from planner.traces.columns import BadRow, choose_columns, date_time, mooncake_time, number, tokens
from planner.traces.lines import Limits, lines

MOONCAKE_BLOCK_TOKENS = 512
LIMITS = Limits()
Fields = tuple[Any, Any, Any]  # time, prompt and answer as written
Row = tuple[int, Fields, Any]  # line as an editor counts, and the prefix blocks


def read_trace(path: Path, limits: Limits = LIMITS) -> Trace:
    """Requests of a file, times counted from the first one.

    Raises
    ------
    WorkloadError
        Naming the line: unknown columns, times out of order, lengths that are no whole numbers from 1,
        or more than `limits` allow.
    """
    text, is_json = _opened(path, limits)
    reader, line = _Reader(path, limits), 1
    try:
        rows = _json_rows(text, reader) if is_json else _csv_rows(text, reader)
        for line, values, blocks in rows:  # noqa: B007 told below
            reader.add(values, blocks)
    except BadRow as error:
        raise WorkloadError(
            "{file}, line {line}: {error}.", file=path.name, line=error.line or line, error=error
        ) from None
    return reader.trace()


def read_profile(path: Path, limits: Limits = LIMITS) -> RateProfile:
    """Rates over time of a CSV file with the columns t_s and rate_per_s, in steps of equal length.

    Raises
    ------
    WorkloadError
        Naming the line: other columns, rates below zero, steps that differ or are missing.
    """
    times, rates, line = array("d"), array("d"), 1
    try:
        names, rows = _table(lines(path, limits), limits)
        if not {"t_s", "rate_per_s"} <= set(names):
            raise BadRow("a rate profile has the columns t_s and rate_per_s")
        at = names.index("t_s"), names.index("rate_per_s")
        for line, row in rows:  # noqa: B007 told below
            times.append(number(row[at[0]]))
            rates.append(number(row[at[1]]))
            _check_step(times, rates)
            if len(times) > limits.requests:
                raise BadRow("more than {requests:,} steps", requests=limits.requests)
    except BadRow as error:
        raise WorkloadError(
            "{file}, line {line}: {error}.", file=path.name, line=error.line or line, error=error
        ) from None
    if len(times) < 2 or not sum(rates) > 0:
        raise WorkloadError(
            "{file}: {count} steps: a profile has two at least, and a rate above zero.",
            file=path.name,
            count=len(times),
        )
    return RateProfile(path.stem, times[1] - times[0], np.array(rates))


def _check_step(times: array[float], rates: array[float]) -> None:
    if rates[-1] < 0:
        raise BadRow("rate {rate:g}: give zero or more", rate=rates[-1])
    if len(times) < 2:
        return
    first, last = times[1] - times[0], times[-1] - times[-2]
    if last <= 0:
        raise BadRow(
            "t_s {time:g} does not follow {before:g}: steps go forward in time", time=times[-1], before=times[-2]
        )
    if abs(last - first) > 1e-6 * first:
        raise BadRow(
            "a step of {last:g} s among steps of {first:g} s: fill the gap, with rate 0 where nothing came",
            last=last,
            first=first,
        )


def _opened(path: Path, limits: Limits) -> tuple[Iterator[str], bool]:
    """Lines of a file, and whether they are JSON: the first character tells."""
    text = lines(path, limits)
    first = next(text, "")
    return chain([first], text), first.lstrip().startswith("{")


def _json_rows(text: Iterable[str], reader: _Reader) -> Iterator[Row]:
    names: tuple[str, str, str] | None = None
    for line, raw in enumerate(text, 1):
        if not raw.strip():
            continue
        try:
            row = json.loads(raw)
        except (ValueError, RecursionError):
            row = None
        if not isinstance(row, dict):
            raise BadRow("{raw!r} is no JSON object", line, raw=raw.strip()[:40])
        names = names or reader.choose(row, mooncake_time)
        time, prompt, answer = names
        yield line, (row.get(time), row.get(prompt), row.get(answer)), row.get("hash_ids")


def _csv_rows(text: Iterable[str], reader: _Reader) -> Iterator[Row]:
    names, rows = _table(text, reader.limits)
    at: list[int] | None = None
    for line, row in rows:
        at = at or [names.index(name) for name in reader.choose(names, date_time)]
        yield line, (row[at[0]], row[at[1]], row[at[2]]), None


def _table(text: Iterable[str], limits: Limits) -> tuple[list[str], Iterator[tuple[int, list[Any]]]]:
    """Names of the columns, and rows with a cell for each of them, with their lines."""
    csv.field_size_limit(limits.line_bytes)
    reader = csv.reader(text)
    try:
        names = [name.strip() for name in next(reader, [])]
    except csv.Error as error:
        raise BadRow("no row of a table: {error}", reader.line_num, error=error) from None

    def rows() -> Iterator[tuple[int, list[Any]]]:
        try:
            for row in reader:
                if any(row):
                    yield reader.line_num, row if len(row) >= len(names) else [*row, *[None] * (len(names) - len(row))]
        except csv.Error as error:
            raise BadRow("no row of a table: {error}", reader.line_num, error=error) from None

    return names, rows()


class _Reader:
    """Requests so far, as compact columns."""

    def __init__(self, path: Path, limits: Limits):
        self.path, self.limits = path, limits
        self.seconds: Callable[[Any], float] = number
        self.times, self.inputs, self.outputs = array("d"), array("q"), array("q")
        self.ids, self.starts = array("q"), array("q", [0])
        self.known: dict[Any, int] = {}

    def choose(self, names: Iterable[str], stamp: Callable[[Any], float]) -> tuple[str, str, str]:
        """Columns of time, prompt and answer; `stamp` reads a column called `timestamp`."""
        found = choose_columns(names, stamp)
        self.seconds = found.seconds
        return found.names

    def add(self, values: Fields, blocks: Any) -> None:
        """Check one request and keep it."""
        time = self.seconds(values[0])
        if self.times and time < self.times[-1]:
            early, late = time - self.times[0], self.times[-1] - self.times[0]
            raise BadRow(
                "the request at {early:.6g} s comes after the one at {late:.6g} s. Sort the file by time",
                early=early,
                late=late,
            )
        self.inputs.append(tokens(values[1], "input"))
        self.outputs.append(tokens(values[2], "output"))
        self.times.append(time)
        if len(self.times) > self.limits.requests:
            raise BadRow(
                "more than {requests:,} requests.\n  Keep the busiest hours of the trace", requests=self.limits.requests
            )
        if isinstance(blocks, list):
            self._add_blocks(blocks)

    def _add_blocks(self, ids: list[Any]) -> None:
        if not all(isinstance(id, int | str) for id in ids):
            raise BadRow("hash_ids: give numbers or texts")
        if self.starts[-1] + len(ids) > self.limits.blocks:
            raise BadRow("more than {blocks:,} prefix blocks.\n  Leave hash_ids out", blocks=self.limits.blocks)
        self.ids.extend(self.known.setdefault(id, len(self.known)) for id in ids)
        self.starts.append(len(self.ids))

    def trace(self) -> Trace:
        """All requests, from time 0."""
        if not self.times:
            raise WorkloadError(
                "{file} holds no request.\n  Give a CSV or JSONL file with a line for each.", file=self.path.name
            )
        times = np.array(self.times)
        return Trace(
            self.path.name.split(".")[0] or "trace",
            times - times[0],
            np.array(self.inputs),
            np.array(self.outputs),
            self._blocks(),
        )

    def _blocks(self) -> Blocks | None:
        if len(self.starts) == 1:
            return None
        if len(self.starts) != len(self.times) + 1:
            raise WorkloadError(
                "{file}: {some:,} of {all:,} requests have hash_ids.\n  Give them for all requests or for none.",
                file=self.path.name,
                some=len(self.starts) - 1,
                all=len(self.times),
            )
        return Blocks(np.array(self.ids), np.array(self.starts), MOONCAKE_BLOCK_TOKENS)
