"""What is timed: one record per kernel and size; the fields are the columns of the result.

The sizes are of LLMs that are commonly served, so that a case stands for a real operator. They are
a choice of what to look at and enter no prediction.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import ClassVar

ROWS = (1, 2, 4, 8, 16, 32, 64, 128, 256, 512, 1024, 2048, 4096, 8192)
# (n, k) of Llama-3.1-70B's down projection, DeepSeek-V3's attention output and Llama-3.1-8B's gate and up.
MATRICES = ((8192, 28672), (7168, 16384), (28672, 4096))
EXPERTS, EXPERT_MATRIX = 32, (4096, 7168)  # gate and up of DeepSeek-V3; 32 of its experts on one of 8 ranks
ROWS_PER_EXPERT = (1, 4, 16, 64, 256, 1024)
HEADS = ((64, 8, 128), (32, 8, 128))  # query heads, key/value heads, head dimension: Llama-3.1 70B and 8B
CACHES = ((1, 32768), (4, 8192), (16, 8192), (64, 8192), (64, 2048), (256, 1024))
PROMPTS = (512, 1024, 2048, 4096, 8192, 16384, 32768)
STREAM_BYTES = 4 * 2**30  # read and written by one copy: far beyond every cache
TRANSFER_BYTES = 2**28
MESSAGES = tuple(2**exponent for exponent in range(13, 29, 2))  # 8 KiB (one token) to 128 MiB (a long prompt)


@dataclass(frozen=True)
class Copy:
    """Device memory to device memory; bytes read plus bytes written."""

    section: ClassVar[str] = "copies"
    moved_bytes: int


@dataclass(frozen=True)
class Read:
    """Two vectors read for their dot product."""

    section: ClassVar[str] = "reads"
    moved_bytes: int


@dataclass(frozen=True)
class Gemm:
    """[rows, k] times [k, n]; `fp8` has one scale per matrix, `fp8-block` one per 128 x 128 block."""

    section: ClassVar[str] = "gemms"
    precision: str
    rows: int
    n: int
    k: int


@dataclass(frozen=True)
class GroupedGemm:
    """One [rows_per_expert, k] times [k, n] for each of many experts, in one kernel."""

    section: ClassVar[str] = "grouped_gemms"
    precision: str
    experts: int
    rows_per_expert: int
    n: int
    k: int


@dataclass(frozen=True)
class DecodeAttention:
    """One query token per sequence over its cached keys and values, one layer, 16 bit."""

    section: ClassVar[str] = "decode_attention"
    sequences: int
    context_tokens: int
    query_heads: int
    kv_heads: int
    head_dim: int


@dataclass(frozen=True)
class PrefillAttention:
    """Causal attention of one prompt, one layer, 16 bit."""

    section: ClassVar[str] = "prefill_attention"
    tokens: int
    query_heads: int
    kv_heads: int
    head_dim: int


@dataclass(frozen=True)
class Launch:
    """The smallest kernel, started one by one from Python or replayed in a graph."""

    section: ClassVar[str] = "launches"
    way: str


@dataclass(frozen=True)
class Transfer:
    """Between pinned host memory and the device."""

    section: ClassVar[str] = "transfers"
    direction: str
    moved_bytes: int


@dataclass(frozen=True)
class AllReduce:
    """Sum over all ranks, 16 bit."""

    section: ClassVar[str] = "all_reduces"
    ranks: int
    message_bytes: int


Case = Copy | Read | Gemm | GroupedGemm | DecodeAttention | PrefillAttention | Launch | Transfer
SECTIONS = tuple(
    kind.section
    for kind in (Copy, Read, Gemm, GroupedGemm, DecodeAttention, PrefillAttention, Launch, Transfer, AllReduce)
)


def label(case: Case | AllReduce) -> str:
    """Short name for progress and for what was left out.

    Examples
    --------
    >>> label(Gemm("fp8", 16, 8192, 28672))
    'gemms fp8 16 8192 28672'
    """
    return " ".join([case.section, *map(str, vars(case).values())])


def all_cases() -> tuple[Case, ...]:
    """Every case on one GPU, those that share matrices side by side."""
    return tuple(_all())


def all_reduces(ranks: int) -> tuple[AllReduce, ...]:
    """All-reduces by message size."""
    return tuple(AllReduce(ranks, size) for size in MESSAGES)


def _all() -> Iterator[Case]:
    yield from (Launch("graph"), Launch("eager"))
    yield from (Transfer("host-to-device", TRANSFER_BYTES), Transfer("device-to-host", TRANSFER_BYTES))
    yield from (Copy(STREAM_BYTES), Read(STREAM_BYTES))
    for precision in ("bf16", "fp8"):
        for n, k in MATRICES:
            yield from (Gemm(precision, rows, n, k) for rows in ROWS)
    # Kernels for these take rows in blocks: cuBLASLt's 128 x 128 scales from 8, torch's int8 product from 17.
    yield from (Gemm("fp8-block", rows, *MATRICES[0]) for rows in ROWS if rows >= 8)
    yield from (Gemm("int8", rows, *MATRICES[0]) for rows in ROWS if rows >= 32)
    for precision in ("bf16", "fp8"):
        yield from (GroupedGemm(precision, EXPERTS, rows, *EXPERT_MATRIX) for rows in ROWS_PER_EXPERT)
    for heads in HEADS:
        yield from (DecodeAttention(sequences, context, *heads) for sequences, context in CACHES)
        yield from (PrefillAttention(tokens, *heads) for tokens in PROMPTS)
