"""A day or a week of a plan's fleet under autoscalers."""

from __future__ import annotations

import math
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from planner.catalog import Catalog
from planner.errors import WorkloadError
from planner.models import fleet
from planner.models.autoscale import Autoscaler, Fixed, Forecast, Forecasting, Hpa, Keda, Knative
from planner.models.fleet import Failures, Fluid, Scaling, Score, Service, Timeline
from planner.models.traffic import RateProfile
from planner.schema import (
    Autoscaled,
    AutoscaleOptions,
    ColdStartAnswer,
    FleetSeries,
    Plan,
    PolicyResult,
    Rule,
)
from planner.search.loading import Started, Storage, start_of
from planner.search.spot_day import SpotUnder, spot_under
from planner.traces import choose_profile

Array = NDArray[np.float64]

SHORT_STEP_S, LONG_STEP_S, SHORT_DAYS = 5.0, 15.0, 2.0
WAITING_THRESHOLD = 5.0  # waiting requests per replica, as vLLM's production stack asks KEDA for
MORE_THAN_PEAK = 1.5
SERIES_PARTS = 288  # five minutes each, for a day
DAY_S = 86_400.0
DEFAULT_PROFILE = "servegen-r1-day"


@dataclass(frozen=True)
class Subject:
    """A plan whose replica has been simulated.

    Attributes
    ----------
    service : what one replica does at steady rates
    rate_per_s : mean rate of the workload [1/s]
    ttft_s : promised time to first token [s]
    headroom : share of what a replica holds to plan for [-]
    target : promised availability [-]
    profile : rates over time, where the options name none
    answers_s : times of some requests in a replica at the rate planned for; None: unknown [s]
    """

    plan: Plan
    service: Service
    rate_per_s: float
    ttft_s: float
    headroom: float
    target: float
    profile: str = DEFAULT_PROFILE
    answers_s: Array | None = None


def autoscale(subject: Subject, catalog: Catalog, options: AutoscaleOptions, seed: int = 0) -> Autoscaled:
    """Let the fleet live through a rate profile under each rule.

    The profile keeps its shape and gets the workload's mean rate.

    Raises
    ------
    UnknownName, MissingFact, WorkloadError
        For a profile, a drive or limits that give no answer.
    """
    name = options.profile or subject.profile
    profile = choose_profile(name, catalog)
    rate, step_s = rates_of(profile, subject.rate_per_s)
    started = started_of(subject.plan, catalog, options)
    start_s = started.start.seconds if options.start_s is None else options.start_s
    peak = peak_replicas(subject, float(rate.max()))
    most = options.most or math.ceil(MORE_THAN_PEAK * peak)
    if most < options.least:
        raise WorkloadError(
            "at most {most} replicas, but at least {least}: give a most that is no less.",
            most=most,
            least=options.least,
        )
    length_s = len(rate) * step_s
    spot = spot_under(catalog, subject, options, length_s, seed) if options.spot_base is not None else None
    lived = {}
    for rule in dict.fromkeys(options.rules):
        scaler = rule_of(rule, subject, options, peak, start_s, length_s)
        begin = peak if rule == "fixed" else peak_replicas(subject, float(rate[0]))
        first = min(max(begin, options.least), most)
        drain_s, zones = float(subject.service.e2e_s[0]), spot.zones if spot else None
        scaling = Scaling(scaler, options.least, most, start_s, options.metric_delay_s, drain_s, first, zones)
        failures = Failures(options.mtbf_hours, seed) if options.mtbf_hours else None
        line = fleet.run(Fluid(subject.service, rate, step_s), rate, step_s, scaling, failures)
        lived[rule] = line, fleet.score(line, subject.service, subject.ttft_s, scaling.drain_s), spell(scaler)
    fixed_hours = peak * length_s / 3600
    return Autoscaled(
        profile=name,
        duration_s=length_s,
        mean_rate_per_s=float(rate.mean()),
        peak_rate_per_s=float(rate.max()),
        growth_p99=fleet.growth(rate, step_s, start_s),
        replica_holds_per_s=subject.service.holds_per_s,
        replica_takes_per_s=subject.service.takes_per_s,
        gpus_per_replica=subject.plan.gpus_per_replica,
        start=start_answer(started, start_s),
        spot=spot.told if spot else None,
        policies=tuple(_policy(r, *found, subject, fixed_hours, spot) for r, found in lived.items()),
        series=tuple(_series(r, line, score, subject.service) for r, (line, score, _) in lived.items()),
        assumptions=(started.assumptions if options.start_s is None else ()) + (spot.assumptions if spot else ()),
    )


def rates_of(profile: RateProfile, mean_per_s: float) -> tuple[Array, float]:
    """Rates in steps of seconds, straight between the middles of the profile's; their mean as asked."""
    if not profile.rate_per_s.sum() > 0:
        raise WorkloadError("profile {file}: no requests at all.", file=profile.name)
    length_s = len(profile.rate_per_s) * profile.step_s
    step_s = min(SHORT_STEP_S if length_s <= SHORT_DAYS * DAY_S else LONG_STEP_S, profile.step_s)
    at = (np.arange(round(length_s / step_s)) + 0.5) * step_s
    middles = (np.arange(len(profile.rate_per_s)) + 0.5) * profile.step_s
    rate = np.interp(at, middles, profile.rate_per_s)
    return np.asarray(rate * mean_per_s / rate.mean()), step_s


def peak_replicas(subject: Subject, rate_per_s: float) -> int:
    """Replicas for a rate, with the planner's headroom; one at least."""
    return max(math.ceil(rate_per_s / (subject.headroom * subject.service.holds_per_s) - 1e-9), 1)


def rule_of(
    rule: Rule, subject: Subject, options: AutoscaleOptions, peak: int, start_s: float, length_s: float
) -> Autoscaler:
    """A rule with its target; by default what a replica has in it at the rate planned for, by Little's law."""
    service = subject.service
    planned = subject.headroom * service.holds_per_s
    inside = planned * float(service.at(service.e2e_s, planned))
    full = service.holds_per_s * float(service.at(service.e2e_s, service.holds_per_s))
    if rule == "fixed":
        return Fixed(peak)
    targets = {"concurrency": inside, "rate": planned, "waiting": WAITING_THRESHOLD}
    if rule == "hpa":
        metric = options.metric or "concurrency"
        return Hpa(options.target or targets[metric], metric)
    if rule == "keda":
        metric = options.metric or "waiting"
        return Keda(options.target or targets[metric], metric)
    if rule == "knative":
        return Knative(options.target or full)
    how: Forecasting = "daily" if length_s > DAY_S else "trend"  # the first day has none before it
    return Forecast(planned, start_s + Forecast.period_s, how, margin=1.0)


def spell(rule: Autoscaler) -> str:
    """Metric and target of a rule."""
    match rule:
        case Hpa():
            return f"{rule.metric} {rule.target:.3g} per replica"
        case Keda():
            return f"{rule.metric} {rule.threshold:.3g} per replica"
        case Knative():
            return f"concurrency {rule.concurrency:.3g} x {rule.utilisation:.0%}"
        case Forecast():
            return f"rate in {rule.lead_s:.0f} s at {rule.replica_rate_per_s:.3g}/s per replica"
        case Fixed():
            return f"{rule.replicas} replicas"
    return ""


def started_of(plan: Plan, catalog: Catalog, options: AutoscaleOptions) -> Started:
    """Cold start of a replica of a plan."""
    card = catalog.accelerators[plan.accelerator]
    inside = min(plan.gpus_per_replica, card.server_accelerators)
    storage = Storage(options.storage, options.drive, loader=options.loader)
    node_bytes = plan.memory.weights_bytes_per_gpu * inside
    return start_of(catalog, plan.accelerator, node_bytes, inside, storage, options.warm_nodes)


def start_answer(started: Started, start_s: float) -> ColdStartAnswer:
    """Parts of a start; those of the host model even where its sum was replaced."""
    start = started.start
    return ColdStartAnswer(
        node_s=start.node_s,
        image_s=start.image_s,
        load_s=start.load_s,
        engine_s=start.engine_s,
        seconds=start_s,
        bound=started.loading.bound,
    )


def _policy(
    rule: Rule,
    line: Timeline,
    found: Score,
    settings: str,
    subject: Subject,
    fixed_hours: float,
    spot: SpotUnder | None,
) -> PolicyResult:
    gpus = subject.plan.gpus_per_replica
    paid = found.replica_hours - line.spot_hours * (1 - spot.told.price_ratio) if spot else None
    return PolicyResult(
        rule=rule,
        settings=settings,
        attained_by_requests=min(found.attained_by_requests, 1.0),
        attained_by_time=found.attained_by_time,
        gpu_hours=found.replica_hours * gpus,
        gpu_hours_ratio=found.replica_hours / fixed_hours,
        idle_share=found.idle_share,
        ups=found.ups,
        downs=found.downs,
        failed=found.failed,
        lost=int(line.lost.sum()),
        spot_gpu_hours=line.spot_hours * gpus,
        cost_ratio=None if paid is None else paid / fixed_hours,
        least_ready=int(line.ready.min()),
        most_ready=int(line.ready.max()),
    )


def _series(rule: Rule, line: Timeline, found: Score, service: Service) -> FleetSeries:
    """Means of equal parts, and the worst latency of each."""
    parts = min(SERIES_PARTS, len(line.rate_per_s))
    edges = np.linspace(0, len(line.rate_per_s), parts + 1).round().astype(int)[:-1]
    counts = np.diff(np.append(edges, len(line.rate_per_s)))

    def mean(column: NDArray[np.float64] | NDArray[np.int64]) -> tuple[float, ...]:
        return tuple((np.add.reduceat(np.asarray(column, float), edges) / counts).tolist())

    worst = np.maximum.reduceat(found.ttft_p99_s, edges).tolist()
    sent = np.maximum(np.add.reduceat(line.rate_per_s, edges), 1e-300)
    attained = np.minimum(np.add.reduceat(found.attained * line.rate_per_s, edges) / sent, 1.0)
    return FleetSeries(
        rule=rule,
        time_s=tuple((edges * line.step_s).tolist()),
        rate_per_s=mean(line.rate_per_s),
        capacity_per_s=mean(np.asarray(line.ready * service.holds_per_s, float)),
        ready=mean(line.ready),
        starting=mean(line.starting),
        spot=mean(line.spot),
        lost=tuple(np.add.reduceat(line.lost, edges).astype(float).tolist()),
        ttft_p99_s=tuple(value if math.isfinite(value) else None for value in worst),
        attained=tuple(attained.tolist()),
    )
