"""The supply mix of a plan over its load curve: offers as options, the linear programme, the answer."""

from __future__ import annotations

import time
from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np

from planner.catalog import Catalog
from planner.errors import WorkloadError
from planner.models import availability, supply
from planner.schema import Plan, Workload
from planner.schema.mix import Alternative, MixLine, MixResult, Shadow
from planner.search.columns import Array, Index
from planner.search.mix_fleet import FleetCosts, cheapest
from planner.search.mix_options import Way, ways
from planner.search.plan import plan
from planner.search.spot import firm_replicas
from planner.search.study import burst_factor
from planner.units import HOURS_PER_YEAR

ROUNDING_USD = 0.5  # of the solver, in a year
FEW = 24  # replicas from which on the firm share of a fleet is read off a smaller one


@dataclass(frozen=True)
class Curve:
    """A load over hours that repeat over the year.

    Attributes
    ----------
    name : for people
    factors : load of each hour over the mean, shape (t,) [-]
    """

    name: str
    factors: Array


def mix(
    workload: Workload,
    catalog: Catalog,
    curve: Curve,
    rank: int = 1,
    quotas: Mapping[str, float] | None = None,
    regions: tuple[str, ...] = (),
    firm_share: float | None = None,
    sites: tuple[str, ...] = (),
) -> MixResult:
    """How much of a plan is owned, committed, on demand and on Spot, so that its load curve costs least.

    Parameters
    ----------
    rank : plan whose accelerator and layout are bought.
    quotas : most accelerators by option, region or option@region, such as {"on_demand@us-east-1": 16}.
    regions : regions that are bought from side by side; empty: the cheapest anywhere.
    firm_share : share of the load that must not depend on Spot; None: as the availability promise needs. [-]
    sites : at which owned servers may stand, side by side; empty: the workload's.

    Raises
    ------
    PlannerError
        Without a plan, without a price, or when quotas cannot carry the load.
    """
    start = time.perf_counter()
    plans = plan(workload, catalog, max(rank, 12)).plans
    if rank > len(plans):
        raise WorkloadError(
            "--plan {rank}: there are {count} plans.\n  List them: planner plan", rank=rank, count=len(plans)
        )
    best = plans[rank - 1]
    costs = FleetCosts(workload, catalog, best)
    costs.refuse_unknown_quotes()
    found, unpriced = ways(workload, catalog, best, regions, quotas or {}, sites)
    needed = replicas_over(workload, catalog, best, curve.factors)
    share, rule = _firm_share(workload, catalog, needed, firm_share, found)
    load = _load(workload, catalog, best, needed, share)
    solved = cheapest(found, costs, load)
    worth = _shadows(found, solved.options, supply.shadow_prices(solved.options, load))
    worth += _next_nine(costs, needed, firm_share, found, solved.usd_per_year)
    return MixResult(
        workload=workload,
        plan=best.title,
        accelerator=best.accelerator,
        load=curve.name,
        hours=len(needed),
        peak_replicas=round(float(load.demand.max())),
        mean_replicas=float((load.demand * load.hours).sum() / load.hours.sum()),
        firm_share=share,
        firm_rule=rule,
        lines=_lines(found, solved.mix, load, catalog),
        fleet=costs.lines(found, solved.mix.units),
        usd_per_year=solved.usd_per_year,
        usd_per_month=solved.usd_per_year / 12,
        alternatives=_alternatives(found, costs, load, solved.usd_per_year),
        shadows=worth,
        unpriced=unpriced,
        not_included=costs.unpriced(found, solved.mix.units),
        catalog_sha256=catalog.sha256,
        wall_s=time.perf_counter() - start,
    )


def replicas_over(workload: Workload, catalog: Catalog, best: Plan, factors: Array) -> Index:
    """Serving replicas at each load over the mean, by the same rule as the plan's. [-]"""
    each = load_per_replica(workload, catalog, best)
    return np.ceil(np.round(np.asarray(factors, float) / each, 9)).astype(np.int64)


def load_per_replica(workload: Workload, catalog: Catalog, best: Plan) -> float:
    """Share of the mean load that one replica is sized for. [-]"""
    served, headroom = best.serving, catalog.parameter("headroom").value
    if workload.traffic.concurrency is not None:
        busy = float(workload.traffic.concurrency)
        each = served.running_sequences / served.utilisation
    else:
        busy = (workload.traffic.rate_per_s or 0.0) * burst_factor(workload, catalog)
        each = served.requests_per_s / served.utilisation
    return headroom * each / busy


def _firm_share(
    workload: Workload, catalog: Catalog, needed: Index, stated: float | None, found: list[Way]
) -> tuple[float, str]:
    if stated is not None:
        if not 0 <= stated <= 1:
            raise WorkloadError("--firm-share {stated:g}: give a share from 0 to 1.", stated=stated)
        return stated, "stated"
    if all(way.firm for way in found):
        return 1.0, "no spot"
    few = int(min(needed.max(), FEW))
    return firm_replicas(catalog, few, workload.slo.availability) / few, "availability"


def _load(workload: Workload, catalog: Catalog, best: Plan, needed: Index, share: float) -> supply.Levels:
    """Load and firm load of a year, spares for failures included; at full share all of it is firm."""
    between = catalog.parameter("interruption_gpu_hours").value
    one = availability.replica_availability(
        best.gpus_per_replica, between, catalog.parameter("repair_hours", "cloud").value
    )
    spares, _ = availability.fewest_spares(needed, one, workload.slo.availability)
    demand = needed + np.maximum(spares, 0)
    firm = np.ceil(np.round(share * demand, 9))
    return supply.levels(demand, firm, HOURS_PER_YEAR / len(demand))


def _next_nine(
    costs: FleetCosts,
    needed: Index,
    firm_share: float | None,
    found: list[Way],
    usd_per_year: float,
) -> tuple[Shadow, ...]:
    """What a tenfold smaller share of time without the promise would cost; nothing if quotas forbid it."""
    workload, catalog, best = costs.workload, costs.catalog, costs.best
    target = 1 - (1 - workload.slo.availability) / 10
    tighter = workload.model_copy(update={"slo": workload.slo.model_copy(update={"availability": target})})
    share, _ = _firm_share(tighter, catalog, needed, firm_share, found)
    try:
        solved = cheapest(found, costs, _load(tighter, catalog, best, needed, share))
    except WorkloadError:
        return ()
    return (Shadow(limit="availability", of=f"{target:.6g}", usd_per_year=usd_per_year - solved.usd_per_year),)


def _lines(found: list[Way], solved: supply.Mix, load: supply.Levels, catalog: Catalog) -> tuple[MixLine, ...]:
    hours = float(load.hours.sum())
    whole = float((load.demand * load.hours).sum())
    lines = []
    for way, units, served in zip(found, solved.units, solved.served, strict=True):
        if units < 0.5:
            continue
        used = float((served * load.hours).sum()) / way.size  # block-hours
        paid = units * hours if way.held else used
        offer, blocks = way.offer, round(float(units))
        fixed = blocks * way.fixed_usd_per_year
        variable = used * way.variable_usd_per_hour
        lines.append(
            MixLine(
                option=offer.option,
                term=offer.term,
                provider=offer.provider,
                instance_type=offer.instance_type,
                region=offer.region,
                accelerators_per_unit=offer.accelerators,
                units=blocks * way.units,
                accelerators=blocks * way.accelerators,
                quota_accelerators=None if np.isinf(way.quota) else way.quota_accelerators,
                served_share=min(used * way.size / whole, 1.0),
                utilisation=used / paid if paid else 0.0,
                fixed_usd_per_year=fixed,
                variable_usd_per_year=variable,
                usd_per_unit_hour=_unit_hour_usd(way),
                source=offer.source,
                source_date=offer.row.source_date,
                stale=offer.stale(catalog.as_of),
            )
        )
    return tuple(lines)


def _unit_hour_usd(way: Way) -> float:
    """Price of a unit for an hour of use, volumes aside; of an owned one with its fixed cost. [USD/h]"""
    if way.offer.option == "commitment":
        return way.offer.usd_per_hour
    fixed = way.fixed_usd_per_year / HOURS_PER_YEAR if way.held else 0.0
    return (fixed + way.variable_usd_per_hour) / way.units


def _alternatives(
    found: list[Way], fleet: FleetCosts, load: supply.Levels, usd_per_year: float
) -> tuple[Alternative, ...]:
    """Simple policies: on demand by the hour or for the peak, committed or owned for the peak."""
    costs = {
        "on demand by the hour": _alone(found, fleet, "on_demand", load, follow=True),
        "on demand for the peak": _alone(found, fleet, "on_demand", load, follow=False),
        "committed for the peak": _alone(found, fleet, "commitment", load, follow=False),
        "owned for the peak": _alone(found, fleet, "own", load, follow=False),
    }
    return tuple(
        Alternative(name=name, usd_per_year=cost, saving=None if cost is None else 1 - usd_per_year / cost)
        for name, cost in costs.items()
    )


def _alone(found: list[Way], fleet: FleetCosts, option: str, load: supply.Levels, follow: bool) -> float | None:
    """Cost of one option for everything; None where it has no price or its quota is too small. [USD/a]"""
    costs = []
    for way in found:
        blocks = np.ceil(load.demand / way.size - 1e-9)
        if way.offer.option != option or blocks.max() > way.quota:
            continue
        used = blocks if follow or way.held else np.full_like(blocks, blocks.max())
        fixed = float(blocks.max()) * way.fixed_usd_per_year + fleet.total_usd([way], np.array([blocks.max()]))
        costs.append(fixed + float((used * load.hours).sum()) * way.variable_usd_per_hour)
    return min(costs, default=None)


def _shadows(found: list[Way], options: supply.Options, worth: supply.ShadowPrices) -> tuple[Shadow, ...]:
    """What is worth more than nothing; quotas by the accelerator, of what costs of the fleet did not rule out."""
    shadows = [
        Shadow(limit="quota", of=way.name, usd_per_year=float(value) / way.accelerators)
        for way, value, most in zip(found, worth.quota, options.quota, strict=True)
        if value > ROUNDING_USD and most == way.quota
    ]
    shadows += [Shadow(limit="peak", of="", usd_per_year=worth.peak)]
    if worth.firm > ROUNDING_USD:
        shadows += [Shadow(limit="firm", of="", usd_per_year=worth.firm)]
    return tuple(shadows)
