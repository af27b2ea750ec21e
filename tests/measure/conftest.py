"""A GPU that is a formula: time passes only when it works, sleeps or is asked for power."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Any

import pytest

from planner.measure.cases import AllReduce, Case, Gemm
from planner.measure.power import Reading
from planner.measure.run import Unavailable


@dataclass
class FakeClock:
    """Seconds since the start."""

    now_s: float = 100.0

    def __call__(self) -> float:
        return self.now_s

    def sleep(self, seconds: float) -> None:
        self.now_s += seconds


@dataclass
class FakeSampler:
    """A reading every 10 ms of the fake clock: 100 W idle, 400 W under load."""

    clock: FakeClock
    source: str = "fake"
    loads: list[tuple[float, float]] = field(default_factory=list)
    stopped: bool = False

    def readings(self) -> Sequence[Reading]:
        times = [t / 100 for t in range(10000, int(self.clock.now_s * 100) + 1)]
        return [Reading(t, 400.0 if any(a < t <= b for a, b in self.loads) else 100.0, 1.5e9) for t in times]

    def stop(self) -> None:
        self.stopped = True


@dataclass
class FakeLoad:
    """Batches of 4 ms; the first ten calls take twice as long, as before clocks settle."""

    device: FakeDevice
    call_s: float
    captured: bool = True
    backend: str = "fake"
    batches: int = 0

    def batch_s(self) -> float:
        clock = self.device.clock
        self.device.power.loads.append((clock.now_s, clock.now_s + 0.004))
        clock.sleep(0.004)
        self.batches += 1
        return self.call_s * (2 if self.batches <= 10 else 1)


@dataclass
class FakeDevice:
    """Calls of 10 us; no fp8. `collective_error` stands for NCCL that fails."""

    clock: FakeClock
    power: FakeSampler
    ranks: int = 1
    collective_error: str = ""
    prepare_s: float = 0.01

    def facts(self) -> dict[str, Any]:
        return {"name": "NVIDIA H200", "count": self.ranks}

    def sampler(self) -> FakeSampler:
        return self.power

    def load(self, case: Case) -> FakeLoad:
        self.clock.sleep(self.prepare_s)
        if isinstance(case, Gemm) and case.precision == "fp8":
            raise Unavailable("RuntimeError: no fp8 here")
        return FakeLoad(self, 1e-5)

    def all_reduces(self, cases: Sequence[AllReduce], seconds: float) -> list[tuple[list[float], float, float]]:
        if self.collective_error:
            raise Unavailable(self.collective_error)
        found = []
        for case in cases:
            start = self.clock.now_s
            self.clock.sleep(seconds / len(cases))
            found.append(([1e-5 + case.message_bytes / 1e11] * 8, start, self.clock.now_s))
        return found


@pytest.fixture
def device() -> FakeDevice:
    """One GPU."""
    clock = FakeClock()
    return FakeDevice(clock, FakeSampler(clock))
