"""Bytes by hand: weights, caches and temporary tensors of small and of published LLMs."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
import pytest

from planner.models import memory
from planner.models.precision import BYTES_PER_KV, BYTES_PER_WEIGHT
from planner.models.shape import LlmShape

ShapeOf = Callable[[str], LlmShape]
BF16 = dict.fromkeys(memory.PARTS, 2.0)


@pytest.mark.parametrize(
    ("llm", "kv", "expected"),
    [
        # 61 layers x (512 latent + 64 rope) values
        ("deepseek-r1", "bf16", 61 * 576 * 2),  # 70,272
        ("deepseek-r1", "fp8", 61 * 576),  # 35,136
        # V3.2 keeps 128 values of its indexer beside them
        ("deepseek-v3.2", "bf16", 61 * (576 + 128) * 2),  # 85,888
        # layers x 2 (keys, values) x key-value heads x head dimension
        ("llama-3.1-70b", "bf16", 80 * 2 * 8 * 128 * 2),  # 327,680
        ("llama-3.1-8b", "bf16", 32 * 2 * 8 * 128 * 2),  # 131,072
        ("qwen3-32b", "bf16", 64 * 2 * 8 * 128 * 2),  # 262,144
        ("qwen3-32b", "fp8", 64 * 2 * 8 * 128),
        ("mixtral-8x7b", "bf16", 32 * 2 * 8 * 128 * 2),
        # Only layers that keep every token grow: 10 of 62, 18 of 36, 12 of 48
        ("gemma-3-27b", "bf16", 10 * 2 * 16 * 128 * 2),  # 81,920
        ("gpt-oss-120b", "bf16", 18 * 2 * 8 * 64 * 2),  # 36,864
        ("qwen3-next-80b-a3b", "bf16", 12 * 2 * 2 * 256 * 2),  # 24,576
    ],
)
def test_cache_per_token(shape_of: ShapeOf, llm: str, kv: str, expected: int) -> None:
    assert memory.kv_bytes_per_token(shape_of(llm), kv) == expected


def test_r1_keeps_the_whole_latent_on_every_rank(shape_of: ShapeOf) -> None:
    r1 = shape_of("deepseek-r1")
    tp = np.array([1, 2, 4, 8, 16])
    per_gpu = memory.kv_bytes_per_token(r1, "bf16") / memory.kv_shards(r1, tp, 1)
    assert per_gpu.tolist() == [70_272] * 5


def test_grouped_heads_divide_until_each_rank_has_one(shape_of: ShapeOf) -> None:
    llama = shape_of("llama-3.1-70b")
    per_gpu = memory.kv_bytes_per_token(llama, "bf16") / memory.kv_shards(llama, np.array([1, 2, 8, 16]), 1)
    assert per_gpu.tolist() == [327_680, 163_840, 40_960, 40_960]  # 8 key-value heads: TP16 copies


def test_stages_divide_layers(shape_of: ShapeOf) -> None:
    # 61 layers in 2 stages: the fuller one has 31. 80 in 4: 20 each, times 8 ranks.
    assert float(memory.kv_shards(shape_of("deepseek-r1"), 8, 2)) == pytest.approx(61 / 31)
    assert float(memory.kv_shards(shape_of("llama-3.1-70b"), 8, 4)) == 32


@pytest.mark.parametrize(
    ("llm", "expected"),
    [
        ("deepseek-r1", 70_272 * 32_768),
        ("llama-3.1-70b", 327_680 * 32_768),
        # 52 sliding layers keep 1,024 tokens, 10 keep all; 2 x 16 heads x 128 values of 2 B
        ("gemma-3-27b", 8_192 * (10 * 32_768 + 52 * 1_024)),  # 3.12 GB, not 16.6
        # Every other layer keeps 128 tokens; 2 x 8 heads x 64 values of 2 B
        ("gpt-oss-20b", 2_048 * (12 * 32_768 + 12 * 128)),
        ("gpt-oss-120b", 2_048 * (18 * 32_768 + 18 * 128)),
        # 12 of 48 layers cache; 36 hold, in 16 bit, a 128 x 128 matrix for each of 32 value heads and
        # three steps of the convolution over 2 x 16 x 128 key and 32 x 128 value channels
        ("qwen3-next-80b-a3b", 2_048 * 12 * 32_768 + 36 * 2 * (32 * 128 * 128 + 3 * (2 * 16 * 128 + 32 * 128))),
        ("deepseek-v3.2", 85_888 * 32_768),
    ],
)
def test_cache_of_a_32k_sequence(shape_of: ShapeOf, llm: str, expected: int) -> None:
    assert float(memory.kv_bytes_per_sequence(shape_of(llm), 2.0, 32_768)) == expected


def test_a_window_does_not_keep_more_than_the_sequence(shape_of: ShapeOf) -> None:
    # 100 tokens fit the window of 1,024: all 62 layers keep all of them.
    assert float(memory.kv_bytes_per_sequence(shape_of("gemma-3-27b"), 2.0, 100)) == 8_192 * 62 * 100


def test_an_empty_sequence_of_a_hybrid_still_has_its_state(shape_of: ShapeOf) -> None:
    hybrid = shape_of("qwen3-next-80b-a3b")
    assert float(memory.kv_bytes_per_sequence(hybrid, 2.0, 0)) == hybrid.linear_state_bytes > 0


def test_weights_of_a_whole_checkpoint(small: LlmShape, sparse: LlmShape) -> None:
    # (4 M attention + 6 M FFN + 1 M embedding + 1 M head) x 2 B
    assert memory.weight_bytes(small, "bf16") == 24e6
    # FP8: 10 M x (1 + 4/128^2) B + 2 M x 2 B
    assert memory.weight_bytes(small, "fp8") == pytest.approx(10e6 * (1 + 4 / 16_384) + 4e6)
    # (4 M attention + 2 layers x 8 experts x 1 M + 2 M vocabulary) x 2 B
    assert memory.weight_bytes(sparse, "bf16") == 44e6


def test_four_bit_mixtures_keep_attention_wide(small: LlmShape, sparse: LlmShape) -> None:
    # NVFP4: 16 M experts x 9/16 B + 4 M attention x 2 B + 2 M vocabulary x 2 B
    assert memory.weight_bytes(sparse, "nvfp4") == 9e6 + 8e6 + 4e6
    assert memory.weight_bytes(small, "nvfp4") == 10e6 * 9 / 16 + 4e6  # a dense one narrows it, too


def test_microscaling_pads_experts_to_256(sparse: LlmShape) -> None:
    # A width of 1,000 is stored as 1,024: 16 M x 1.024 x (0.5 + 1/32) B
    assert memory.bytes_per_part(sparse, "mxfp4")["routed_experts"] == 1.024 * 0.53125
    assert memory.bytes_per_part(sparse, "nvfp4")["routed_experts"] == 0.5625


def test_weights_on_the_fullest_gpu(small: LlmShape) -> None:
    tp = np.array([1, 2, 4, 1, 2])
    pp = np.array([1, 1, 1, 2, 2])
    # tp 2: (3 + 1 + 6) / 2 M + 2 / 2 M vocabulary. tp 4: 2 heads of keys, so 3/4 + 1/2 + 6/4 M, + 2/4 M.
    # Two stages: half the layers and one of the two tables.
    expected = [24e6, 12e6, (0.75 + 0.5 + 1.5 + 0.5) * 2e6, 12e6, 6e6]
    assert memory.weight_bytes_per_gpu(small, BF16, tp, 1, pp).tolist() == expected


def test_experts_divide_over_attention_ranks(sparse: LlmShape) -> None:
    # dp 4: attention and vocabulary on each, 4 M + 2 M; 16 M of experts in four.
    assert float(memory.weight_bytes_per_gpu(sparse, BF16, 1, 4, 1)) == (4e6 + 2e6 + 4e6) * 2


def test_weights_of_one_gpu_are_the_checkpoint(shape_of: ShapeOf) -> None:
    for llm in ("llama-3.1-8b", "deepseek-r1", "gpt-oss-120b"):
        shape = shape_of(llm)
        width = memory.bytes_per_part(shape, "fp8")
        whole = memory.weight_bytes_per_gpu(shape, dict(width), 1, 1, 1)
        assert float(whole) == pytest.approx(memory.weight_bytes(shape, "fp8"))


def test_activations_are_the_widest_layer_or_the_logits(small: LlmShape) -> None:
    arguments = {"tp": 1, "dp": 1, "hidden_copies": 8, "logit_copies": 10, "latent_workspace_tokens": 0}
    # 100 tokens x (3 x 2,000 + 8 x 1,000) values x 2 B
    assert float(memory.activation_bytes_per_gpu(small, 100, 1, **arguments)) == 2.8e6
    # 100 sequences x 1,000 logits x 10 copies x 4 B
    assert float(memory.activation_bytes_per_gpu(small, 1, 100, **arguments)) == 4e6


def test_a_latent_is_expanded_for_the_heads_of_a_rank(shape_of: ShapeOf) -> None:
    r1 = shape_of("deepseek-r1")
    arguments = {"sequences": 0, "dp": 1, "hidden_copies": 0, "logit_copies": 0, "latent_workspace_tokens": 1000}
    peak = memory.activation_bytes_per_gpu(r1, 0, tp=np.array([1, 8]), **arguments)
    # 1,000 tokens x 128 heads x (128 key + 128 value) x 2 B, over 8 ranks
    assert peak.tolist() == [65_536_000, 8_192_000]


@pytest.mark.parametrize(
    ("rule", "room"),
    [
        ("total", 100 * 0.9 - 50 - 15),  # everything inside the share
        ("static", 100 - 50 - 15),  # weights and caches inside it: 40, but the card has only 35 left
        ("free", (100 - 50 - 15) * 0.9),  # a share of what the others leave
    ],
)
def test_room_by_the_rule_of_the_engine(rule: str, room: float) -> None:
    assert float(memory.kv_room_bytes(100, 0.9, rule, 50, 10, 5)) == pytest.approx(room)


def test_static_room_is_the_share_where_the_rest_fits() -> None:
    assert float(memory.kv_room_bytes(100, 0.8, "static", 50, 10, 5)) == pytest.approx(30)


def test_no_room_is_negative_and_holds_nothing() -> None:
    room = memory.kv_room_bytes(80, 0.9, np.array(["total", "static", "free"]), 90, 5, 5)
    assert (room < 0).all()
    assert memory.max_sequences(room, 1.0, 1.0, 1.0).tolist() == [0, 0, 0]


def test_only_whole_sequences_on_each_attention_rank() -> None:
    # 100 B x 2 shards / 30 B = 6.67: six on each of three ranks
    assert float(memory.max_sequences(100, 30, 2, 3)) == 18


def test_arrays_give_what_scalars_give(shape_of: ShapeOf) -> None:
    llama = shape_of("llama-3.1-70b")
    tp, context = np.array([1, 2, 4, 8]), np.array([10.0, 1e3, 1e4, 1e5])
    weights = memory.weight_bytes_per_gpu(llama, BF16, tp, 1, 1)
    caches = memory.kv_bytes_per_sequence(llama, 2.0, context)
    assert weights.tolist() == [float(memory.weight_bytes_per_gpu(llama, BF16, int(n), 1, 1)) for n in tp]
    assert caches.tolist() == [float(memory.kv_bytes_per_sequence(llama, 2.0, float(n))) for n in context]


def test_widths_include_their_scales() -> None:
    # int4 AWQ: 128 weights x 0.5 B + 2 B scale + 0.5 B zero point
    assert BYTES_PER_WEIGHT["int4"] == (64 + 2 + 0.5) / 128
    # nvfp4: 16 x 0.5 B + 1 B; mxfp4: 32 x 0.5 B + 1 B; fp8: 128 x 128 x 1 B + 4 B
    assert BYTES_PER_WEIGHT["nvfp4"] == (8 + 1) / 16
    assert BYTES_PER_WEIGHT["mxfp4"] == (16 + 1) / 32
    assert BYTES_PER_WEIGHT["fp8"] == (16_384 + 4) / 16_384
    assert BYTES_PER_KV == {"bf16": 2, "fp8": 1}
