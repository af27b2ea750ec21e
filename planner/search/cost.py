"""What a plan costs in every way it can be obtained: `planner cost`, the page and the procurement documents."""

from __future__ import annotations

from dataclasses import replace

from planner.catalog import Catalog
from planner.errors import WorkloadError
from planner.schema import Plan, PlanResult, Workload
from planner.schema.costs import CostAnswer, WayCost
from planner.search.clouds import cloud_offers, committed_by_discount
from planner.search.offers import Offer
from planner.search.single import Single, single
from planner.search.unit_costs import apis_of, clouds_of, slo_steps, tokens_of, unit_cost_of
from planner.search.ways import Owned, owned, rented, unstated_of_clouds


def cost(result: PlanResult, rank: int, catalog: Catalog) -> CostAnswer:
    """Price a ranked plan: bill of materials, every way to obtain it, unit costs, break-even, steps of the promise.

    Raises
    ------
    WorkloadError
        If there is no such plan, or the buyer's figures contradict each other.
    UnknownName, MissingFact
        For parts, profiles or APIs that do not exist or lack a figure.
    """
    plan, workload = ranked(result, rank), result.workload
    one = single(workload, catalog, plan)
    own = owned(one)
    clouds, asked = _clouds(one)
    ways = _ordered([*([own.way] if own.way else []), *clouds])
    at = _planned(plan, ways)
    if not ways:
        raise WorkloadError(
            "{title}: no price of any kind is sourced.\n"
            "  Quote the server: ownership.unit_prices.server-{accelerator}.",
            title=plan.title,
            accelerator=plan.accelerator,
        )
    way = ways[max(at, 0)]
    tokens, most = tokens_of(one), one.held_per_s
    own_figures = workload.ownership
    return CostAnswer(
        workload_name=workload.name,
        plan=plan.title,
        rank=rank,
        accelerator=plan.accelerator,
        catalog_as_of=catalog.as_of.isoformat(),
        catalog_sha256=catalog.sha256,
        horizon_years=workload.horizon_years,
        discount_rate=workload.discount_rate,
        currency=own_figures.currency,
        usd_per_currency_unit=own_figures.usd_per_currency_unit or 1.0,
        bill=own.bill,
        ways=ways,
        planned=at,
        unpriced=own.unpriced,
        unpriced_rent=unstated_of_clouds(workload) if clouds else (),
        commitments_asked=asked,
        unit=unit_cost_of(way.usd_per_month, one.rate_per_s, most, tokens),
        unit_full=unit_cost_of(way.usd_per_month, most, most, tokens),
        prompt_share=tokens.prompt_share,
        apis=apis_of(one, way, tokens),
        clouds=clouds_of(one, ways),
        slo_steps=slo_steps(one, workload),
    )


def purchase_of(result: PlanResult, rank: int, catalog: Catalog) -> tuple[Owned, WayCost | None]:
    """A ranked plan bought, and the cheapest cloud price that keeps its availability.

    Raises
    ------
    WorkloadError
        If there is no such plan, or it does not follow from its workload and these catalogs.
    """
    one = single(result.workload, catalog, ranked(result, rank))
    study = one.study
    best: dict[tuple[str, int], Offer] = {}
    for offer in cloud_offers(study.catalog, study.workload, one.plan.accelerator):
        key = (offer.option, offer.accelerators)
        if offer.option != "spot" and (key not in best or offer.usd_per_hour < best[key].usd_per_hour):
            best[key] = offer
    ways = [way for offer in best.values() if (way := rented(one, offer)) is not None and way.meets_availability]
    return owned(one), min(ways, key=lambda way: way.usd_per_month, default=None)


def ranked(result: PlanResult, rank: int) -> Plan:
    """The plan of a rank; raises WorkloadError."""
    for plan in result.plans:
        if plan.rank == rank:
            return plan
    raise WorkloadError(
        "--plan {rank}: there are {count} plans.\n  List them: planner plan", rank=rank, count=len(result.plans)
    )


def _clouds(one: Single) -> tuple[list[WayCost], tuple[str, ...]]:
    study = one.study
    offers = cloud_offers(study.catalog, study.workload, one.plan.accelerator)
    user = _own_price(study.workload, study.offers[one.plan.accelerator])
    by_discount, asked = committed_by_discount(study.catalog, study.workload, offers + user)
    firm = [o.usd_per_hour / o.accelerators for o in offers if o.term == "on_demand"]
    found = [rented(one, o, min(firm, default=None)) for o in [*user, *offers, *by_discount]]
    return [w for w in found if w is not None], asked


def _own_price(workload: Workload, offers: list[Offer]) -> list[Offer]:
    """The buyer's hourly price of this accelerator, as on-demand."""
    return [replace(o, term="on_demand") for o in offers if o.term == "user"] if workload.prices else []


def _ordered(ways: list[WayCost]) -> tuple[WayCost, ...]:
    key = lambda w: (not w.meets_availability, w.usd_per_month, w.term, w.provider, w.region)  # noqa: E731
    return tuple(sorted(ways, key=key))


def _planned(plan: Plan, ways: tuple[WayCost, ...]) -> int:
    """Which way the plan was ranked with."""
    unit = plan.supply[0]
    for at, way in enumerate(ways):
        if (way.option, way.provider, way.region) == (unit.option, unit.provider, unit.region) and (
            way.option == "own" or way.instance_type == unit.instance_type
        ):
            return at
    return -1
