"""Time one case after the other within a budget of seconds, and put the document together."""

from __future__ import annotations

import time
from collections.abc import Callable, Sequence
from dataclasses import asdict
from datetime import UTC, datetime
from statistics import median, quantiles
from typing import Any, Protocol

from planner.measure.cases import SECTIONS, AllReduce, Case, all_cases, all_reduces, label
from planner.measure.power import Sampler, window

SCHEMA = "planner-measure/1"
IDLE_SHARE = 0.05  # of the budget, before anything runs
COLLECTIVE_SHARE = 0.15  # of the budget, where there are several GPUs
LEAST_S = 0.5  # under load, however slow to prepare: the board's power reading lags by a tenth of a second
LEAST_SHARE = 0.8  # of an equal part of the budget, where that is shorter
LEAST_BATCHES = 5

Row = dict[str, Any]
Report = Callable[[int, int, str], None]  # cases done, cases in all, what comes next


class Unavailable(Exception):
    """This device or this torch cannot run a case; the reason goes into the result."""


class Load(Protocol):
    """A case that is ready to run."""

    captured: bool  # replayed from a graph, without a launch from Python per kernel
    backend: str  # which of several kernels, empty where there is one

    def batch_s(self) -> float:
        """Run a few milliseconds of calls; seconds per call."""
        ...


class Device(Protocol):
    """The GPU under the measurement, or a stand-in."""

    ranks: int

    def facts(self) -> Row: ...

    def sampler(self) -> Sampler: ...

    def load(self, case: Case) -> Load:
        """Prepare a case; raises Unavailable."""
        ...

    def all_reduces(self, cases: Sequence[AllReduce], seconds: float) -> list[tuple[list[float], float, float]]:
        """Seconds per call of each batch with start and end of each case; raises Unavailable."""
        ...


class Clock(Protocol):
    """Monotonic time, so that tests need not wait."""

    def __call__(self) -> float: ...


def measure(
    device: Device,
    seconds: float,
    report: Report = lambda done, total, what: None,
    clock: Clock = time.monotonic,
    sleep: Callable[[float], None] = time.sleep,
    cases: Sequence[Case] | None = None,
) -> Row:
    """Run all cases in about `seconds` and return the document of `planner measure`.

    Each case gets an equal part of what is left of the budget. Times and watts are medians over
    the second half of a case, when clocks have settled under its load.

    Returns
    -------
    dict
        Keys and units as in planner/schema/measured.py; `accelerator` is None until someone
        resolves the device's name, and `source` has no version.
    """
    cases = all_cases() if cases is None else cases
    started = clock()
    sampler = device.sampler()
    try:
        report(0, len(cases), "idle")
        idle = _idle(sampler, seconds * IDLE_SHARE, clock, sleep)
        ending = started + seconds * (1 - COLLECTIVE_SHARE if device.ranks > 1 else 1)
        rows, left_out = _one_gpu(device, sampler, cases, ending, report, clock)
        report(len(cases), len(cases), "all-reduce")
        _between_gpus(device, sampler, seconds * COLLECTIVE_SHARE, rows, left_out)
    finally:
        sampler.stop()
    if not sampler.source:
        left_out.append({"what": "power", "reason": "neither nvidia-smi nor torch reads it here"})
    head = {
        "schema": SCHEMA,
        "source": "planner measure",
        "measured_on": datetime.now(UTC).date().isoformat(),
        "accelerator": None,
        "seconds": _rounded(clock() - started),
        "notes": "",
        "device": device.facts() | {"power_source": sampler.source},
        "idle": idle,
    }
    return head | rows | {"left_out": left_out}


def _idle(sampler: Sampler, seconds: float, clock: Clock, sleep: Callable[[float], None]) -> Row:
    """Power with a context open and nothing running, as an engine without requests: the later half."""
    start = clock()
    sleep(seconds)
    return window(sampler.readings(), start + seconds / 2, clock())


def _one_gpu(
    device: Device, sampler: Sampler, cases: Sequence[Case], ending: float, report: Report, clock: Clock
) -> tuple[dict[str, list[Row]], list[Row]]:
    rows: dict[str, list[Row]] = {section: [] for section in SECTIONS}
    left_out: list[Row] = []
    least = min(LEAST_S, LEAST_SHARE * (ending - clock()) / max(len(cases), 1))
    for number, case in enumerate(cases):
        report(number, len(cases), label(case))
        share = (ending - clock()) / (len(cases) - number)
        try:
            rows[case.section].append(asdict(case) | _timed(device, sampler, case, share, least, clock))
        except Unavailable as reason:
            left_out.append({"what": label(case), "reason": str(reason)})
    return rows, left_out


def _timed(device: Device, sampler: Sampler, case: Case, share: float, least: float, clock: Clock) -> Row:
    """Batches until the case's share of time is over; the first half warms up."""
    asked = clock()
    load = device.load(case)
    load.batch_s()
    ready = clock()
    ending = max(asked + share, ready + least)
    settled = (ready + ending) / 2
    found: list[float] = []
    while clock() < ending or len(found) < LEAST_BATCHES:
        seconds = load.batch_s()
        if clock() > settled:
            found.append(seconds)
    backend = {"backend": load.backend} if load.backend else {}
    return statistics(found) | {"captured": load.captured} | backend | window(sampler.readings(), settled, clock())


def _between_gpus(
    device: Device, sampler: Sampler, seconds: float, rows: dict[str, list[Row]], left_out: list[Row]
) -> None:
    if device.ranks < 2:
        left_out.append({"what": AllReduce.section, "reason": "one GPU is visible"})
        return
    cases = all_reduces(device.ranks)
    try:
        found = device.all_reduces(cases, seconds)
    except Unavailable as reason:
        left_out.append({"what": AllReduce.section, "reason": str(reason)})
        return
    for case, (times, start, end) in zip(cases, found, strict=True):
        watts = window(sampler.readings(), start, end)
        rows[AllReduce.section].append(asdict(case) | statistics(times) | {"captured": True} | watts)


def statistics(times_s: Sequence[float]) -> Row:
    """Median and the interval that holds 80 % of the batches.

    Examples
    --------
    >>> statistics([2e-6, 1e-6, 3e-6, 4e-6, 5e-6])
    {'time_s': 3e-06, 'time_low_s': 1.4e-06, 'time_high_s': 4.6e-06, 'batches': 5}
    """
    tenths = quantiles(times_s, n=10, method="inclusive")
    found = {"time_s": median(times_s), "time_low_s": tenths[0], "time_high_s": tenths[-1]}
    return {key: _rounded(value) for key, value in found.items()} | {"batches": len(times_s)}


def _rounded(value: float) -> float:
    """Six digits: more than any of these figures repeats to."""
    return float(f"{value:.6g}")
