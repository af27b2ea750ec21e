"""What `planner estimate` asks, and which of it makes sense."""

from __future__ import annotations

from dataclasses import dataclass

from planner.catalog import Catalog
from planner.errors import Message, MissingFact, WorkloadError
from planner.models.precision import compute_dtype
from planner.search.columns import KV, WEIGHTS
from planner.search.space import FACTS, possible_weights


@dataclass(frozen=True)
class Question:
    """Names as the user wrote them, sizes of the layout, the load, and options of serving.

    Attributes
    ----------
    speculation : `mtp:K`, `ngram:K` or `draft:LLM:K`, K drafts per step; None: no drafts
    acceptance : chance that a draft holds; None: as measured for multi-token prediction [-]
    sparsity : `2:4`, or None
    offload : `experts:cpu`, `experts:pcie` or `layers:pcie`, with `:SHARE` where not all; None: nothing
    host, sockets, host_memory_gb : processor of the host, how many, and its memory [GB]
    profile : software: `tuned` for the accelerator, an engine's `default` flags, or `old` (vLLM before 0.13)
    mode : `aggregated`, or `disaggregated` with pools of their own for prefill and decode
    prefill_*, decode_gpus : the pools; tp, dp, pp and ep then describe one decode replica
    """

    llm: str
    accelerator: str
    gpus: int = 8
    tp: int | None = None
    dp: int = 1
    pp: int = 1
    ep: int = 1
    weights: str | None = None
    kv: str = "bf16"
    engine: str = "vllm"
    input_tokens: int = 1024
    output_tokens: int = 1024
    concurrency: int = 64
    utilisation: float | None = None
    prefix_hit_rate: float = 0.0
    site: str = "us-average"
    speculation: str | None = None
    acceptance: float | None = None
    sparsity: str | None = None
    offload: str | None = None
    host: str | None = None
    sockets: int = 2
    host_memory_gb: float | None = None
    profile: str = "tuned"
    mode: str = "aggregated"
    prefill_gpus: int | None = None
    decode_gpus: int | None = None
    prefill_tp: int | None = None
    prefill_dp: int = 1
    prefill_ep: int = 1


PROFILES = {"tuned": "", "default": "default", "old": "old"}  # as asked -> scope in calibration.csv


@dataclass(frozen=True)
class Resolved:
    """Catalog ids and sizes of a question that makes sense."""

    llm: str
    accelerator: str
    engine: str
    tp: int
    weights: str


def resolve(catalog: Catalog, q: Question) -> Resolved:
    """Names looked up, sizes checked.

    Raises
    ------
    UnknownName, WorkloadError, MissingFact
        For names, sizes or facts that give no answer.
    """
    llm_id = catalog.llm_id(q.llm, "--llm")
    accelerator_id = catalog.accelerator_id(q.accelerator, "--accelerator")
    engine_id = catalog.engine_id(q.engine, "--engine")
    catalog.site(q.site, "--site")
    llm, row = catalog.llms[llm_id], catalog.accelerators[accelerator_id]
    for field in FACTS:
        if getattr(row, field) is None:
            raise MissingFact(
                accelerator_id,
                field,
                Message("an estimate"),
                Message("Add it with its source to catalogs/accelerators.toml."),
            )
    weights = q.weights or llm.weights
    tp = max(q.gpus // max(q.dp * q.pp, 1), 1) if q.tp is None else q.tp
    _check_sizes(q, tp)
    _check_options(q)
    _check_shape(llm.heads, llm.layers, llm.moe.experts if llm.moe else 0, q, tp)
    if weights not in possible_weights(llm):
        raise WorkloadError(
            "{llm_id} is published in {published}; {weights} cannot be made from it.\n  Possible: {possible}.",
            llm_id=llm_id,
            published=llm.weights,
            weights=weights,
            possible=", ".join(possible_weights(llm)),
        )
    if compute_dtype(weights, frozenset(row.peak_flops_per_s)) is None:
        raise WorkloadError(
            "{accelerator} cannot compute in {weights}: it has units for {known}.\n"
            "  Choose other --weights, such as int4 or bf16, or another --accelerator.",
            accelerator=accelerator_id,
            weights=weights,
            known=", ".join(row.peak_flops_per_s),
        )
    context = q.input_tokens + q.output_tokens
    if llm.max_context_tokens and context > llm.max_context_tokens:
        raise WorkloadError(
            "{input_tokens} tokens in and {output_tokens} out exceed the {max_context_tokens}-token "
            "context of {llm_id}.",
            input_tokens=q.input_tokens,
            output_tokens=q.output_tokens,
            max_context_tokens=llm.max_context_tokens,
            llm_id=llm_id,
        )
    return Resolved(llm_id, accelerator_id, engine_id, tp, weights)


def _check_sizes(q: Question, tp: int) -> None:
    sizes = {
        "gpus": q.gpus,
        "tp": tp,
        "dp": q.dp,
        "pp": q.pp,
        "ep": q.ep,
        "input": q.input_tokens,
        "output": q.output_tokens,
        "concurrency": q.concurrency,
    }
    for name, size in sizes.items():
        if not 1 <= size <= 10_000_000:
            raise WorkloadError("--{name} {size}: give a whole number from 1 to 10,000,000.", name=name, size=size)
    if tp * q.dp * q.pp != q.gpus:
        raise WorkloadError(
            "--tp {tp} x --dp {dp} x --pp {pp} = {product} accelerators, but --gpus says {gpus}.\n"
            "  Make the product equal --gpus.",
            tp=tp,
            dp=q.dp,
            pp=q.pp,
            product=tp * q.dp * q.pp,
            gpus=q.gpus,
        )
    if q.ep not in (1, tp * q.dp):
        raise WorkloadError(
            "--ep {ep}: give 1, or tp x dp = {product} to place whole experts on ranks.", ep=q.ep, product=tp * q.dp
        )
    if q.kv not in KV:
        raise WorkloadError("--kv {kv}: give one of {allowed}.", kv=q.kv, allowed=", ".join(KV))
    if q.weights is not None and q.weights not in WEIGHTS:
        raise WorkloadError(
            "--weights {weights}: give one of {allowed}.", weights=q.weights, allowed=", ".join(WEIGHTS)
        )
    if q.utilisation is not None and not 0 < q.utilisation <= 1:
        raise WorkloadError("--utilisation {utilisation}: give a share above 0 and up to 1.", utilisation=q.utilisation)
    if not 0 <= q.prefix_hit_rate < 1:
        raise WorkloadError(
            "--prefix-hit-rate {prefix_hit_rate}: give a share from 0 and below 1.", prefix_hit_rate=q.prefix_hit_rate
        )


def _check_options(q: Question) -> None:
    """Options that do not exist, or say nothing without another one."""
    if q.profile not in PROFILES:
        raise WorkloadError(
            "--profile {profile}: give one of {allowed}.", profile=q.profile, allowed=", ".join(PROFILES)
        )
    if q.profile == "old" and q.engine.lower() != "vllm":
        raise WorkloadError("--profile old is vLLM before 0.13.\n  Leave it out, or give --engine vllm.")
    pools = (q.prefill_gpus, q.decode_gpus, q.prefill_tp)
    orphans = {
        "acceptance": (q.acceptance is not None and q.speculation is None, "--speculation, such as mtp:3"),
        "host": (q.host is not None and q.offload is None, "--offload, such as experts:cpu"),
        "host-memory-gb": (q.host_memory_gb is not None and q.offload is None, "--offload, such as experts:cpu"),
        "sockets": (q.sockets != Question.sockets and q.offload is None, "--offload, such as experts:cpu"),
        "prefill-gpus, --decode-gpus and --prefill-tp, -dp, -ep": (
            pools != (None,) * 3 or (q.prefill_dp, q.prefill_ep) != (1, 1),
            "--mode disaggregated",
        ),
    }
    for name, (alone, partner) in orphans.items():
        if alone:
            raise WorkloadError(
                "--{name} says nothing by itself.\n  Add {partner}, or leave it out.", name=name, partner=partner
            )


def _check_shape(heads: int, layers: int, experts: int, q: Question, tp: int) -> None:
    if heads % tp:
        raise WorkloadError(
            "--tp {tp} does not divide {heads} attention heads.\n  Choose a divisor of {heads}.", tp=tp, heads=heads
        )
    if q.pp > layers:
        raise WorkloadError("--pp {pp} exceeds {layers} layers.", pp=q.pp, layers=layers)
    if (q.ep > 1 or q.dp > 1) and not experts:
        raise WorkloadError("--ep and --dp need a mixture of experts; run more replicas instead.")
    if q.ep > 1 and experts % q.ep:
        raise WorkloadError("--ep {ep} does not divide {experts} experts.", ep=q.ep, experts=experts)
