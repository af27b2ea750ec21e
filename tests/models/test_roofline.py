"""Arithmetic and traffic of a step, counted by hand for the small LLM, against a roof of 1 PFLOP/s and 1 TB/s."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
import pytest

from planner.models import roofline
from planner.models.operators import Placement
from planner.models.shape import LlmShape

Place = Callable[..., Placement]


def test_a_decode_step_by_hand(small: LlmShape, placed: Place) -> None:
    """11 M parameters work, 22 MB are read; 1,000 tokens of context are 2 MB of cache and 8 MFLOP a sequence."""
    flops, moved = roofline.decode_work(small, placed(), np.array([4.0]), 1000.0)
    assert flops[0] == pytest.approx(4 * (22e6 + 8e6))
    assert moved[0] == pytest.approx(22e6 + 4 * 2e6)


def test_a_prefill_step_by_hand(small: LlmShape, placed: Place) -> None:
    """No output head but for the last token; half of the prompt lies before its mean token."""
    flops, moved = roofline.prefill_work(small, placed(), np.array([1000.0]), 0.0)
    assert flops[0] == pytest.approx(1000 * (20e6 + 4e6))
    assert moved[0] == pytest.approx(22e6 + 1e6)
    behind, more = roofline.prefill_work(small, placed(), np.array([1000.0]), 1000.0)
    assert behind[0] == pytest.approx(1000 * (20e6 + 12e6)) and more[0] == pytest.approx(22e6 + 3e6)


def test_ranks_share_the_work(small: LlmShape, placed: Place) -> None:
    alone, halved = (roofline.decode_work(small, placed(tp=n), np.array([4.0]), 1000.0)[0] for n in (1, 2))
    assert halved[0] == pytest.approx(alone[0] / 2)
    apart = roofline.prefill_work(small, placed(dp=2), np.array([1000.0]), 0.0)[0]
    assert apart[0] == pytest.approx(1000 * 24e6)  # a prompt for each


def test_experts_are_read_once(sparse: LlmShape, placed: Place) -> None:
    """A thousand tokens touch all 8 experts of both layers: 16 MB more than the 5 M parameters beside them."""
    _, moved = roofline.prefill_work(sparse, placed(), np.array([1000.0]), 0.0)
    assert moved[0] == pytest.approx(2 * 5e6 + 2 * 16e6 + 1e6)


def test_the_roof_bends_at_the_ridge() -> None:
    ridge = roofline.ridge_flops_per_byte(1e15, 1e12)
    roof = roofline.attainable_flops_per_s(np.array([ridge / 2, ridge, ridge * 2]), np.array(1e15), np.array(1e12))
    assert roof.tolist() == pytest.approx([5e14, 1e15, 1e15])
