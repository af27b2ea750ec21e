"""Catalog rows: what hardware, engines and LLMs are. SI units, dense FLOPS, one-way links."""

from __future__ import annotations

from typing import Literal

from pydantic import Field, model_validator

from planner.errors import Invalid
from planner.schema.base import Count, Fraction, Id, NonNegative, Positive, Sourced, Strict, Text

Dtype = Literal["fp32", "tf32", "bf16", "fp8", "int8", "fp4"]
WeightPrecision = Literal["bf16", "fp8", "int8", "int4", "nvfp4", "mxfp4"]
KvPrecision = Literal["bf16", "fp8"]


class Accelerator(Sourced):
    """A GPU or NPU as its datasheet and its driver describe it."""

    name: Text = Field(description="vendor's name")
    vendor: Text = Field(description="maker")
    architecture: Text = Field(description="generation and chip")
    form_factor: Text = Field(description="PCIe, SXM, OAM, tray")
    launch_date: str = Field("", description="YYYY, YYYY-MM or YYYY-MM-DD")
    aliases: tuple[Id, ...] = Field((), description="other names that resolve to this row")
    memory_type: Text = Field(description="HBM or GDDR generation")
    memory_marketed_bytes: Positive = Field(description="capacity on the label [B]")
    memory_visible_bytes: Positive | None = Field(None, description="capacity that the driver reports [B]")
    bandwidth_bytes_per_s: Positive | None = Field(None, description="memory bandwidth, datasheet [B/s]")
    peak_flops_per_s: dict[Dtype, Positive] = Field(
        default_factory=dict, description="dense peak by data type [FLOP/s; int8: operations/s]"
    )
    peak_sparse_flops_per_s: dict[Dtype, Positive] = Field(
        default_factory=dict, description="2:4 sparse peak by data type [FLOP/s]"
    )
    scaleup_link: Text = Field(description="what joins accelerators of one node")
    scaleup_bytes_per_s: Positive | None = Field(
        None, description="scale-up bandwidth of one accelerator, one way [B/s]"
    )
    scaleup_domain_gpus: Count = Field(description="accelerators that the scale-up link joins")
    scaleup_mesh: bool = Field(False, description="true: every pair has its own link of 1/(domain-1) of the bandwidth")
    server_accelerators: Count = Field(8, description="accelerators in one server as it is commonly sold")
    pcie_gen: int = Field(ge=3, le=7, description="PCIe generation towards the host")
    pcie_lanes: Count = Field(description="PCIe lanes towards the host")
    pcie_bytes_per_s: Positive = Field(description="PCIe bandwidth towards the host, one way [B/s]")
    tdp_w: Positive | None = Field(None, description="board power limit [W]")
    idle_low_w: NonNegative | None = Field(None, description="lowest idle power seen [W]")
    idle_high_w: NonNegative | None = Field(None, description="highest idle power seen [W]")

    @model_validator(mode="after")
    def _label_and_driver_agree(self) -> Accelerator:
        visible, label = self.memory_visible_bytes, self.memory_marketed_bytes
        if visible is not None and not 0.85 * label <= visible <= 1.1 * label:
            raise Invalid(
                "memory_visible_bytes {visible:.4g} is not within 0.85 to 1.1 of memory_marketed_bytes {label:.4g}",
                visible=visible,
                label=label,
            )
        return self


class Cpu(Sourced):
    """A host processor, per socket."""

    id: Id = Field(description="identifier")
    name: Text = Field(description="vendor's name")
    vendor: Text = Field(description="maker")
    architecture: Text = Field(description="generation")
    launch_date: str = Field("", description="YYYY, YYYY-MM or YYYY-MM-DD")
    cores: Count = Field(description="cores per socket")
    threads: Count | None = Field(None, description="threads per socket")
    memory_channels: Count | None = Field(None, description="memory channels per socket")
    memory_type: str = Field("", description="DDR generation")
    memory_transfers_per_s: Positive | None = Field(None, description="memory data rate [transfers/s]")
    memory_bytes_per_s: Positive | None = Field(None, description="channels x rate x 8 B, per socket [B/s]")
    pcie_gen: int = Field(ge=3, le=7, description="PCIe generation")
    pcie_lanes: Count | None = Field(None, description="PCIe lanes per socket")
    tdp_w: Positive | None = Field(None, description="thermal design power per socket [W]")


class Drive(Sourced):
    """A data-centre SSD, or a computed RAID 0 ceiling."""

    id: Id = Field(description="identifier")
    name: Text = Field(description="vendor's name and capacity")
    vendor: Text = Field(description="maker")
    capacity_bytes: Positive | None = Field(None, description="capacity [B]")
    interface: Text = Field(description="form factor")
    pcie_gen: int = Field(ge=3, le=7, description="PCIe generation")
    pcie_lanes: Count = Field(description="PCIe lanes")
    read_bytes_per_s: Positive | None = Field(None, description="sequential read [B/s]")
    write_bytes_per_s: Positive | None = Field(None, description="sequential write [B/s]")
    random_reads_per_s: Positive | None = Field(None, description="4 KiB random reads [1/s]")
    random_writes_per_s: Positive | None = Field(None, description="4 KiB random writes [1/s]")
    active_power_w: Positive | None = Field(None, description="power under load [W]")
    endurance_writes_per_day: Positive | None = Field(None, description="full drive writes a day [1/d]")
    nand: str = Field("", description="flash generation")


class NetworkItem(Sourced):
    """A NIC, switch, transceiver or design rule."""

    id: Id = Field(description="identifier")
    name: Text = Field(description="vendor's name")
    kind: Text = Field(description="nic, dpu, switch, scale-up switch, transceiver, design rule")
    vendor: str = Field("", description="maker")
    technology: Text = Field(description="link technology")
    ports: Count | None = Field(None, description="ports")
    port_bytes_per_s: Positive | None = Field(None, description="one port, one way [B/s]")
    switch_bytes_per_s: Positive | None = Field(None, description="switching capacity as printed [B/s]")
    capacity_convention: str = Field("", description="whether the printed capacity counts one way or both")
    host_interface: str = Field("", description="towards the host")
    typical_power_w: Positive | None = Field(None, description="typical power [W]")
    max_power_w: Positive | None = Field(None, description="maximum power [W]")
    latency_s: str = Field("", description="port-to-port latency as printed, with its spread [ns]")


class Server(Sourced):
    """A server as sold or as submitted to a benchmark."""

    id: Id = Field(description="identifier")
    name: Text = Field(description="vendor's name")
    vendor: Text = Field(description="maker or submitter")
    kind: Text = Field(description="8-GPU node, tray, rack, benchmark submission node")
    accelerator: Id | None = Field(None, description="accelerator id, blank where none matches")
    accelerator_as_written: str = Field("", description="accelerator as the source writes it")
    accelerators: int | None = Field(None, ge=0, description="accelerators per node")
    cpu_as_written: str = Field("", description="host processor as the source writes it")
    sockets: int | None = Field(None, ge=1, description="processors per node")
    cores_as_written: str = Field("", description="core count as the source writes it (per socket or node)")
    memory_as_written: str = Field("", description="host memory as the source writes it")
    nic_as_written: str = Field("", description="network as the source writes it")
    storage_as_written: str = Field("", description="storage as the source writes it")
    accelerator_interconnect: str = Field("", description="scale-up link as the source writes it")
    host_interconnect: str = Field("", description="host link as the source writes it")
    cooling: str = Field("", description="air or liquid as the source writes it")
    max_power_w: Positive | None = Field(None, description="maximum power of the whole server [W]")
    typical_power_w: Positive | None = Field(None, description="typical power of the whole server [W]")


class SmallerDefaults(Strict):
    """Limits that a server starts with on accelerators with little memory, or of a family that it names."""

    below_memory_bytes: Positive = Field(description="for accelerators with less memory than this [B]")
    families: tuple[Text, ...] = Field((), description="and for names that begin so, whatever their memory")
    max_batched_tokens: Count = Field(description="token budget of one step")
    max_sequences: Count = Field(description="limit of running sequences")

    def hold_for(self, accelerator: Accelerator) -> bool:
        """Whether a server on this accelerator starts with them."""
        visible = accelerator.memory_visible_bytes or accelerator.memory_marketed_bytes
        named = accelerator.name.split()
        return visible < self.below_memory_bytes or any(family in named for family in self.families)


class Engine(Sourced):
    """A serving engine at a pinned version."""

    name: Text = Field(description="engine's own name")
    aliases: tuple[Id, ...] = Field((), description="other names that resolve to this row")
    version: Text = Field(description="pinned version")
    image: Text = Field(description="container image with that version, for NVIDIA accelerators")
    images: dict[Text, Text] = Field(
        default_factory=dict, description="images for others, by the first word of the accelerator's architecture"
    )
    router_image: str = Field("", description="router over a prefill and a decode pool; blank: none is known")
    port: int = Field(ge=1, le=65535, description="HTTP port")
    health_path: Text = Field(description="path that answers 200 when ready")
    memory_utilisation: Positive = Field(le=1, description="share of GPU memory that the engine takes by default")
    memory_rule: Literal["total", "static", "free"] = Field(
        description="what that share is of: total: the card, everything included; static: the card, weights and "
        "caches only; free: what the weights and activations leave"
    )
    admission: Literal["reserve", "optimistic"] = Field(
        description="reserve: a sequence enters when its longest possible cache fits; optimistic: when its prompt fits"
    )
    schedule: Literal["mixed", "prompt_first"] = Field(
        description="mixed: every running sequence decodes in each step, prompts fill the rest of its budget; "
        "prompt_first: steps of prompts alone go before decoding"
    )
    max_batched_tokens: Count = Field(description="default token budget of one step")
    max_sequences: Count = Field(description="default limit of running sequences")
    smaller: SmallerDefaults | None = Field(None, description="defaults on smaller accelerators")
    start_s: Positive | None = Field(None, description="start-up without reading weights [s]")
    vendors: tuple[Text, ...] = Field(description="accelerator vendors that it supports")
    weights: dict[WeightPrecision, tuple[str, ...]] = Field(
        description="weight precision -> first words of the architectures that can run it, * for all"
    )
    kv: tuple[KvPrecision, ...] = Field(description="KV cache precisions that it can store")
    attention_data_parallel: Literal["no", "all", "any"] = Field(
        description="attention data-parallelism: not at all, over all ranks at once, or over any part of them"
    )
    expert_parallel: bool = Field(description="can place whole experts on ranks")
    pipeline_parallel: bool = Field(description="can split layers over stages")
    stages_in_ranks: bool = Field(
        False,
        description="neighbouring accelerators are the stages of one attention data-parallel rank, so that the ranks, "
        "whose experts exchange tokens, are apart; else stages are apart and all ranks of one stand together",
    )
    whole_prompts: dict[WeightPrecision, tuple[Literal["mla", "gqa"], ...]] = Field(
        default_factory=dict,
        description="weight precision -> attentions whose prompts are served whole: not in chunks, nor from the prefix "
        "cache",
    )

    def serves_whole(self, weights: str, attention: str) -> bool:
        """Must a prompt go through in one step, computed anew from its first token?"""
        return attention in dict(self.whole_prompts).get(weights, ())  # type: ignore[call-overload]

    def defaults_on(self, accelerator: Accelerator) -> tuple[int, int]:
        """Token budget of a step and limit of running sequences that a server starts with. [token], [-]"""
        found = self.smaller if self.smaller is not None and self.smaller.hold_for(accelerator) else self
        return found.max_batched_tokens, found.max_sequences


class Harness(Sourced):
    """How a published benchmark drove its server, for the measured points that it made."""

    id: Id = Field(description="name of the rule; the last one that matches a point holds")
    match_source: str = Field("", description="how the point's source begins; empty: any")
    match_engine: str = Field("", description="engine; empty: any")
    match_llm: str = Field("", description="LLM; empty: any")
    match_accelerator: str = Field("", description="accelerator; empty: any")
    match_max_tp: Count | None = Field(None, description="largest tensor parallel size")
    match_max_input_tokens: Count | None = Field(None, description="longest mean prompt [token]")
    match_max_output_tokens: Count | None = Field(None, description="longest mean answer [token]")
    requests_per_user: Positive = Field(description="requests that each concurrent user sends in a run")
    held_steps: NonNegative = Field(description="decode steps for which the server holds prompts or tokens")
    length_spread: Fraction | None = Field(
        None, description="how far lengths spread below the nominal; blank: as noted"
    )
    budget_tokens: Count | None = Field(None, description="token budget of a step; blank: the engine's default")
    budget_prompts: Count | None = Field(None, description="prompts that the budget holds beside all users' decoding")
    kv: KvPrecision | None = Field(None, description="KV cache precision where the points do not say")
    profile: Literal["", "default", "old", "earlier"] = Field(
        "",
        description="software: empty: tuned for the accelerator; default: an engine's defaults; old: before tuning; "
        "earlier: vLLM before 0.17, where a run does not state its version",
    )


class KernelRatio(Sourced):
    """What a kind of kernel reaches on one architecture, over what it reaches on Hopper."""

    name: Text = Field(description="scalar of calibration.csv that it multiplies")
    scope: str = Field("", description="its scope there: a precision, or none")
    architecture: Text = Field(description="architecture of accelerators.toml, without a Grace or Ultra behind it")
    value: Positive = Field(le=4, description="ratio of medians [-]")
    n: Count = Field(description="timings on that architecture")


class MlaShape(Strict):
    """Multi-head latent attention (DeepSeek-V2 paper, arXiv 2405.04434)."""

    q_lora_rank: int | None = Field(None, ge=1, description="query compression; absent: full projection")
    kv_lora_rank: Count = Field(description="latent width")
    qk_nope_head_dim: Count = Field(description="non-rotary width per head")
    qk_rope_head_dim: Count = Field(description="rotary width, shared by all heads in the cache")
    v_head_dim: Count = Field(description="value width per head")


class MoeShape(Strict):
    """Mixture of experts."""

    experts: Count = Field(description="routed experts per layer")
    experts_per_token: Count = Field(description="routed experts that a token visits")
    shared_experts: int = Field(0, ge=0, description="experts that every token visits")
    expert_ffn_size: Count = Field(description="intermediate width of one routed expert")
    shared_expert_ffn_size: int | None = Field(
        None,
        ge=1,
        description="intermediate width of all shared experts together, if it is not shared_experts x expert_ffn_size",
    )
    dense_layers: int = Field(0, ge=0, description="layers with a dense FFN in place of experts")

    @model_validator(mode="after")
    def _visits_exist(self) -> MoeShape:
        if self.experts_per_token > self.experts:
            raise Invalid("experts_per_token exceeds experts")
        return self


class SlidingShape(Strict):
    """Layers that keep only a window of the context."""

    window_tokens: Count = Field(description="tokens that a sliding layer keeps")
    layers: Count = Field(description="layers that slide")


class LinearShape(Strict):
    """Linear-attention layers: a state of fixed size in place of a cache that grows."""

    layers: Count = Field(description="layers with linear attention")
    key_heads: Count = Field(description="key heads")
    value_heads: Count = Field(description="value heads")
    key_head_dim: Count = Field(description="key width per head")
    value_head_dim: Count = Field(description="value width per head")
    conv_kernel: int = Field(ge=0, description="short convolution length, kept as state")


class IndexerShape(Strict):
    """Sparse-attention indexer (DeepSeek-V3.2): a small key cache that picks top-k tokens."""

    heads: Count = Field(description="indexer heads")
    head_dim: Count = Field(description="indexer key width, cached per token and layer")
    topk_tokens: Count = Field(description="tokens that attention then reads")


class Llm(Sourced):
    """An LLM architecture, as its config.json gives it."""

    name: Text = Field(description="published name")
    hf_id: Text = Field(description="Hugging Face repository")
    aliases: tuple[Id, ...] = Field((), description="other names that resolve to this row")
    license: str = Field("", description="licence hint")
    layers: Count = Field(description="transformer layers, multi-token-prediction modules excluded")
    hidden_size: Count = Field(description="residual width")
    heads: Count = Field(description="query heads")
    kv_heads: Count = Field(description="key/value heads; equals heads for MLA")
    head_dim: int | None = Field(None, ge=1, description="width per head; blank for MLA")
    attention: Literal["gqa", "mla", "compressed"] = Field(
        description="gqa covers MHA and MQA; compressed is not modelled and refuses"
    )
    attention_output_gate: bool = Field(False, description="query projection is doubled by an output gate")
    mla: MlaShape | None = Field(None, description="latent attention")
    ffn_size: int | None = Field(None, ge=1, description="intermediate width of dense layers")
    ffn_gated: bool = Field(True, description="three FFN matrices (gate, up, down) and not two")
    moe: MoeShape | None = Field(None, description="mixture of experts")
    sliding: SlidingShape | None = Field(None, description="sliding-window layers")
    linear: LinearShape | None = Field(None, description="linear-attention layers")
    indexer: IndexerShape | None = Field(None, description="sparse-attention indexer")
    mtp_layers: int = Field(0, ge=0, description="multi-token-prediction modules, not loaded unless speculating")
    extra_params: NonNegative = Field(0, description="parameters outside the language model, such as a vision tower")
    vocab_size: Count = Field(description="vocabulary")
    tied_embeddings: bool = Field(description="input and output embeddings share one matrix")
    max_context_tokens: int | None = Field(None, ge=1, description="longest context")
    weights: WeightPrecision = Field(description="precision of the published checkpoint")
    unquantised: tuple[Literal["attention"], ...] = Field(
        (), description="parts that the published checkpoint leaves in 16 bit"
    )
    params_total: Positive | None = Field(None, description="parameters as the publisher states them")
    params_active: Positive | None = Field(None, description="active parameters as the publisher states them")

    @model_validator(mode="after")
    def _parts_agree(self) -> Llm:
        if self.attention == "mla" and self.mla is None:
            raise Invalid("attention is mla but the table mla is missing")
        if self.attention == "gqa" and self.head_dim is None:
            raise Invalid("attention is gqa but head_dim is blank")
        if self.attention == "gqa" and self.heads % self.kv_heads:
            raise Invalid(
                "heads {heads} is not a multiple of kv_heads {kv_heads}", heads=self.heads, kv_heads=self.kv_heads
            )
        special = (self.sliding.layers if self.sliding else 0) + (self.linear.layers if self.linear else 0)
        if special > self.layers:
            raise Invalid(
                "sliding and linear layers ({special}) exceed layers ({layers})", special=special, layers=self.layers
            )
        if self.moe and self.moe.dense_layers > self.layers:
            raise Invalid("dense_layers exceeds layers")
        if self.ffn_size is None and (self.moe is None or self.moe.dense_layers):
            raise Invalid("ffn_size is blank but some layers are dense")
        return self
