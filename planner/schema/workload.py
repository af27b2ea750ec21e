"""The question: what is served, how much of it, how fast, and under which rules."""

from __future__ import annotations

from typing import Annotated, Literal

from pydantic import Field, StringConstraints, model_validator

from planner.errors import Invalid
from planner.schema.base import Strict
from planner.schema.facts import KvPrecision, WeightPrecision
from planner.schema.ownership import Ownership

SupplyOption = Literal["own", "on_demand", "commitment", "spot"]
Arrivals = Literal["trace", "mmpp", "poisson"]
RouterName = Literal["round-robin", "least-load", "prefix"]
Name = Annotated[str, StringConstraints(min_length=1, max_length=80, strip_whitespace=True)]
Ranks = Annotated[int, Field(ge=1, le=512)]
Tokens = Annotated[int, Field(ge=1, le=10_000_000)]
Source = Annotated[str, StringConstraints(min_length=1, max_length=400, strip_whitespace=True)]


class Traffic(Strict):
    """What arrives. Give a rate, or a number of users who each wait for an answer."""

    rate_per_s: float | None = Field(
        None, gt=0, le=1e6, allow_inf_nan=False, description="mean request rate of the fleet [1/s]"
    )
    concurrency: int | None = Field(
        None, ge=1, le=10_000_000, description="requests in service at once, in place of a rate [-]"
    )
    input_tokens: Tokens = Field(description="mean prompt length [token]")
    output_tokens: Tokens = Field(description="mean answer length [token]")
    input_cv: float | None = Field(
        None,
        ge=0,
        le=20,
        description="coefficient of variation of prompt lengths; absent: as measured in chat traffic [-]",
    )
    input_p99_ratio: float | None = Field(
        None,
        ge=1,
        le=100,
        description="99th percentile of prompt lengths over their mean; absent: as measured [-]",
    )
    output_cv: float | None = Field(
        None, ge=0, le=20, description="coefficient of variation of answer lengths; absent: as in the trace [-]"
    )
    rank_correlation: float | None = Field(
        None,
        ge=-1,
        le=1,
        description="Spearman's, between prompt and answer lengths of simulated requests; absent: as in the trace [-]",
    )
    burst_factor: float | None = Field(
        None, ge=1, le=100, description="busy rate to size for, over the mean rate; absent: as measured [-]"
    )
    prefix_hit_rate: float = Field(0.0, ge=0, lt=1, description="share of prompt tokens found in the prefix cache [-]")
    trace: Source | None = Field(
        None, description="recorded requests to simulate with: a name of `planner catalog ls traces`, or a file"
    )
    profile: Source | None = Field(
        None,
        description="rate over time to simulate with, scaled to rate_per_s on average: a name of `planner catalog ls "
        "traces`, or a file",
    )
    arrivals: Arrivals | None = Field(
        None,
        description="times of simulated requests: as in the trace; mmpp, drawn as bursty as the trace; poisson; "
        "absent: trace, or mmpp along a profile",
    )
    lengths: Source | None = Field(
        None,
        description="lengths of simulated requests: recorded; scaled, to the means and spreads given here; statistics, "
        "lognormal with these; or a trace or a list of lengths to draw them from; absent: recorded where a trace is "
        "named",
    )

    router: RouterName = Field(
        "round-robin",
        description="how requests are spread over replicas: in turn; to the one with the fewest open requests; or to "
        "the one with the least work, prompts that its prefix cache holds counted as done",
    )

    @model_validator(mode="after")
    def _one_kind_of_load(self) -> Traffic:
        if (self.rate_per_s is None) == (self.concurrency is None):
            raise Invalid("give either rate_per_s or concurrency, and not both")
        if self.profile is not None and self.arrivals == "trace":
            raise Invalid("times of a trace cannot follow a profile; give arrivals mmpp or poisson, or no profile")
        if self.router != "round-robin" and self.rate_per_s is None:
            raise Invalid("users who wait for their answers are spread evenly; give rate_per_s to choose a router")
        return self


class Slo(Strict):
    """The promise."""

    ttft_p99_s: float = Field(
        gt=0, le=3600, allow_inf_nan=False, description="99th percentile of time to first token [s]"
    )
    tpot_p99_s: float = Field(
        gt=0, le=60, allow_inf_nan=False, description="99th percentile of time per output token [s]"
    )
    e2e_p99_s: float | None = Field(
        None, gt=0, le=86_400, allow_inf_nan=False, description="99th percentile of the whole answer [s]"
    )
    availability: float = Field(0.999, gt=0, lt=1, description="share of time in which the promise can be kept [-]")


class Supply(Strict):
    """How capacity may be obtained."""

    options: tuple[SupplyOption, ...] = Field(
        ("own", "on_demand", "commitment", "spot"), min_length=1, description="allowed ways"
    )
    providers: tuple[Name, ...] = Field((), description="clouds to consider; empty: all")
    regions: tuple[Name, ...] = Field((), description="regions to consider; empty: all")


class Limits(Strict):
    """What the answer may look like; empty means anything that the catalogs hold."""

    accelerators: tuple[Name, ...] = Field((), description="accelerators to consider")
    engines: tuple[Name, ...] = Field((), description="engines to consider")
    weights: tuple[WeightPrecision, ...] = Field((), description="weight precisions to consider")
    kv: tuple[KvPrecision, ...] = Field((), description="KV cache precisions to consider")
    max_gpus_per_replica: int = Field(32, ge=1, le=512, description="largest replica")
    tp: tuple[Ranks, ...] = Field((), description="tensor-parallel sizes to consider")
    dp: tuple[Ranks, ...] = Field((), description="attention data-parallel sizes to consider")
    pp: tuple[Ranks, ...] = Field((), description="pipeline-parallel sizes to consider")
    ep: tuple[Ranks, ...] = Field((), description="expert-parallel sizes to consider")


class Workload(Strict):
    """One question to the planner. Also the schema of a workload file (TOML)."""

    name: Annotated[str, StringConstraints(max_length=80)] = Field("", description="title for people")
    llm: Name = Field(description="LLM id or synonym")
    traffic: Traffic = Field(description="what arrives")
    slo: Slo = Field(description="the promise")
    supply: Supply = Field(default_factory=Supply, description="how capacity may be obtained")
    limits: Limits = Field(default_factory=Limits, description="what the answer may look like")
    site: Name = Field("us-average", description="where owned hardware stands")
    horizon_years: float = Field(
        3.0, gt=0, le=15, allow_inf_nan=False, description="time over which a purchase is recovered [a]"
    )
    discount_rate: float = Field(0.08, ge=0, lt=1, description="yearly cost of capital [1/a]")
    prices: dict[Name, Annotated[float, Field(gt=0, le=1e6, allow_inf_nan=False)]] = Field(
        default_factory=dict,
        description="the user's own price per accelerator and hour, by accelerator [USD/h]",
    )
    ownership: Ownership = Field(default_factory=Ownership, description="what only the buyer knows")

    @model_validator(mode="after")
    def _promise_is_consistent(self) -> Workload:
        slo = self.slo
        if slo.e2e_p99_s is not None and slo.e2e_p99_s <= slo.ttft_p99_s:
            raise Invalid(
                "slo.e2e_p99_s {e2e_p99_s:g} s is not above slo.ttft_p99_s {ttft_p99_s:g} s: an answer "
                "cannot end before it begins",
                e2e_p99_s=slo.e2e_p99_s,
                ttft_p99_s=slo.ttft_p99_s,
            )
        return self
