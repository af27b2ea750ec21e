"""Sections of `planner simulate` about fleets over time: autoscaling, failures, spot capacity, surges."""

from __future__ import annotations

from typing import Literal

from pydantic import Field

from planner.schema.base import Fraction, NonNegative, Positive, Strict
from planner.schema.results import Assumption

Rule = Literal["fixed", "hpa", "keda", "knative", "forecast"]


class AutoscaleOptions(Strict):
    """How a fleet grows and shrinks; what is left out follows from the plan."""

    rules: tuple[Rule, ...] = Field(("fixed", "hpa", "keda", "knative", "forecast"), min_length=1)
    profile: str | None = Field(
        None, description="rates over time: a name of the catalogs, or a file; absent: the workload's, or a day"
    )
    metric: Literal["concurrency", "waiting", "rate"] | None = Field(
        None, description="of hpa and keda; absent: concurrency for hpa, waiting requests for keda"
    )
    target: Positive | None = Field(None, description="of the rule's metric per replica; absent: from the plan")
    least: int = Field(1, ge=0, le=100_000, description="replicas")
    most: int | None = Field(None, ge=1, le=100_000, description="replicas; absent: half more than the peak needs")
    metric_delay_s: NonNegative = Field(15.0, description="age of the metrics [s]")
    start_s: NonNegative | None = Field(None, description="of a replica; absent: from the host model [s]")
    storage: Literal["nvme", "network", "object"] = Field("nvme", description="where weights come from")
    drive: str = Field("", description="id in drives.csv, for nvme; empty: the reference drive")
    loader: Literal["safetensors", "streamed"] = Field("streamed", description="how weights are loaded")
    warm_nodes: bool = Field(False, description="machines stand ready with the image")
    mtbf_hours: Positive | None = Field(None, description="of a replica that fails at random; absent: none fails [h]")
    spot_base: int | None = Field(
        None,
        ge=0,
        le=100_000,
        description="replicas always on demand; the others are on spot capacity of the zones of a region, on demand "
        "where no zone has any; absent: no spot",
    )
    spot_price_ratio: float | None = Field(
        None, gt=0, lt=1, description="spot over on-demand; absent: the advisor's, else as priced [-]"
    )
    spot_drain_s: NonNegative = Field(120.0, description="notice before a zone takes its replicas [s]")


class PolicyResult(Strict):
    """A fleet under one autoscaler."""

    rule: Rule
    settings: str = Field(description="metric and target, for people")
    attained_by_requests: Fraction = Field(description="share of requests within the promise [-]")
    attained_by_time: Fraction = Field(description="share of time in which 99 % of requests are [-]")
    gpu_hours: float = Field(description="paid, starting and draining included [h]")
    gpu_hours_ratio: float = Field(description="over those of a fixed fleet for the peak [-]")
    idle_share: Fraction = Field(description="of the paid hours, what the requests would not need [-]")
    ups: int = Field(description="times at which more replicas were asked for")
    downs: int = Field(description="times at which fewer were")
    failed: int = Field(description="replicas lost to failures")
    lost: int = Field(0, description="spot replicas lost with their zones")
    spot_gpu_hours: float = Field(0.0, description="of the paid hours, on spot capacity [h]")
    cost_ratio: float | None = Field(
        None, description="over a fixed fleet for the peak, all on demand; null without spot [-]"
    )
    least_ready: int
    most_ready: int


class FleetSeries(Strict):
    """A fleet's time, in equal parts."""

    rule: Rule
    time_s: tuple[float, ...] = Field(description="beginning of each part [s]")
    rate_per_s: tuple[float, ...] = Field(description="requests sent, mean [1/s]")
    capacity_per_s: tuple[float, ...] = Field(description="ready replicas times what one holds, mean [1/s]")
    ready: tuple[float, ...] = Field(description="replicas, mean [-]")
    starting: tuple[float, ...] = Field(description="replicas, mean [-]")
    spot: tuple[float, ...] = Field(description="of both, replicas on spot capacity, mean [-]")
    lost: tuple[float, ...] = Field(description="spot replicas lost with their zones [-]")
    ttft_p99_s: tuple[float | None, ...] = Field(description="99th percentile, worst; null: never served [s]")
    attained: tuple[float, ...] = Field(description="share of requests within the promise [-]")


class ColdStartAnswer(Strict):
    """From the wish for a replica until it serves."""

    node_s: float = Field(description="machine [s]")
    image_s: float = Field(description="container image [s]")
    load_s: float = Field(description="weights [s]")
    engine_s: float = Field(description="engine start [s]")
    seconds: float = Field(description="all [s]")
    bound: str = Field(description="what limits loading: storage, loader, staging or pcie")


class SpotDay(Strict):
    """Spot capacity under a fleet over a day or a week."""

    base: int = Field(description="replicas always on demand")
    zones: int = Field(description="of one region")
    available: tuple[float, ...] = Field(description="share of this time in which each zone has capacity [-]")
    all_gone: float = Field(description="share of this time in which no zone has any [-]")
    correlation: float = Field(description="between two zones, of the record that they are drawn from [-]")
    price_ratio: float = Field(description="spot over on-demand [-]")
    caught_share: float = Field(description="of a lost replica's requests, begun anew after the notice [-]")


class Autoscaled(Strict):
    """A day or a week of a fleet."""

    profile: str = Field(description="rates over time")
    duration_s: float = Field(description="[s]")
    mean_rate_per_s: float = Field(description="[1/s]")
    peak_rate_per_s: float = Field(description="[1/s]")
    growth_p99: float = Field(description="rate after a start over the rate before it, 99th percentile [-]")
    replica_holds_per_s: float = Field(description="largest rate of one replica within the promise [1/s]")
    replica_takes_per_s: float = Field(description="largest rate of one replica, whatever the latency [1/s]")
    gpus_per_replica: int
    start: ColdStartAnswer
    spot: SpotDay | None = Field(None, description="zones, where part of the fleet is on spot capacity")
    policies: tuple[PolicyResult, ...]
    series: tuple[FleetSeries, ...] = Field(description="one per policy")
    assumptions: tuple[Assumption, ...]


class FailureOptions(Strict):
    """What fails, and how soon it is mended."""

    repair_hours: Positive | None = Field(None, description="absent: the catalogs' for the plan's supply [h]")
    repairs_at_once: int | None = Field(None, ge=1, description="absent: as many as fail")
    rack_mtbf_hours: Positive | None = Field(None, description="of a rack's power and network; absent: not counted [h]")
    rack_repair_hours: Positive = Field(4.0, description="until a rack serves again [h]")
    replicas_per_rack: int = Field(4, ge=1, description="replicas that share a rack")
    profile: str | None = Field(None, description="rates over time, to weight requests; absent: as above")


class FailedFleet(Strict):
    """How often enough replicas are ready."""

    needed: int = Field(description="replicas that hold the promise at the plan's load")
    installed: int
    parts: tuple[Assumption, ...] = Field(description="what fails, with its time between failures and repair")
    replica_availability: float = Field(description="share of time in which one replica works [-]")
    ready: tuple[float, ...] = Field(description="chances of 0, 1, … replicas ready [-]")
    profile: str = Field(description="rates over time")
    chance: float = Field(description="that the needed replicas are ready [-]")
    by_time: float = Field(description="share of time in which the ready replicas hold the rate [-]")
    by_time_unfailing: float = Field(description="the same if nothing failed [-]")
    by_requests: float = Field(description="share of requests that come in such time [-]")
    by_requests_unfailing: float = Field(description="the same if nothing failed [-]")
    served: float = Field(description="share of requests that the ready replicas can carry [-]")
    outages_per_year: float = Field(description="times at which fewer than needed are left [1/a]")
    outage_hours: float = Field(description="mean length [h]")
    target: float = Field(description="promised availability [-]")
    met: bool
    spares_needed: int | None = Field(description="spares that reach the target; null: none do")


class SpotOptions(Strict):
    """Spot capacity for a plan."""

    price_ratio: float | None = Field(
        None, gt=0, lt=1, description="spot over on-demand; absent: the advisor's, else as priced [-]"
    )
    start_s: Positive | None = Field(None, description="from asking until a replica serves; absent: host model [s]")
    drain_s: NonNegative = Field(120.0, description="notice of an interruption [s]")
    days: Positive = Field(45.0, le=366, description="length of the drawn record [d]")
    seed: int = Field(0, ge=0)


class SpotMix(Strict):
    """One way to mix spot and on-demand replicas."""

    base: int = Field(description="always on demand")
    spot: int = Field(description="on spot capacity")
    ready: float = Field(description="share of time in which enough are ready, fallback on demand included [-]")
    ready_alone: float = Field(description="the same with no fallback: base and spread spot replicas [-]")
    cost_ratio: float = Field(description="over all needed replicas on demand [-]")
    interruptions_per_day: float = Field(description="of all spot replicas together [1/d]")


class SpotFleet(Strict):
    """What spot capacity saves, and what it costs in availability."""

    needed: int
    zones: int = Field(description="of one region")
    available_fraction: float = Field(description="of one zone [-]")
    correlation: float = Field(description="between two zones [-]")
    price_ratio: float = Field(description="spot over on-demand [-]")
    price_source: str
    firm_base: int | None = Field(
        description="replicas that must not depend on spot for the target if nothing fills gaps; null: none do"
    )
    reaching: SpotMix = Field(
        description="cheapest mix found that is ready for the target, gaps filled on demand; extra spot up to all again"
    )
    target: float
    mixes: tuple[SpotMix, ...]
    recomputed_share: float = Field(description="of the requests in flight at a notice, begun anew [-]")
    lost_s_per_request: float = Field(description="service time lost per request in flight at a notice [s]")
    monthly_interruption: tuple[float, float | None] | None = Field(
        description="what the cloud says of the family: range of the share interrupted in a month; null: unknown [-]"
    )
    assumptions: tuple[Assumption, ...]


class SurgeOptions(Strict):
    """A surge, what clients do, and what the service does."""

    factor: float = Field(3.0, gt=0, le=100, description="rate of the surge over the plan's [-]")
    surge_s: Positive = Field(120.0, le=7200, description="length of the surge [s]")
    after_s: Positive = Field(480.0, le=7200, description="watched after it [s]")
    timeout_s: Positive | None = Field(None, description="patience for a first token; absent: 5 times the promise [s]")
    retries: int = Field(2, ge=0, le=20, description="attempts after the first")
    backoff_s: NonNegative = Field(0.5, description="mean pause before the first retry; doubles [s]")
    line_s: Positive | None = Field(None, description="longest line; absent: what the promised TTFT leaves [s]")
    slow_after: int = Field(5, ge=1, description="slow responses in a row that open the breaker")
    open_s: Positive = Field(30.0, description="the breaker stays open [s]")
    backup_share: Fraction = Field(0.5, description="places of the degraded backup over the fleet's [-]")
    backup_speed: Positive = Field(2.0, description="speed of the backup over the fleet's [-]")
    seed: int = Field(0, ge=0)


class SurgeCase(Strict):
    """The surge under one set of protections."""

    protection: Literal["none", "cancel", "limit", "breaker"]
    attained: float = Field(description="share of requests answered by the fleet within the promised TTFT [-]")
    late: float = Field(description="answered by the fleet, later [-]")
    degraded: float = Field(description="answered by the backup [-]")
    failed: float = Field(description="never answered [-]")
    attempts_per_request: float
    wasted_share: float = Field(description="of the work, what nobody read [-]")
    recovered_s: float | None = Field(description="after the surge until 99 % are attained again; null: not seen [s]")
    attained_by_time: tuple[float | None, ...] = Field(description="by part of the time; null: nothing was sent [-]")
    attempts_per_s: tuple[float, ...] = Field(description="by part of the time [1/s]")


class Surge(Strict):
    """A surge with and without protection."""

    rate_per_s: float = Field(description="before and after [1/s]")
    surge_rate_per_s: float = Field(description="[1/s]")
    holds_per_s: float = Field(description="most that the fleet holds within the promise [1/s]")
    takes_per_s: float = Field(description="most that it takes, whatever the latency [1/s]")
    begin_s: float = Field(description="of the surge [s]")
    end_s: float = Field(description="of the surge [s]")
    part_s: float = Field(description="length of a part of the time [s]")
    timeout_s: float = Field(description="patience of a client [s]")
    cases: tuple[SurgeCase, ...]
    assumptions: tuple[Assumption, ...]


class FleetOptions(Strict):
    """Sections that were asked for."""

    autoscale: AutoscaleOptions | None = None
    failures: FailureOptions | None = None
    spot: SpotOptions | None = None
    surge: SurgeOptions | None = None


class FleetSections(Strict):
    """What was asked for; the rest is null."""

    autoscale: Autoscaled | None = None
    failures: FailedFleet | None = None
    spot: SpotFleet | None = None
    surge: Surge | None = None
