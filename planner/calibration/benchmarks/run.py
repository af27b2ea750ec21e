"""One measured load of one set-up, and safe ways to take figures out of somebody's JSON."""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from datetime import date
from typing import Any, Literal

from planner.calibration.points import METRICS
from planner.errors import WorkloadError

Kind = Literal["closed", "saturated", "burst", "open"]
LONGEST_TEXT = 200
NAMES = {"ttft": "time to first token", "tpot": "time per output token", "output": "output tokens per second"}


@dataclass(frozen=True)
class Latency:
    """What a tool says about one latency; None where it does not. [s]"""

    mean_s: float | None = None
    median_s: float | None = None
    p99_s: float | None = None


@dataclass(frozen=True)
class Run:
    """One load, as one tool measured it.

    Attributes
    ----------
    version : the tool's mark in the file, or which keys it was recognised by
    kind, load : `closed` (users), `saturated` (all that fits), `burst` (requests at once), `open` (requests/s)
    input_tokens, output_tokens : means per completed request [token]
    ttft, tpot, itl : TPOT leaves the first token out; ITL is the gap between two chunks [s]
    output_tokens_per_s : of the whole server [token/s]
    model : name as the tool wrote it; empty if it wrote none
    date : day of the run, ISO; empty if the file does not say
    """

    tool: str
    version: str
    kind: Kind
    load: float
    input_tokens: float
    output_tokens: float
    ttft: Latency
    tpot: Latency
    itl: Latency
    output_tokens_per_s: float | None
    completed: int
    model: str
    date: str


@dataclass(frozen=True)
class Reader:
    """How the result of one tool is told from others, and read.

    Attributes
    ----------
    tool : name for people
    versions : versions that are read, for people
    recognises : does a JSON document come from this tool?
    read : the document, and words for where it stands, as runs; WorkloadError if it cannot be
    """

    tool: str
    versions: str
    recognises: Callable[[Mapping[str, Any]], bool]
    read: Callable[[Mapping[str, Any], str], list[Run]]


def words(value: object) -> str:
    """Text from a file, safe to print: one line, no control characters, not long."""
    text = value if isinstance(value, str) else ""
    return "".join(c if c.isprintable() else "?" for c in text)[:LONGEST_TEXT].strip()


def day(value: object) -> str:
    """The day at the beginning of an ISO date and time; empty where there is none."""
    try:
        return date.fromisoformat(words(value)[:10]).isoformat()
    except ValueError:
        return ""


def table(data: Mapping[str, Any], key: str) -> Mapping[str, Any]:
    """An object inside an object; empty where it is absent or something else."""
    found = data.get(key)
    return found if isinstance(found, Mapping) else {}


def figure(data: Mapping[str, Any], key: str, where: str, low: float, high: float) -> float | None:
    """A number inside an object, within bounds; None where it is absent or null.

    Raises
    ------
    WorkloadError
        If it is no number, or outside its bounds.
    """
    value = data.get(key)
    if value is None:
        return None
    if isinstance(value, bool) or not isinstance(value, int | float) or not low <= value <= high:
        shown = words(str(value)) if isinstance(value, bool | int | float | str) else f"a {type(value).__name__}"
        raise WorkloadError(
            "{where}: {key} is {shown}; a number from {low:g} to {high:g} is read.",
            where=where,
            key=key,
            shown=shown,
            low=low,
            high=high,
        )
    return float(value)


def needed(data: Mapping[str, Any], key: str, where: str, low: float, high: float) -> float:
    """As `figure`, but absence is refused, too."""
    found = figure(data, key, where, low, high)
    if found is None:
        raise WorkloadError("{where}: {key} is missing.", where=where, key=key)
    return found


def latency(
    data: Mapping[str, Any], keys: tuple[str, str, str], metric: str, where: str, scale: float = 1e-3
) -> Latency:
    """Mean, median and P99 of a latency in SI. A zero stands for a latency that was not measured.

    Parameters
    ----------
    keys : of mean, median and P99 in `data`
    metric : `ttft` or `tpot`, whose bounds tell a wrong unit
    scale : what one unit of the file is [s]

    Raises
    ------
    WorkloadError
        If a value cannot be in the unit that it claims.
    """
    return Latency(*(_seconds(data, key, metric, where, scale) for key in keys))


def _seconds(data: Mapping[str, Any], key: str, metric: str, where: str, scale: float) -> float | None:
    value = figure(data, key, where, 0, 1e15)
    if not value:
        return None
    return _in_bounds(value * scale, key, metric, where)


def _in_bounds(value: float, key: str, metric: str, where: str) -> float:
    _, _, low, high = METRICS[metric]
    if not low <= value <= high:
        unit, scale = ("token/s", 1.0) if metric == "output" else ("ms", 1e3)
        raise WorkloadError(
            "{where}: {metric} ({key}) is {value:.4g} {unit}, outside {low:g} to {high:g} {unit}: check its unit.",
            where=where,
            metric=NAMES[metric],
            key=key,
            value=value * scale,
            unit=unit,
            low=low * scale,
            high=high * scale,
        )
    return value


def throughput(data: Mapping[str, Any], key: str, where: str) -> float | None:
    """Output tokens per second; a zero stands for a rate that was not measured. [token/s]"""
    value = figure(data, key, where, 0, 1e15)
    return _in_bounds(value, key, "output", where) if value else None


def tokens(data: Mapping[str, Any], key: str, where: str) -> float:
    """A mean length, at least one token. [token]"""
    return max(needed(data, key, where, 0, 1e7), 1.0)


def closed_or_burst(concurrency: float, completed: int) -> tuple[Kind, float]:
    """A fixed number of users who did not even send one request each came all at once."""
    return ("closed", concurrency) if completed > concurrency or concurrency == 1 else ("burst", float(completed))


def said(run: Run) -> bool:
    """Does a run say anything that can be predicted?"""
    figures = (run.ttft.mean_s, run.ttft.median_s, run.tpot.mean_s, run.tpot.median_s, run.output_tokens_per_s)
    return any(f is not None and math.isfinite(f) for f in figures)
