"""What `planner measure` writes: times of kernels on one GPU. SI units, suffixes in the keys."""

from __future__ import annotations

from typing import Literal

from pydantic import Field

from planner.schema.base import Count, Id, NonNegative, Positive, Strict, Text

SCHEMA = "planner-measure/1"


class Timed(Strict):
    """One case: time of one call, and what the board drew meanwhile."""

    time_s: Positive = Field(description="time of one call, median of the batches [s]")
    time_low_s: Positive | None = Field(None, description="10 % of the batches were faster [s]")
    time_high_s: Positive | None = Field(None, description="10 % of the batches were slower [s]")
    batches: Count | None = Field(None, description="batches of calls that were timed")
    captured: bool | None = Field(None, description="true: replayed from a CUDA graph, as engines do")
    backend: str = Field("", description="which of several kernels: the fastest that took the shape")
    power_w: NonNegative | None = Field(None, description="board power under this load, median [W]")
    sm_clock_hz: NonNegative | None = Field(None, description="clock of the multiprocessors, median [Hz]")


class CopyTime(Timed):
    """Device memory to device memory."""

    moved_bytes: Count = Field(description="bytes read plus bytes written [B]")


class ReadTime(Timed):
    """Two vectors read for their dot product."""

    moved_bytes: Count = Field(description="bytes read [B]")


class GemmTime(Timed):
    """[rows, k] times [k, n], weights from memory."""

    precision: Literal["bf16", "fp8", "fp8-block", "int8"] = Field(
        description="fp8: one scale per matrix; fp8-block: per 128 x 128"
    )
    rows: Count = Field(description="tokens [-]")
    n: Count = Field(description="outputs [-]")
    k: Count = Field(description="inputs [-]")


class GroupedGemmTime(Timed):
    """One product for each of many experts, in one kernel."""

    precision: Literal["bf16", "fp8"] = Field(description="of weights and activations")
    experts: Count = Field(description="experts, all with rows [-]")
    rows_per_expert: Count = Field(description="tokens of each [-]")
    n: Count = Field(description="outputs of one expert [-]")
    k: Count = Field(description="inputs [-]")


class DecodeAttentionTime(Timed):
    """One query token per sequence over its cache, one layer, 16 bit."""

    sequences: Count = Field(description="sequences [-]")
    context_tokens: Count = Field(description="cached tokens of each [token]")
    query_heads: Count = Field(description="query heads [-]")
    kv_heads: Count = Field(description="key and value heads [-]")
    head_dim: Count = Field(description="values per head [-]")


class PrefillAttentionTime(Timed):
    """Causal attention of one prompt, one layer, 16 bit."""

    tokens: Count = Field(description="prompt length [token]")
    query_heads: Count = Field(description="query heads [-]")
    kv_heads: Count = Field(description="key and value heads [-]")
    head_dim: Count = Field(description="values per head [-]")


class LaunchTime(Timed):
    """The smallest kernel."""

    way: Literal["graph", "eager"] = Field(description="replayed in a graph, or started one by one from Python")


class TransferTime(Timed):
    """Between pinned host memory and the device."""

    direction: Literal["host-to-device", "device-to-host"] = Field(description="which way")
    moved_bytes: Count = Field(description="bytes [B]")


class AllReduceTime(Timed):
    """Sum over all ranks, NCCL, 16 bit."""

    ranks: int = Field(ge=2, description="GPUs [-]")
    message_bytes: Count = Field(description="message of each rank [B]")


class IdlePower(Strict):
    """Context open, nothing running."""

    power_w: NonNegative | None = Field(None, description="board power, median [W]")
    sm_clock_hz: NonNegative | None = Field(None, description="clock of the multiprocessors, median [Hz]")


class MeasuredDevice(Strict):
    """What was measured, as driver and torch name it."""

    name: Text = Field(description="device name as the driver gives it")
    count: Count = Field(description="GPUs that were visible")
    driver: str | None = Field(None, description="driver version")
    cuda: str | None = Field(None, description="CUDA (or HIP) version of torch")
    torch: str | None = Field(None, description="torch version")
    python: str | None = Field(None, description="Python version")
    compute_capability: str | None = Field(None, description="major.minor")
    multiprocessors: Count | None = Field(None, description="multiprocessors [-]")
    l2_bytes: Count | None = Field(None, description="last cache before memory [B]")
    memory_driver_bytes: Positive | None = Field(None, description="memory that the driver reports [B]")
    memory_total_bytes: Positive | None = Field(None, description="memory that a process sees [B]")
    power_limit_w: Positive | None = Field(None, description="power limit in force [W]")
    sm_clock_max_hz: Positive | None = Field(None, description="highest clock of the multiprocessors [Hz]")
    power_source: str = Field("", description="what read the power; empty: nothing could")


class LeftOut(Strict):
    """A case that did not run."""

    what: Text = Field(description="the case")
    reason: Text = Field(description="why")


class Measured(Strict):
    """One run of `planner measure`."""

    version: Literal["planner-measure/1"] = Field(alias="schema", description="version of this format")
    source: Text = Field(description="what measured")
    measured_on: str = Field(pattern=r"^\d{4}(-\d{2}(-\d{2})?)?$", description="day, month or year")
    accelerator: Id | None = Field(None, description="catalog id; blank: found by the device's name")
    seconds: Positive | None = Field(None, description="time that the run took [s]")
    notes: str = Field("", description="caveats")
    device: MeasuredDevice = Field(description="what was measured")
    idle: IdlePower = Field(description="power without load")
    copies: tuple[CopyTime, ...] = Field((), description="copy bandwidth")
    reads: tuple[ReadTime, ...] = Field((), description="read bandwidth")
    gemms: tuple[GemmTime, ...] = Field((), description="matrix products by rows and precision")
    grouped_gemms: tuple[GroupedGemmTime, ...] = Field((), description="expert products")
    decode_attention: tuple[DecodeAttentionTime, ...] = Field((), description="attention over a cache")
    prefill_attention: tuple[PrefillAttentionTime, ...] = Field((), description="attention of a prompt")
    launches: tuple[LaunchTime, ...] = Field((), description="launch floors")
    transfers: tuple[TransferTime, ...] = Field((), description="host to device and back")
    all_reduces: tuple[AllReduceTime, ...] = Field((), description="collectives by size")
    left_out: tuple[LeftOut, ...] = Field((), description="what did not run, and why")
