"""The answers. JSON keys are a contract: more may be added, these stay."""

from __future__ import annotations

from typing import Literal

from pydantic import Field

from planner.schema.base import Strict
from planner.schema.options import DisaggregationAnswer, OffloadAnswer, SparsityAnswer, SpeculationAnswer
from planner.schema.sizing import Sizing
from planner.schema.workload import SupplyOption, Workload

Basis = Literal["measured", "calibrated", "roofline"]
Range = tuple[float, float]


class Assumption(Strict):
    """A number that the answer rests on."""

    name: str = Field(description="identifier")
    value: float | str = Field(description="SI")
    unit: str = Field(description="unit of the value")
    source: str = Field(description="where it comes from, with its date")


class Memory(Strict):
    """What fills one GPU."""

    fits: bool = Field(description="weights, reserve and at least one sequence fit")
    memory_bytes_per_gpu: float = Field(description="driver-visible memory [B]")
    usable_bytes_per_gpu: float = Field(
        description="what the engine may fill, driver reserve and its own margin off [B]"
    )
    weights_bytes_per_gpu: float = Field(description="weights on the fullest GPU [B]")
    kv_bytes_per_token: float = Field(description="cache per further token, all layers, before sharding [B]")
    kv_bytes_per_token_per_gpu: float = Field(description="the same on one GPU [B]")
    kv_bytes_per_sequence: float = Field(description="cache of one request at its full length, before sharding [B]")
    activation_bytes_per_gpu: float = Field(description="temporary tensors at their peak [B]")
    reserve_bytes_per_gpu: float = Field(description="runtime, communication buffers and CUDA graphs [B]")
    kv_room_bytes_per_gpu: float = Field(description="left for caches [B]")
    kv_capacity_tokens: float = Field(description="cached tokens that a replica holds [token]")
    max_sequences: float = Field(description="full-length sequences that a replica holds [-]")


class Serving(Strict):
    """What one replica does at its load."""

    ttft_s: float = Field(description="mean time to first token [s]")
    tpot_s: float = Field(description="mean time per output token [s]")
    e2e_s: float = Field(description="mean time of a whole answer [s]")
    output_tokens_per_s: float = Field(description="output tokens per second of the replica [token/s]")
    output_tokens_per_s_per_gpu: float = Field(description="the same per accelerator [token/s]")
    requests_per_s: float = Field(description="requests per second of the replica [1/s]")
    running_sequences: float = Field(description="mean sequences in service per replica [-]")
    utilisation: float = Field(description="load over the largest load that keeps the promise [-]")
    bound: str = Field(description="what limits a step: memory, compute, communication or host")


class Power(Strict):
    """Electric power at the load."""

    gpu_w: float | None = Field(description="one accelerator; null where its board limit is not sourced [W]")
    node_w: float | None = Field(description="accelerators and host of one replica [W]")
    facility_w: float | None = Field(description="one replica at the meter [W]")
    energy_j_per_output_token: float | None = Field(description="at the meter [J/token]")


class Band(Strict):
    """Intervals that hold 80 % of measurements of their kind."""

    ttft_s: Range
    tpot_s: Range
    output_tokens_per_s: Range
    gpu_w: Range | None = None


class Estimate(Strict):
    """One layout at one load."""

    inputs: dict[str, str | float | int | None]
    memory: Memory
    serving: Serving
    power: Power
    basis: Basis
    band: Band
    assumptions: tuple[Assumption, ...]
    mode: Literal["aggregated", "disaggregated"] = Field(
        "aggregated", description="prefill and decode together or apart"
    )
    speculation: SpeculationAnswer | None = Field(None, description="drafts, where asked for")
    sparsity: SparsityAnswer | None = Field(None, description="2:4 weights, where asked for")
    offload: OffloadAnswer | None = Field(None, description="weights in host memory, where asked for")
    disaggregation: DisaggregationAnswer | None = Field(None, description="two pools, where asked for")


class Layout(Strict):
    """How an LLM is laid out over the accelerators of one replica."""

    weights: str = Field(description="weight precision")
    kv: str = Field(description="KV cache precision")
    tp: int = Field(description="tensor parallel")
    pp: int = Field(description="pipeline parallel")
    dp: int = Field(description="attention data parallel")
    ep: int = Field(description="expert parallel")
    mode: Literal["aggregated", "disaggregated"] = Field(
        "aggregated", description="prefill and decode together or apart"
    )
    max_sequences: int = Field(description="limit of running sequences for the engine")
    max_batched_tokens: int = Field(description="token budget of one step")
    max_context_tokens: int = Field(description="context length for the engine")


class Pool(Strict):
    """One of the two pools of a disaggregated replica."""

    role: Literal["prefill", "decode"]
    layout: Layout
    replicas: int = Field(ge=1, description="engines of this pool in one replica of the plan")
    gpus_per_replica: int = Field(ge=1, description="accelerators of one engine")
    nodes_per_replica: int = Field(ge=1, description="servers that one engine spans")


class SupplyUnit(Strict):
    """One way in which the capacity is bought."""

    option: SupplyOption
    term: str = Field(description="term of the price")
    provider: str = Field(description="cloud, or owner")
    instance_type: str = Field(description="what is bought")
    region: str
    units: int = Field(description="instances or servers")
    usd_per_hour: float = Field(description="one unit [USD/h]")
    source: str = Field(description="source of the price")
    source_date: str = Field(description="date of the price")
    confidence: str
    stale: bool = Field(description="older than 180 days on the day of the catalogs")


class SloResult(Strict):
    """The promise against the prediction: simulated where the plan has a sizing, else by closed forms when busy."""

    ttft_p99_s: float
    tpot_p99_s: float
    met: bool


class Cost(Strict):
    """Money."""

    usd_per_month: float
    usd_per_million_output_tokens: float
    npv_usd: float = Field(description="present value of all payments over the horizon [USD]")
    horizon_years: float
    parts_usd_per_month: dict[str, float] = Field(description="what the month consists of")


class Plan(Strict):
    """A complete answer."""

    rank: int
    title: str
    llm: str
    accelerator: str
    engine: str
    layout: Layout
    gpus_per_replica: int
    nodes_per_replica: int
    replicas: int
    spares: int
    gpus_total: int
    supply: tuple[SupplyUnit, ...]
    memory: Memory
    serving: Serving
    slo: SloResult
    sizing: Sizing | None = Field(
        None, description="what a simulation under a trace confirmed; null where closed forms alone were asked"
    )
    power: Power
    cost: Cost
    availability: float
    load_time_s: float | None
    pareto: bool = Field(description="no other plan is both cheaper and faster")
    basis: Basis
    band: Band
    pools: tuple[Pool, ...] = Field((), description="the two pools of a disaggregated replica; empty: one pool")


class Rejection(Strict):
    """A candidate that failed: as much a result as a plan."""

    candidate: str
    accelerator: str
    limit: str = Field(description="the limit that it broke")
    needed: float | None
    available: float | None
    unit: str
    message: str = Field(description="for people, in English")
    kind: str = Field("", description="identifier of what the message says")
    values: dict[str, str | int] = Field({}, description="what it says it of, spelled")


class CurvePoint(Strict):
    """One operating point of one accelerator, for the chart of cost against speed."""

    accelerator: str
    weights: str
    tokens_per_s_per_user: float
    usd_per_million_output_tokens: float
    chosen: bool


class PlanResult(Strict):
    """Everything that `planner plan` answers."""

    workload: Workload
    catalog_sha256: str
    catalog_as_of: str
    plans: tuple[Plan, ...]
    rejections: tuple[Rejection, ...]
    curves: tuple[CurvePoint, ...]
    assumptions: tuple[Assumption, ...]
    wall_s: float
    candidates_evaluated: int


class ScoredPoint(Strict):
    """One measurement against its prediction, in the unit of the measurement."""

    id: str
    row: int = Field(description="line of the file, as an editor counts")
    metric: str
    measured: float | None
    predicted: float | None
    low: float | None
    high: float | None
    basis: Basis | None
    reason: str = Field(description="why there is no prediction; empty where there is one")


class GroupScore(Strict):
    """Errors of one group of measurements."""

    group: str
    n: int
    predicted_share: float = Field(description="share of the rows that have a prediction [-]")
    mape: float | None = Field(description="mean absolute relative error [-]")
    median_ape: float | None = Field(description="median absolute relative error [-]")
    bias: float | None = Field(description="median relative error [-]")
    within_20: float | None = Field(description="share within 20 % [-]")
    band_coverage: float | None = Field(description="share of measurements inside the 80 % band [-]")


class Validation(Strict):
    """Everything that `planner validate` answers."""

    catalog_sha256: str
    points: tuple[ScoredPoint, ...]
    summary: tuple[GroupScore, ...]
