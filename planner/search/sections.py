"""What a simulation adds about a plan's fleet over time: each section where it was asked for."""

from __future__ import annotations

from dataclasses import replace

from planner.catalog import Catalog
from planner.models.traffic import Trace
from planner.schema import AutoscaleOptions, FleetOptions, FleetSections, Plan, Workload
from planner.search.failing import fail
from planner.search.fleet import DEFAULT_PROFILE, Subject, autoscale, started_of
from planner.search.replay import Server
from planner.search.service import service_of
from planner.search.spot_fleet import answers_s, live_on_spot
from planner.search.surging import let_surge


def sections_of(
    asked: FleetOptions,
    workload: Workload,
    catalog: Catalog,
    plan: Plan,
    replicas: int,
    server: Server,
    trace: Trace,
    seed: int = 0,
) -> FleetSections:
    """Answer the sections that were asked for; all rest on one replica simulated under the trace.

    Parameters
    ----------
    replicas : that serve, in place of the plan's
    server : an attention rank of the plan's replica
    trace : requests at the workload's rate

    Raises
    ------
    UnknownName, MissingFact, WorkloadError
        For options that give no answer.
    """
    if asked == FleetOptions():
        return FleetSections()
    subject = Subject(
        plan.model_copy(update={"replicas": replicas}),
        service_of(server, trace, workload.slo),
        trace.rate_per_s,
        workload.slo.ttft_p99_s,
        catalog.parameter("headroom").value,
        workload.slo.availability,
        workload.traffic.profile or DEFAULT_PROFILE,
    )
    if asked.autoscale and asked.autoscale.spot_base is not None:
        subject = replace(subject, answers_s=answers_s(subject, server, trace))
    start_s = started_of(plan, catalog, asked.autoscale or AutoscaleOptions()).start.seconds
    return FleetSections(
        autoscale=autoscale(subject, catalog, asked.autoscale, seed) if asked.autoscale else None,
        failures=fail(subject, catalog, asked.failures) if asked.failures else None,
        spot=live_on_spot(subject, server, trace, catalog, asked.spot, start_s) if asked.spot else None,
        surge=let_surge(subject, replicas, trace, asked.surge) if asked.surge else None,
    )
