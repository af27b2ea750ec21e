"""What options of serving did to an estimate."""

from __future__ import annotations

from typing import Literal

from pydantic import Field

from planner.schema.base import Strict


class SpeculationAnswer(Strict):
    """Drafts, and what they gain."""

    method: str = Field(description="mtp, ngram or draft")
    draft_tokens: int = Field(description="drafts per sequence and step [-]")
    acceptance: float = Field(description="chance that a draft holds once those before it held [-]")
    tokens_per_step: float = Field(description="mean tokens that a step yields per sequence [-]")
    step_s: float = Field(description="one decode step, drafting and verification included [s]")
    draft_s: float = Field(description="drafting in it [s]")
    plain_tpot_s: float = Field(description="mean time per output token without speculation [s]")
    gain: float = Field(description="throughput over that without speculation; below 1 it loses [-]")


class SparsityAnswer(Strict):
    """2:4 weights, and what they gain."""

    stored_share: float = Field(description="bytes of a sparse matrix over those of the dense one [-]")
    dense_weights_bytes_per_gpu: float = Field(description="weights without sparsity [B]")
    plain_tpot_s: float | None = Field(description="mean time per output token dense; null where that does not fit [s]")
    gain: float | None = Field(description="throughput over that with dense weights [-]")


class OffloadAnswer(Strict):
    """Weights in host memory."""

    part: Literal["experts", "layers"] = Field(description="what lies in host memory")
    by: Literal["cpu", "pcie"] = Field(description="cpu: computed there; pcie: copied in every step")
    share: float = Field(description="share of the part that lies there [-]")
    host: str = Field(description="processor")
    sockets: int = Field(description="processors")
    weights_bytes: float = Field(description="offloaded weights, one copy [B]")
    needed_bytes: float = Field(description="host memory that they take, copies per socket included [B]")
    memory_bytes: float = Field(description="memory of the host [B]")
    host_bytes_per_s: float = Field(description="memory rate that the model expects [B/s]")
    step_s: float = Field(description="one decode step [s]")
    host_s: float = Field(description="processor or copies in it [s]")


class DisaggregationAnswer(Strict):
    """Two pools, and what the first token waits for."""

    prefill_gpus: int
    prefill_replicas: int
    prefill_layout: str = Field(description="parallel sizes of one prefill replica")
    decode_gpus: int
    decode_replicas: int
    admission_s: float = Field(description="wait for a place in the decode pool [s]")
    ingest_s: float = Field(description="tokenisation and queueing in front of both pools [s]")
    prefill_queue_s: float = Field(description="wait for prefill [s]")
    prefill_s: float = Field(description="prefill of one prompt [s]")
    transfer_bytes: float = Field(description="cache of one prompt, sent between the pools [B]")
    transfer_s: float = Field(description="sending it [s]")
    first_decode_s: float = Field(description="decode steps until the first token is seen [s]")
    prefill_limit_per_s: float = Field(description="most requests that the prefill pool serves [1/s]")
    decode_limit_per_s: float = Field(description="most requests that the decode pool serves [1/s]")
    limited_by: Literal["prefill", "decode", "users"] = Field(description="pool at its limit, or too few users")
