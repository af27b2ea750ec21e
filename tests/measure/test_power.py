"""Watts from nvidia-smi, from torch, or from nowhere."""

from __future__ import annotations

import threading
from pathlib import Path

import pytest

from planner.measure import power
from planner.measure.power import NoSampler, PolledSampler, Reading, SmiSampler, ask_smi, best_sampler, parse, window

SMI = """#!/bin/sh
case "$*" in
  *-lms*) echo "310.5, 1830"; echo "[N/A], 1830"; echo "305.0, [N/A]"; exec sleep 60;;
  *=power.draw.instant*) echo "{instant}";;
  *=power.draw*) echo "301.00";;
  *) echo "[Not Supported]";;
esac
"""


@pytest.fixture
def smi(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A nvidia-smi of ours, alone on the path with what its script needs."""
    file = tmp_path / "nvidia-smi"
    monkeypatch.setenv("PATH", f"{tmp_path}:/usr/bin:/bin")
    return file


def install(file: Path, instant: str) -> None:
    file.write_text(SMI.format(instant=instant))
    file.chmod(0o755)


def test_lines_of_nvidia_smi() -> None:
    assert parse("123.4, 1980", 5.0) == Reading(5.0, 123.4, 1.98e9)
    assert parse("123.4, [N/A]", 5.0) == Reading(5.0, 123.4, None)
    assert parse("[N/A], 1980", 5.0) is None
    assert parse("Unable to determine the device handle", 5.0) is None
    assert parse("", 5.0) is None


def test_a_window_without_readings_is_blank() -> None:
    assert window([Reading(1.0, 300.0, None)], 2.0, 3.0) == {"power_w": None, "sm_clock_hz": None}
    assert window([Reading(1.0, 300.0, None)], 0.0, 3.0) == {"power_w": 300.0, "sm_clock_hz": None}


def test_nvidia_smi_is_read_in_a_loop(smi: Path) -> None:
    install(smi, "302.00")
    sampler = best_sampler("GPU-1", None)
    assert isinstance(sampler, SmiSampler)
    assert sampler.source == "nvidia-smi power.draw.instant"
    for _ in range(200):
        if len(sampler.readings()) == 2:
            break
        threading.Event().wait(0.05)
    sampler.stop()
    assert [(r.power_w, r.sm_clock_hz) for r in sampler.readings()] == [(310.5, 1.83e9), (305.0, None)]
    assert sampler._process.returncode is not None


def test_older_boards_give_their_mean(smi: Path) -> None:
    install(smi, "[N/A]")
    assert ask_smi("0", "power.draw.instant", "power.draw") == {"power.draw": "301.00"}
    sampler = best_sampler("0", None)
    sampler.stop()
    assert sampler.source == "nvidia-smi power.draw"


def test_without_nvidia_smi_torch_is_asked(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("PATH", str(tmp_path))
    monkeypatch.setattr(power, "PERIOD_S", 0.001)
    polled = threading.Event()

    def read() -> tuple[float, float | None]:
        polled.set()
        return 250.0, None

    sampler = best_sampler("0", read)
    assert isinstance(sampler, PolledSampler)
    assert polled.wait(30)
    sampler.stop()
    assert sampler.readings()[0].power_w == 250.0
    nothing = best_sampler("0", None)
    assert isinstance(nothing, NoSampler)
    assert (nothing.source, list(nothing.readings())) == ("", [])
