"""What `planner simulate` answers. JSON keys are a contract: more may be added, these stay."""

from __future__ import annotations

from pydantic import Field

from planner.schema.base import Strict
from planner.schema.fleet import Autoscaled, FailedFleet, SpotFleet, Surge
from planner.schema.percentiles import Percentiles, Spread
from planner.schema.workload import Arrivals, RouterName, Workload

Range = tuple[float, float]


class LengthSpread(Strict):
    """Token lengths of the requests."""

    mean: float = Field(description="[token]")
    p50: float = Field(description="[token]")
    p99: float = Field(description="[token]")
    longest: int = Field(description="[token]")


class Remark(Strict):
    """What was done to the traffic, or what the reader must know. A program reads `kind` and `values`."""

    kind: str = Field(description="identifier")
    text: str = Field(description="for people, in English")
    values: dict[str, float | int | str] = Field(description="figures of the text, SI")
    warning: bool = Field(False, description="the answer is worth less than it looks")


class SimulatedTraffic(Strict):
    """What arrived at the fleet."""

    source: str = Field(description="trace that was replayed or that lengths and bursts are of")
    profile: str | None = Field(None, description="rate profile that drawn times follow")
    arrivals: Arrivals = Field(
        description="trace: at the recorded times, scaled in rate; mmpp: drawn as bursty as the trace; poisson"
    )
    duration_s: float = Field(description="from the first to the last arrival [s]")
    rate_per_s: float = Field(description="mean rate [1/s]")
    peak_ratio: float | None = Field(description="busiest 10 s over the mean [-]")
    dispersion: dict[str, float] = Field(
        description="variance over mean of the counts in windows, by their length in seconds; 1 for Poisson [-]"
    )
    input_tokens: LengthSpread
    output_tokens: LengthSpread


class SimulatedFleet(Strict):
    """What served it: a plan's layout and how many of it."""

    rank: int = Field(description="rank of the plan")
    title: str
    llm: str
    accelerator: str
    engine: str
    gpus_per_replica: int
    replicas: int = Field(description="replicas that serve; spares wait")
    planned_replicas: int = Field(description="replicas of the plan")
    planned_ttft_p99_s: float = Field(description="by the plan's closed form, at its own rate and lengths [s]")
    planned_tpot_p99_s: float = Field(description="by the plan's closed form, at its own rate and lengths [s]")
    router: RouterName = Field(description="how requests are spread over the ranks of all replicas")


class SimulatedWindow(Strict):
    """Requests that were sent in one window of time."""

    begin_s: float = Field(description="[s]")
    end_s: float = Field(description="[s]")
    requests: int
    rate_per_s: float = Field(description="[1/s]")
    ttft_s: Percentiles | None = Field(description="null where nothing was sent")
    tpot_s: Percentiles | None = Field(description="null where no answer has two tokens")
    e2e_s: Percentiles | None
    slo_attainment: float | None = Field(description="share of requests within the promise [-]")


class Margin(Strict):
    """How much more of this traffic the fleet holds within the promise."""

    rate_per_s: float = Field(description="largest mean rate; 0 where even a trickle breaks the promise [1/s]")
    rate_ratio: float = Field(description="over the simulated rate; below 1 the promise is broken [-]")
    limit: str = Field(description="what breaks first above it: ttft, tpot or e2e")
    replicas_needed: int | None = Field(description="fewest that hold the simulated rate; null: no number does")
    at_rest_s: float = Field(description="99th percentile that breaks first when requests hardly meet [s]")


class Simulated(Strict):
    """Percentiles of a plan under recorded or generated traffic."""

    workload: Workload
    catalog_sha256: str
    traffic: SimulatedTraffic
    fleet: SimulatedFleet
    requests: int = Field(description="requests that were simulated")
    simulated_share: float = Field(1.0, description="of all requests; below 1 where some ranks stand for all [-]")
    refused: int = Field(description="requests longer than the context, left out and counted as broken promises")
    ttft_s: Percentiles
    tpot_s: Percentiles | None
    e2e_s: Percentiles
    prefix_hit_share: float = Field(
        description="share of prompt tokens found in the prefix cache: simulated where the trace names prefix blocks, "
        "else as the workload says [-]"
    )
    goodput_per_s: float = Field(description="requests within the promise per second [1/s]")
    slo_attainment: float = Field(description="share of requests within the promise [-]")
    slo_met: bool = Field(description="every 99th percentile is within the promise")
    utilisation: float | None = Field(
        description="rate over the largest rate that keeps the promise; null where none does"
    )
    windows: tuple[SimulatedWindow, ...]
    spread: Spread
    margin: Margin
    remarks: tuple[Remark, ...]
    autoscale: Autoscaled | None = Field(None, description="a day or a week under autoscalers, if asked for")
    failures: FailedFleet | None = Field(None, description="availability with failures and repairs, if asked for")
    spot: SpotFleet | None = Field(None, description="mixes of spot and on-demand replicas, if asked for")
    surge: Surge | None = Field(None, description="a surge with and without protection, if asked for")
    seed: int
    wall_s: float
