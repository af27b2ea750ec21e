"""What is known of DeepSeek-R1: which servers hold it, and how many long conversations beside it."""

from __future__ import annotations

import pytest

from planner.catalog import Catalog
from planner.errors import WorkloadError
from planner.models.memory import weight_bytes
from planner.search.estimate import Question, estimate
from planner.shapes import llm_shape


@pytest.mark.parametrize(
    ("weights", "low", "high"),
    [
        # 671.0e9 parameters of two bytes
        ("bf16", 1342.0e9, 1342.1e9),
        # One byte each for 669.1e9, with a 4-byte scale per 128 x 128 block; router and vocabulary in 16 bit:
        # 669.26e9 + 1.96e9 x 2 B. The multi-token-prediction module is left out.
        ("fp8", 672e9, 674e9),
        # Half a byte, and 2.5 B of scale and 4-bit zero per 128 weights: 0.5195 x 669.1e9 + 1.96e9 x 2 B = 351.5.
        # With a 16-bit zero (4 B per 128, 0.53125 B each) and everything narrowed it is the 356 that others state.
        ("int4", 350e9, 357e9),
    ],
)
def test_size_of_the_checkpoint(catalog: Catalog, weights: str, low: float, high: float) -> None:
    r1 = llm_shape("deepseek-r1", catalog.llms["deepseek-r1"])
    assert low <= weight_bytes(r1, weights) <= high


@pytest.mark.parametrize("weights", ["bf16", "fp8"])
def test_eight_a100_do_not_hold_it_as_published(catalog: Catalog, weights: str) -> None:
    with pytest.raises(WorkloadError, match=r"needs .* GB of weights per accelerator"):
        estimate(catalog, Question("deepseek-r1", "a100-sxm-80gb", gpus=8, tp=8, weights=weights))


def test_eight_a100_hold_it_in_four_bit(catalog: Catalog) -> None:
    found = estimate(catalog, Question("deepseek-r1", "a100-sxm-80gb", gpus=8, tp=8, weights="int4"))
    assert found.memory.fits
    # An eighth of 351.6 GB, and the compressions (0.92e9 x 0.52 B) and router on every rank: 44.5 GB
    assert found.memory.weights_bytes_per_gpu == pytest.approx(44.5e9, rel=0.01)


def test_eight_h200_hold_twenty_long_conversations_not_165(catalog: Catalog) -> None:
    question = Question("deepseek-r1", "h200-sxm-141gb", gpus=8, tp=8, input_tokens=31_744, output_tokens=1_024)
    memory = estimate(catalog, question).memory
    assert memory.fits
    # Each rank keeps whole latents: (0.92 x 150.2 GB - 85.1 weights - 4.5 other) / (32,768 x 70,272 B) = 21.
    # Counted as if eight ranks shared them, it would be 165.
    assert 19 <= memory.max_sequences <= 23
    assert memory.kv_bytes_per_token == memory.kv_bytes_per_token_per_gpu == 70_272


def test_attention_ranks_hold_ninety_six(catalog: Catalog) -> None:
    sizes = {"gpus": 8, "tp": 1, "dp": 8, "input_tokens": 31_744, "output_tokens": 1_024}
    spread = estimate(catalog, Question("deepseek-r1", "h200-sxm-141gb", **sizes)).memory
    # Attention is copied, latents are not: (0.92 x 150.2 GB - 100.8 weights - 9.0 other) / 2.303 GB = 12 on each rank.
    assert 88 <= spread.max_sequences <= 104
