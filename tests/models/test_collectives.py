"""Bytes that travel between ranks, by hand: links of 100 GB/s and 10 us."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
import pytest

from planner.models import collectives
from planner.models.operators import Placement
from planner.models.shape import LlmShape

Placed = Callable[..., Placement]


@pytest.mark.parametrize(
    ("ranks", "travelled"),
    [(1, 0), (2, 1), (4, 1.5), (8, 1.75)],  # 2 (n - 1) / n of the message
)
def test_all_reduce(ranks: int, travelled: float) -> None:
    found = collectives.all_reduce_s(np.array(1e9), np.array(ranks), np.array(1e11), np.array(1e-5))
    assert float(found) == pytest.approx(travelled * 1e-2 + (1e-5 if ranks > 1 else 0))


@pytest.mark.parametrize(
    ("ranks", "copies", "travelled"),
    [
        (1, 8, 0),
        (2, 8, 1),  # eight experts, but one other rank
        (4, 2, 1.5),  # a quarter of two copies stays at home
        (64, 8, 7.875),
    ],
)
def test_all_to_all(ranks: int, copies: float, travelled: float) -> None:
    found = collectives.all_to_all_s(np.array(1e9), np.array(ranks), copies, np.array(1e11), np.array(1e-5))
    assert float(found) == pytest.approx(travelled * 1e-2 + (1e-5 if ranks > 1 else 0))


def test_two_all_reduces_in_each_layer(small: LlmShape, placed: Placed) -> None:
    # 100 rows x 1,000 x 2 B = 200 kB; 2 layers x 2 x (10 us + 1.5 x 200 kB / 100 GB/s) = 52 us
    place = placed(tp=4)
    found = collectives.layer_collectives_s(small, place.tp, place.dp, np.array([100.0]), place.links)
    assert float(found[0]) == pytest.approx(4 * (10e-6 + 3e-6))


def test_attention_ranks_dispatch_and_combine(sparse: LlmShape, placed: Placed) -> None:
    # dp 4, tp 1: no all-reduce; 2 expert layers x 2 x (10 us + 2 x 3/4 x 50 kB / 100 GB/s)
    place = placed(dp=4)
    found = collectives.layer_collectives_s(sparse, place.tp, place.dp, np.array([100.0]), place.links)
    assert float(found[0]) == pytest.approx(4 * (10e-6 + 1.5 * 0.5e-6))


def test_alone_nothing_travels(sparse: LlmShape, placed: Placed) -> None:
    place = placed()
    assert float(collectives.layer_collectives_s(sparse, place.tp, place.dp, np.ones(1), place.links)[0]) == 0
    assert float(collectives.stage_transfer_s(sparse, place.tp, place.pp, np.ones(1), place.links)[0]) == 0


def test_stages_hand_over_once_each(small: LlmShape, placed: Placed) -> None:
    # pp 4: three hand-overs of 100 x 1,000 x 2 B, shared by 2 tensor ranks: 10 us + 1 us
    place = placed(tp=2, pp=4)
    found = collectives.stage_transfer_s(small, place.tp, place.pp, np.array([100.0]), place.links)
    assert float(found[0]) == pytest.approx(33e-6)
