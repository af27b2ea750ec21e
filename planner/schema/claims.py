"""Claims that `planner audit` reads."""

from __future__ import annotations

from typing import Annotated, Any, Literal

from pydantic import Field, model_validator

from planner.errors import Invalid
from planner.schema.base import Count, Positive, Strict, Text

Finite = Annotated[float, Field(allow_inf_nan=False)]
ClaimId = Annotated[str, Field(pattern=r"^[A-Za-z0-9][A-Za-z0-9.-]{0,31}$")]


class ClaimBase(Strict):
    """What every claim has.

    `tolerance` is the relative difference up to which a stated figure counts as right: texts round.
    """

    id: ClaimId
    text: Text = Field(max_length=400, description="the claim in words")
    text_zh: str = Field("", max_length=400, description="the same in Chinese, for a document in Chinese")
    tolerance: float = Field(0.02, ge=0, le=0.5, description="relative difference that rounding explains [-]")


class Figure(Strict):
    """One stated figure of a catalog row."""

    item: str = Field("", description="catalog id; default: that of the claim")
    figure: Text = Field(description="field of the row, such as bandwidth_bytes_per_s or peak_flops_per_s.tf32")
    stated: float | str = Field(description="as the text says it")
    unit: str = Field("", description="unit as the text says it, such as TB/s, GB, W; blank for a count")
    relation: Literal["is", "at_most"] = Field("is", description="at_most: the stated figure may not exceed the row's")
    cards: Count | None = Field(None, description="accelerators that the text joins by this link")
    pieces: Count = Field(1, description="pieces whose figures the text adds up, such as the cards of a server")


class SpecClaim(ClaimBase):
    """Figures of a datasheet."""

    kind: Literal["spec"]
    item: str = Field("", description="catalog id of the figures")
    figures: tuple[Figure, ...] = Field(min_length=1)


class RatioTerm(Strict):
    """A catalog row in a ratio: `value` is an expression over its fields, such as `tdp_w / cores`."""

    item: Text
    value: Text
    stated: float | None = Field(None, description="figure that the text gives for it")
    unit: str = ""


class RatioClaim(ClaimBase):
    """A comparison of two catalog rows: `expression` over `a` and `b`."""

    kind: Literal["ratio"]
    a: RatioTerm
    b: RatioTerm
    expression: Text
    stated: float
    unit: str = ""


class Check(Strict):
    """A figure that the text derives from others of its own."""

    name: Text
    expression: Text
    stated: float
    unit: str = ""


class Quantity(Strict):
    """A figure of the text with its unit."""

    stated: Finite
    unit: str = ""


class ArithmeticClaim(ClaimBase):
    """Figures of one text against each other; with units, those must go together, too."""

    kind: Literal["arithmetic"]
    figures: dict[str, Finite | Quantity] = Field(
        min_length=1, description="name -> figure as stated: a number, or { stated, unit }"
    )
    checks: tuple[Check, ...] = ()
    equal: tuple[tuple[str, str], ...] = Field((), description="pairs of expressions that the text calls the same")

    @model_validator(mode="after")
    def _asks_something(self) -> ArithmeticClaim:
        if not self.checks and not self.equal:
            raise Invalid("give checks or equal: without either there is nothing to compute")
        return self


class SetUp(ClaimBase):
    """An LLM on accelerators."""

    llm: Text
    accelerator: Text
    gpus: Count
    input_tokens: Count = 1024
    output_tokens: Count = 1024
    kv: Literal["bf16", "fp8"] = "bf16"


class FitClaim(SetUp):
    """An LLM fits; with `stated_tokens_per_s`, it also reaches that rate."""

    kind: Literal["fit"]
    weights: tuple[str, ...] = Field((), description="precisions that the text means; none: that of the checkpoint")
    too_small: str = Field("", description="accelerator on which the text says that it does not fit")
    alternatives: tuple[str, ...] = Field((), description="smaller LLMs to look at, too")
    stated_tokens_per_s: Positive | None = Field(None, description="output of one user, as stated [token/s]")


class LatencyClaim(SetUp):
    """A latency of a set-up. `of` blank: the text does not say which."""

    kind: Literal["latency"]
    weights: str = ""
    of: Literal["", "ttft", "tpot", "e2e"] = ""
    stated_low: Positive
    stated_high: Positive
    unit: Text


class ConcurrencyClaim(SetUp):
    """So many requests at once on one replica."""

    kind: Literal["concurrency"]
    weights: str = ""
    stated: Positive
    contexts: tuple[Count, ...] = Field(
        (1024, 4096, 16384), min_length=1, description="context lengths to look at [token]"
    )


class ThroughputClaim(SetUp):
    """Tokens a second of a set-up."""

    kind: Literal["throughput"]
    weights: str = ""
    stated: Positive
    unit: Text = "token/s"
    per: Literal["replica", "accelerator", "user"] = Field("replica", description="what the figure is of")
    counts: Literal["output", "all"] = Field("output", description="tokens that it counts: of answers, or prompts, too")
    concurrency: Count | None = Field(None, description="users at once; absent: as many as its memory holds")


class PowerClaim(SetUp):
    """Power or energy efficiency of a set-up at a load."""

    kind: Literal["power"]
    weights: str = ""
    stated: Positive
    unit: Text = Field("W", description="W or kW for power, token/s/W or J/token for efficiency")
    of: Literal["accelerator", "server", "facility"] = Field(
        "accelerator", description="what is metered: one accelerator, the replica with its hosts, or with cooling, too"
    )
    concurrency: Count = 64


class LoadTimeClaim(ClaimBase):
    """So long until the weights are there, or until a replica serves."""

    kind: Literal["load_time"]
    llm: Text
    accelerator: Text
    gpus: Annotated[int, Field(ge=1, le=1024, description="accelerators of one replica")]
    weights: str = ""
    stated: Positive
    unit: Text = "s"
    until: Literal["loaded", "serving"] = Field("loaded", description="weights in place, or the engine started, too")
    storage: Literal["nvme", "network", "object"] = "nvme"
    drive: str = Field("", description="drive; absent: the catalogs' reference drive")
    drives: Count = Field(1, description="drives striped together")
    host_cpu: str = Field("", description="host processor, whose memory stages the weights")
    loader: Literal["", "safetensors", "streamed"] = Field("", description="blank: the text does not say")


class AvailabilityClaim(ClaimBase):
    """A fleet is there for so much of the time."""

    kind: Literal["availability"]
    stated: float = Field(gt=0, lt=100, description="share of time [%]")
    gpus: Count = Field(description="accelerators of a replica")
    replicas: Count = Field(1, description="replicas that the load needs")
    spares: int = Field(0, ge=0, le=1000, description="replicas beyond those")
    supply: Literal["own", "cloud"] = Field("own", description="who repairs: own staff, or a cloud that replaces")
    repair_hours: Positive | None = Field(None, description="as the text says; absent: the catalogs' range [h]")


class HostMemoryClaim(ClaimBase):
    """So much host memory suffices for an LLM."""

    kind: Literal["host_memory"]
    llm: Text
    weights: str = ""
    stated: Positive
    unit: Text = "GB"


class StorageClaim(ClaimBase):
    """What an array of drives reads and writes behind a host."""

    kind: Literal["storage"]
    drive: Text
    drives: Count
    host_cpu: str = Field("", description="host processor, whose PCIe generation the drives get")
    raid: Literal["0", "10", "none"] = "0"
    stated_read: Positive | None = None
    stated_write: Positive | None = None
    unit: Text = "GB/s"
    stated_random_reads: Positive | None = Field(None, description="4 KiB random reads [1/s]")


class SpeedUpClaim(ClaimBase):
    """An option makes serving faster by a factor."""

    kind: Literal["speed_up"]
    option: Literal["sparsity", "quantisation", "batching", "kernels", "host_network"]
    stated: Positive = Field(description="factor, or share of time or memory saved, by its unit")
    unit: Text = Field("x", description="x for a factor, % for a saving")
    llm: str = "deepseek-r1"
    accelerator: str = "a100-sxm-80gb"
    gpus: Count = 8
    weights: str = Field("", description="precision it starts from")
    to_weights: str = Field("", description="precision it ends at, for quantisation")
    concurrency: Count = 1
    baseline: str = Field("", description="what it is compared with, if the text says so")
    baseline_concurrency: Count | None = Field(None, description="users at once before batching")
    stated_p99_ms: Positive | None = Field(None, description="tail that it is said to keep [ms]")
    input_tokens: Count = 1024
    output_tokens: Count = 1024
    path: Literal["nvlink", "pcie", "network"] = Field("nvlink", description="what the traffic in question runs over")


class SavingClaim(ClaimBase):
    """A supply costs so much less than another, for whatever accelerators have prices for both."""

    kind: Literal["saving"]
    stated: float = Field(gt=0, lt=100, description="saving [%]")
    of: Literal["spot_and_committed", "owned"] = Field(description="supply that is said to be cheaper than on demand")
    accelerators: tuple[str, ...] = Field((), description="accelerators; none: all with prices")
    availability: float | None = Field(None, gt=0, lt=1, description="share of time that it is said to hold")
    gpus: Count = Field(8, description="accelerators of a replica")
    replicas: Count = Field(6, description="replicas that the load needs")
    load_factor: float | None = Field(None, gt=0, le=1, description="share of hours in use, as stated")
    horizon_years: tuple[Annotated[float, Field(gt=0, le=20)], ...] = Field(
        (), description="horizons, as stated; none: 1, 3 and 5 years [a]"
    )
    tiers: tuple[Literal["on_demand", "commitment"], ...] = Field(
        ("on_demand", "commitment"), description="cloud prices that owning is compared with"
    )


class ManifestClaim(ClaimBase):
    """A Kubernetes manifest is valid."""

    kind: Literal["manifest"]
    file: Text = Field(description="YAML beside the claims")


class PracticeClaim(ClaimBase):
    """An operating practice, checked against what serving needs and what the bundle does."""

    kind: Literal["practice"]
    practice: Literal["checkpoint_by_steps", "health_check"]
    every_s: Positive | None = Field(None, description="interval of checks [s]")
    errors: Count | None = Field(None, description="slow answers in a row that take a replica out")


Claim = Annotated[
    SpecClaim
    | RatioClaim
    | ArithmeticClaim
    | FitClaim
    | LatencyClaim
    | ConcurrencyClaim
    | ThroughputClaim
    | PowerClaim
    | LoadTimeClaim
    | AvailabilityClaim
    | HostMemoryClaim
    | StorageClaim
    | SpeedUpClaim
    | SavingClaim
    | ManifestClaim
    | PracticeClaim,
    Field(discriminator="kind"),
]


class ClaimsFile(Strict):
    """A file of claims, before each claim is read by itself."""

    title: Text = Field(max_length=200)
    source: str = Field("", max_length=500)
    title_zh: str = Field("", max_length=200)
    source_zh: str = Field("", max_length=500)
    claims: tuple[dict[str, Any], ...] = Field(min_length=1, max_length=1000)
