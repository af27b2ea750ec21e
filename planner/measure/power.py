"""Watts, clocks and temperature of one GPU while it works, sampled beside the measurement."""

from __future__ import annotations

import subprocess
import threading
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from statistics import median
from typing import Any, Protocol

PERIOD_S = 0.05
# Instantaneous power first: the plain field is a mean over the last second on recent chips.
FIELDS = ("power.draw.instant", "power.draw")


@dataclass(frozen=True)
class Reading:
    """One sample. Time on the monotonic clock [s], power [W], clock of the multiprocessors [Hz]."""

    at_s: float
    power_w: float
    sm_clock_hz: float | None


class Sampler(Protocol):
    """Where readings come from."""

    source: str

    def readings(self) -> Sequence[Reading]: ...

    def stop(self) -> None: ...


class NoSampler:
    """No power can be read here; `source` is empty."""

    source = ""

    def readings(self) -> Sequence[Reading]:
        return ()

    def stop(self) -> None:
        """Nothing to stop."""


class SmiSampler:
    """Lines of `nvidia-smi` in a loop, stamped when they arrive."""

    def __init__(self, gpu: str, field: str):
        self.source = f"nvidia-smi {field}"
        self._found: list[Reading] = []
        self._process = subprocess.Popen(
            [
                "nvidia-smi", f"--query-gpu={field},clocks.sm", "--format=csv,noheader,nounits",
                "-lms", str(round(PERIOD_S * 1e3)), "-i", gpu,
            ],
            stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, text=True,
        )  # fmt: skip
        self._thread = threading.Thread(target=self._read, daemon=True)
        self._thread.start()

    def _read(self) -> None:
        assert self._process.stdout is not None
        for line in self._process.stdout:
            reading = parse(line, time.monotonic())
            if reading:
                self._found.append(reading)

    def readings(self) -> Sequence[Reading]:
        return self._found

    def stop(self) -> None:
        """End nvidia-smi and its reader."""
        self._process.terminate()
        self._process.wait()
        self._thread.join(timeout=1)


class PolledSampler:
    """Readings of a function, such as torch's own, in a thread."""

    def __init__(self, source: str, read: Callable[[], tuple[float, float | None]]):
        self.source = source
        self._found: list[Reading] = []
        self._read, self._done = read, threading.Event()
        self._thread = threading.Thread(target=self._poll, daemon=True)
        self._thread.start()

    def _poll(self) -> None:
        while not self._done.wait(PERIOD_S):
            power_w, sm_clock_hz = self._read()
            self._found.append(Reading(time.monotonic(), power_w, sm_clock_hz))

    def readings(self) -> Sequence[Reading]:
        return self._found

    def stop(self) -> None:
        """End the thread."""
        self._done.set()
        self._thread.join(timeout=1)


def parse(line: str, at_s: float) -> Reading | None:
    """One line of nvidia-smi: watts, then MHz; None where the board does not tell its power.

    Examples
    --------
    >>> parse("570.84, 1980", 2.0)
    Reading(at_s=2.0, power_w=570.84, sm_clock_hz=1980000000.0)
    >>> parse("[N/A], 1980", 2.0) is None
    True
    """
    watts, _, clock = line.partition(",")
    power_w, mhz = _number(watts), _number(clock)
    return None if power_w is None else Reading(at_s, power_w, None if mhz is None else mhz * 1e6)


def _number(text: str) -> float | None:
    try:
        return float(text)
    except ValueError:
        return None


def ask_smi(gpu: str, *fields: str) -> dict[str, str]:
    """Fields of one GPU by name, those that the driver knows; none without nvidia-smi."""
    found = {}
    for field in fields:
        command = ["nvidia-smi", f"--query-gpu={field}", "--format=csv,noheader,nounits", "-i", gpu]
        try:
            run = subprocess.run(command, capture_output=True, text=True, check=False, timeout=20)
        except (OSError, subprocess.TimeoutExpired):
            return {}
        value = run.stdout.strip()
        if run.returncode == 0 and value and not value.startswith("["):
            found[field] = value
    return found


def best_sampler(gpu: str, fallback: Callable[[], tuple[float, float | None]] | None) -> Sampler:
    """Instantaneous power, else the driver's mean, else torch's own reading, else none."""
    known = ask_smi(gpu, *FIELDS)
    for field in FIELDS:
        if _number(known.get(field, "")) is not None:
            return SmiSampler(gpu, field)
    return PolledSampler("torch.cuda.power_draw", fallback) if fallback else NoSampler()


def window(readings: Sequence[Reading], start_s: float, end_s: float) -> dict[str, Any]:
    """Medians over a span of time, None where nothing was read.

    Examples
    --------
    >>> window([Reading(1.0, 300.0, 1.9e9), Reading(2.0, 310.0, 1.9e9)], 1.5, 2.5)
    {'power_w': 310.0, 'sm_clock_hz': 1900000000.0}
    """
    inside = [one for one in readings if start_s <= one.at_s <= end_s]
    clocks = [one.sm_clock_hz for one in inside if one.sm_clock_hz is not None]
    return {
        "power_w": median(one.power_w for one in inside) if inside else None,
        "sm_clock_hz": median(clocks) if clocks else None,
    }
