"""Traces cut and scaled: by hand."""

from __future__ import annotations

import numpy as np
import pytest

from planner.errors import WorkloadError
from planner.models.traffic import Blocks, Trace

BLOCKS = Blocks(np.array([0, 1, 0, 2, 3]), np.array([0, 2, 4, 5]), 512)
TRACE = Trace("three", np.array([0.0, 2.0, 6.0]), np.array([700, 800, 100]), np.array([5, 6, 7]), BLOCKS)


def test_a_window_counts_from_its_begin() -> None:
    window = TRACE.window(1.0, 6.0)
    assert window.arrivals_s.tolist() == [1.0]
    assert window.input_tokens.tolist() == [800]
    assert window.duration_s == 5.0
    assert window.rate_per_s == 0.2
    assert window.blocks is not None
    assert (window.blocks.ids.tolist(), window.blocks.starts.tolist()) == ([0, 2], [0, 2])


def test_parts_hold_every_request_once() -> None:
    parts = TRACE.blocks_of_time(3)
    assert [part.input_tokens.tolist() for part in parts] == [[700], [800], [100]]
    assert [part.duration_s for part in parts] == pytest.approx([2.0, 2.0, 2.0])


def test_another_rate_changes_time_alone_and_says_so() -> None:
    faster = TRACE.at_rate(1.0)
    assert faster.arrivals_s.tolist() == [0.0, 1.0, 3.0]
    assert faster.input_tokens.tolist() == TRACE.input_tokens.tolist()
    assert faster.notes == ("scaled in rate from 0.5 to 1 requests/s by compressing time",)
    assert TRACE.at_rate(0.5).notes == ()


@pytest.mark.parametrize("rate_per_s", [0.0, -1.0, np.inf, np.nan])
def test_a_rate_that_makes_no_sense_is_refused(rate_per_s: float) -> None:
    with pytest.raises(WorkloadError, match="positive rate"):
        TRACE.at_rate(rate_per_s)


def test_requests_at_one_moment_have_no_rate() -> None:
    with pytest.raises(WorkloadError, match="no rate to scale"):
        TRACE.window(0.0, 0.0).at_rate(1.0)


@pytest.mark.parametrize(
    ("arrivals_s", "inputs", "message"),
    [
        ([0.0, 2.0, 1.0], [1, 1, 1], "out of order"),
        ([0.0, 1.0, 2.0], [1, 0, 1], "less than one token"),
        ([0.0], [1, 1], "different"),
    ],
)
def test_columns_that_contradict_are_refused(arrivals_s: list[float], inputs: list[int], message: str) -> None:
    with pytest.raises(WorkloadError, match=message):
        Trace("bad", np.array(arrivals_s), np.array(inputs), np.ones(len(arrivals_s), np.int64))


def test_other_lengths_keep_their_shape() -> None:
    longer = TRACE.at_lengths(1066, 60)
    assert longer.input_tokens.tolist() == [1399, 1599, 200]  # times 1066 / 533.33
    assert longer.output_tokens.tolist() == [50, 60, 70]
    assert longer.arrivals_s.tolist() == TRACE.arrivals_s.tolist() and longer.blocks is None


def test_some_requests_keep_their_times_and_blocks() -> None:
    some = TRACE.keep(np.array([True, False, True]))
    assert (some.arrivals_s.tolist(), some.duration_s) == ([0.0, 6.0], 6.0)
    assert some.blocks is not None
    assert (some.blocks.ids.tolist(), some.blocks.starts.tolist()) == ([0, 1, 3], [0, 2, 3])
    none = TRACE.keep(np.array([False, False, False]))
    assert len(none) == 0 and none.blocks is not None and none.blocks.starts.tolist() == [0]
