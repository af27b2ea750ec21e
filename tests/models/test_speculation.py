"""Drafts by hand: what a step yields, what drafting and checking cost, and that neither is ever free speed."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from planner.models import operators, serving
from planner.models.operators import Efficiency, Placement
from planner.models.serving import Lengths
from planner.models.shape import LlmShape
from planner.models.speculation import Speculation, expected_tokens, mtp_shape, steps_for
from planner.models.step import draft_s, step_s

Placed = Callable[..., Placement]
ONE = np.ones(1)
NO_CONTEXT = np.zeros(1)


@pytest.mark.parametrize(
    ("drafts", "acceptance", "tokens"),
    [(1, 0.9, 1.9), (3, 0.5, 1.875), (2, 0.0, 1.0), (4, 1.0, 5.0)],
)
def test_tokens_per_step(drafts: int, acceptance: float, tokens: float) -> None:
    assert float(expected_tokens(drafts, acceptance)) == pytest.approx(tokens)
    assert Speculation(drafts, acceptance).tokens_per_step == pytest.approx(tokens)


@given(drafts=st.integers(1, 16), acceptance=st.floats(0, 1))
def test_a_step_yields_its_own_token_and_at_most_every_draft(drafts: int, acceptance: float) -> None:
    tokens = float(expected_tokens(drafts, acceptance))
    assert 1 <= tokens <= (drafts + 1) * (1 + 1e-9)
    assert tokens <= float(expected_tokens(drafts + 1, acceptance)) * (1 + 1e-9)


@pytest.mark.parametrize(("drafts", "acceptance"), [(1, 0.8), (3, 0.5), (4, 0.95)])
def test_steps_by_chance_yield_what_is_expected(drafts: int, acceptance: float) -> None:
    """Mean over 300 answers of 4,000 tokens; their last step may be cut, which 1 % allows for."""
    steps = steps_for(np.full(300, 4001), drafts, acceptance, seed=7)
    assert 4000 / steps.mean() == pytest.approx(float(expected_tokens(drafts, acceptance)), rel=0.01)
    assert (steps >= 4000 / (drafts + 1)).all() and (steps <= 4000).all()
    assert steps_for([50], drafts, acceptance, 7).tolist() == steps_for([50], drafts, acceptance, 7).tolist()


def test_the_module_of_deepseek_r1(shape_of: Callable[[str], LlmShape]) -> None:
    # README_WEIGHTS.md of DeepSeek-V3 gives 11.5 B parameters beside the shared embedding and head: one expert layer
    # of the LLM and a projection of two embeddings, 2 x 7,168 x 7,168. The published figure is rounded.
    module = mtp_shape(shape_of("deepseek-r1"))
    own = module.attention_params + module.shared_expert_params + module.router_params + module.routed_expert_params
    assert own == pytest.approx(11.5e9, rel=0.015)
    assert module.layers == module.moe_layers == module.full_layers == 1


def test_checking_drafts_is_free_while_weights_are_read(small: LlmShape, placed: Placed, ideal: Efficiency) -> None:
    # 22 MB of weights at 1 TB/s; four rows compute 8 x 10 M FLOP at 1 PFLOP/s, far less.
    place = replace(placed(), speculation=Speculation(3, 0.5))
    assert float(step_s(small, place, ideal, ONE, ONE, NO_CONTEXT)[0]) == pytest.approx(22e-6, rel=1e-4)


def test_checking_drafts_costs_their_arithmetic(small: LlmShape, placed: Placed, ideal: Efficiency) -> None:
    # Compute-bound: 1,000 sequences of four rows take four times as long.
    slow = placed(bandwidth_bytes_per_s=1e30)
    checked = replace(slow, speculation=Speculation(3, 0.5))
    batch = 1000 * ONE
    plain = float(step_s(small, slow, ideal, batch, batch, NO_CONTEXT)[0])
    assert float(step_s(small, checked, ideal, batch, batch, NO_CONTEXT)[0]) == pytest.approx(4 * plain)


def test_the_cache_is_read_once_for_all_drafts(small: LlmShape, placed: Placed, ideal: Efficiency) -> None:
    arguments = (small, placed(), ideal, ONE, np.array([1000.0]))
    once = float(operators.decode_attention_s(*arguments)[0])
    assert float(operators.decode_attention_s(*arguments, 4.0)[0]) == pytest.approx(once, rel=1e-3)
    fast = (small, placed(bandwidth_bytes_per_s=1e30), ideal, ONE, np.array([1000.0]))
    arithmetic = float(operators.decode_attention_s(*fast)[0])
    assert float(operators.decode_attention_s(*fast, 4.0)[0]) == pytest.approx(4 * arithmetic)


def test_every_draft_is_a_pass_of_the_module(small: LlmShape, placed: Placed, ideal: Efficiency) -> None:
    # One of two layers: 5 M parameters, the projection 2 M and the head 1 M, in 16 bit: 16 MB, three times.
    place = replace(placed(), speculation=Speculation(3, 0.5, mtp_shape(small), pass_s=1e-3))
    assert float(draft_s(place, ideal, ONE, NO_CONTEXT)[0]) == pytest.approx(3 * 16e-6 + 3e-3, rel=1e-4)


def test_looking_up_costs_nothing(placed: Placed, ideal: Efficiency) -> None:
    place = replace(placed(), speculation=Speculation(3, 0.5, None, pass_s=1e-3))
    assert float(draft_s(place, ideal, ONE, NO_CONTEXT)[0]) == 0


def test_the_tokens_of_a_step_travel_together(small: LlmShape, placed: Placed, ideal: Efficiency) -> None:
    # The front end takes 1 ms per message, and a step brings one of each of seven sequences.
    place = replace(placed(stream_sequence_s=1e-3), speculation=Speculation(3, 0.5))
    found = step_s(small, place, ideal, 7 * ONE, 7 * ONE, NO_CONTEXT)
    assert float(found[0]) == pytest.approx(7e-3)


@given(
    sequences=st.floats(1, 2000),
    context=st.floats(0, 1e5),
    drafts=st.integers(1, 8),
    acceptance=st.floats(0, 1),
    module=st.booleans(),
)
def test_never_faster_than_the_tokens_of_a_step(
    sparse: LlmShape,
    placed: Placed,
    ideal: Efficiency,
    sequences: float,
    context: float,
    drafts: int,
    acceptance: float,
    module: bool,
) -> None:
    batch, tokens = np.array([sequences]), np.array([context])
    speculation = Speculation(drafts, acceptance, mtp_shape(sparse) if module else None)
    plain = float(step_s(sparse, placed(), ideal, batch, batch, tokens)[0])
    place = replace(placed(), speculation=speculation)
    assert float(step_s(sparse, place, ideal, batch, batch, tokens)[0]) >= plain * (1 - 1e-12)


def test_the_gain_fades_with_the_batch(small: LlmShape, placed: Placed, ideal: Efficiency) -> None:
    place = replace(placed(), speculation=Speculation(3, 0.5, mtp_shape(small)))
    gains = []
    for sequences in (1.0, 100.0, 300.0, 1000.0, 10_000.0):
        batch = np.array([sequences])
        plain = step_s(small, placed(), ideal, batch, batch, NO_CONTEXT)
        gains.append(1.875 * float((plain / step_s(small, place, ideal, batch, batch, NO_CONTEXT))[0]))
    assert gains == sorted(gains, reverse=True)
    assert gains[0] == pytest.approx(1.875 * 22 / (22 + 48), rel=1e-3)  # 48 us of drafting
    assert gains[-1] < 0.5  # four rows computed for 1.875 tokens, and the drafts


def test_a_lone_sequence_takes_fewer_steps(small: LlmShape, placed: Placed, ideal: Efficiency) -> None:
    lengths = Lengths(1, 100, 0.0, 1.0, 0.0, tokens_per_step=1.875)
    assert float(lengths.steps) == pytest.approx(100 / 1.875)
    place = replace(placed(), speculation=Speculation(3, 0.5))
    point = serving.operate(small, place, ideal, lengths, ONE, np.array([8192.0]), 0.0)
    assert float(point.tpot_s[0]) == pytest.approx(float(point.decode_s[0]) / 1.875)
    assert float(point.rate_per_s[0] * 100 * point.tpot_s[0]) == pytest.approx(1)
