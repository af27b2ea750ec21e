"""Watts by hand."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from planner.models import power

HOPPER = (0.35, 0.32, 0.93)


def test_idle_work_draws_its_base() -> None:
    # 100 + 600 x 0.35
    assert float(power.gpu_power_w(100, 700, 0, 0, *HOPPER)) == 310


def test_full_bandwidth_adds_its_share() -> None:
    # 100 + 600 x (0.35 + 0.32)
    assert float(power.gpu_power_w(100, 700, 1, 0, *HOPPER)) == pytest.approx(502)


def test_the_board_limit_caps() -> None:
    # 0.35 + 0.32 + 0.93 of the span is more than there is: 98 % of 700 W
    assert float(power.gpu_power_w(100, 700, 1, 1, *HOPPER)) == pytest.approx(686)
    assert float(power.gpu_power_w(100, 700, 9, 9, *HOPPER)) == pytest.approx(686)  # above a peak is the peak


@given(memory=st.floats(0, 1), compute=st.floats(0, 1), more=st.floats(0, 1))
def test_more_work_never_draws_less(memory: float, compute: float, more: float) -> None:
    before = power.gpu_power_w(73, 700, memory, compute, *HOPPER)
    assert power.gpu_power_w(73, 700, min(memory + more, 1), compute, *HOPPER) >= before
    assert power.gpu_power_w(73, 700, memory, min(compute + more, 1), *HOPPER) >= before


def test_server_and_meter() -> None:
    # 8 x (700 + 320) W, times a PUE of 1.25
    node = power.node_power_w(700, 8, 320)
    assert float(node) == 8160
    assert float(power.facility_power_w(node, 1.25)) == 10_200


def test_unknown_board_limit_stays_unknown() -> None:
    found = power.gpu_power_w([73, np.nan], [700, np.nan], 1, 0, *HOPPER)
    assert np.isnan(found).tolist() == [False, True]
