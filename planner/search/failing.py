"""How often enough replicas of a plan are ready, from what fails in the field and how soon it is mended."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from planner.catalog import Catalog
from planner.errors import Message, MissingFact
from planner.models import failures
from planner.schema import Assumption, FailedFleet, FailureOptions, SiteMetric
from planner.search.fleet import Subject, rates_of
from planner.traces import choose_profile

Array = NDArray[np.float64]

ACCELERATOR_CAUSES = ("faulty GPU (incl. NVLink)", "GPU HBM3 memory", "GPU SRAM", "GPU system processor")
ALL_CAUSES = "unexpected"
MOST_SPARES = 64


@dataclass(frozen=True)
class Parts:
    """Times between failures of the parts of a replica. [h]

    Attributes
    ----------
    accelerator_hours : of one accelerator
    node_hours : of one node's rest: host, network, software
    """

    accelerator_hours: float
    node_hours: float


def parts_of(catalog: Catalog, node: int) -> Parts:
    """Field failures split by cause: those of accelerators, and the rest, which stops a node of `node` of them.

    Raises
    ------
    MissingFact
        If the catalogs have no counts by cause.
    """
    counts = {row.scope: row for row in catalog.site_metrics if row.metric == "llama3_interruptions"}
    missing = {ALL_CAUSES, *ACCELERATOR_CAUSES} - counts.keys()
    if missing:
        raise MissingFact(
            "site_metrics.csv", ", ".join(sorted(missing)), Message("failures"), Message("Add counts by cause.")
        )
    everything = catalog.parameter("interruption_gpu_hours").value
    total = counts[ALL_CAUSES].value
    inside = sum(counts[cause].value for cause in ACCELERATOR_CAUSES)
    return Parts(everything * total / inside, everything * total / (total - inside) / node)


def fail(subject: Subject, catalog: Catalog, options: FailureOptions) -> FailedFleet:
    """Availability of a plan with its spares, by time and by requests.

    Raises
    ------
    UnknownName, MissingFact, WorkloadError
        For a profile, counts or times that give no answer.
    """
    plan = subject.plan
    card = catalog.accelerators[plan.accelerator]
    parts = parts_of(catalog, card.server_accelerators)
    scope = "own" if plan.supply[0].option == "own" else "cloud"
    repair = options.repair_hours or catalog.parameter("repair_hours", scope).value
    one, shared = _replica(subject, card.server_accelerators, parts, repair, options)
    installed = plan.replicas + plan.spares
    chances = _ready(subject, card.server_accelerators, installed, one, shared, repair, options)
    name = options.profile or subject.profile
    rate, _ = rates_of(choose_profile(name, catalog), subject.rate_per_s)
    found = failures.weighted(chances, rate, subject.service.holds_per_s)
    whole = failures.weighted(np.eye(installed + 1)[-1], rate, subject.service.holds_per_s)
    per_hour = (1 / (one * shared) - 1) / repair
    down = failures.outages(chances, plan.replicas, per_hour)
    target = subject.target
    ready = float(failures.chance_of_at_least(chances, plan.replicas))
    return FailedFleet(
        needed=plan.replicas,
        installed=installed,
        parts=_told(catalog, parts, repair, scope, options),
        replica_availability=one * shared,
        ready=tuple(chances.tolist()),
        profile=name,
        chance=ready,
        by_time=found.by_time,
        by_time_unfailing=whole.by_time,
        by_requests=found.by_requests,
        by_requests_unfailing=whole.by_requests,
        served=found.served,
        outages_per_year=down.per_year,
        outage_hours=down.mean_hours,
        target=target,
        met=ready >= target,
        spares_needed=_spares(subject, card.server_accelerators, one, shared, repair, options),
    )


def _replica(subject: Subject, node: int, parts: Parts, repair: float, options: FailureOptions) -> tuple[float, float]:
    """Availability of a replica's own parts, and of what it shares with its neighbours: a node, a rack."""
    gpus = subject.plan.gpus_per_replica
    nodes = max(-(-gpus // node), 1)
    rack = [(1.0, options.rack_mtbf_hours, options.rack_repair_hours)] if options.rack_mtbf_hours else []
    own = [(float(gpus), parts.accelerator_hours, repair)]
    common = [(float(nodes), parts.node_hours, repair)]
    if gpus >= node:  # nobody else is in its nodes
        own, common = own + common, []
    return _series(own), _series(common + rack)


def _series(kinds: list[tuple[float, float, float]]) -> float:
    if not kinds:
        return 1.0
    counts, between, repair = (list(column) for column in zip(*kinds, strict=True))
    return float(failures.series_availability(counts, between, repair))


def _ready(
    subject: Subject, node: int, installed: int, one: float, shared: float, repair: float, options: FailureOptions
) -> Array:
    """Chances of so many ready replicas, those of one node or rack together."""
    if options.repairs_at_once:
        per_hour = (1 / (one * shared) - 1) / repair
        return failures.birth_death(installed, per_hour, 1 / repair, min(options.repairs_at_once, max(installed, 1)))
    together = max(node // subject.plan.gpus_per_replica, 1)
    if options.rack_mtbf_hours:
        together = max(options.replicas_per_rack, together)
    full, rest = divmod(installed, together)
    return failures.ready_in_domains([together] * full + ([rest] if rest else []), one, shared)


def _spares(
    subject: Subject, node: int, one: float, shared: float, repair: float, options: FailureOptions
) -> int | None:
    needed = subject.plan.replicas
    for spares in range(MOST_SPARES + 1):
        chances = _ready(subject, node, needed + spares, one, shared, repair, options)
        if float(failures.chance_of_at_least(chances, needed)) >= subject.target:
            return spares
    return None


def _told(catalog: Catalog, parts: Parts, repair: float, scope: str, options: FailureOptions) -> tuple[Assumption, ...]:
    row: SiteMetric = next(r for r in catalog.site_metrics if r.metric == "llama3_interruptions")
    counted = f"{row.source} ({row.source_date}), split by cause"
    given = catalog.parameter("repair_hours", scope)
    mended = (
        "option" if options.repair_hours else f"{given.source} ({given.source_date}, {given.confidence} confidence)"
    )
    found = [
        Assumption(name="between failures of an accelerator", value=parts.accelerator_hours, unit="h", source=counted),
        Assumption(name="between failures of the rest of a node", value=parts.node_hours, unit="h", source=counted),
        Assumption(name="repair", value=repair, unit="h", source=mended),
    ]
    if options.rack_mtbf_hours:
        found += [
            Assumption(name="between failures of a rack", value=options.rack_mtbf_hours, unit="h", source="option"),
            Assumption(name="repair of a rack", value=options.rack_repair_hours, unit="h", source="option"),
        ]
    return tuple(found)
