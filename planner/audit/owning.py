"""From which load factor on owning saves what a text says: by accelerator, cloud price and horizon.

An owned hour is paid whether it is used or not: annuity, maintenance and colocation, with the spare replicas
that the availability takes. Energy follows the load between idle and the board's limit. On demand, only hours
in use are paid; a commitment is paid always.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np

from planner.audit.finding import Context, Finding, evidence, formula
from planner.errors import WorkloadError
from planner.models.availability import replica_availability, spares_for
from planner.models.power import facility_power_w
from planner.schema import Evidence, SavingClaim, SupplyOption, Verdict, Workload
from planner.search.offers import STALE_AFTER, Offer, offers, owned_running_usd_per_month
from planner.units import HOURS_PER_MONTH, percent, usd
from planner.workloads import load_workload

HORIZONS_YEARS = (1.0, 3.0, 5.0)


@dataclass(frozen=True)
class Case:
    """Owning against one cloud price over one horizon, per accelerator-hour that the load needs at its peak.

    Attributes
    ----------
    idle_usd, busy_usd : owned hour without load, and what full load adds, spares included [USD/h]
    cloud_usd : rented hour, spares included [USD/h]
    """

    accelerator: str
    years: float
    offer: Offer
    idle_usd: float
    busy_usd: float
    cloud_usd: float

    def saving(self, load: float) -> float:
        """Share saved at a load factor. [-]"""
        paid = self.cloud_usd * (load if self.offer.option == "on_demand" else 1.0)
        return 1 - (self.idle_usd + self.busy_usd * load) / paid

    def from_load(self, saving: float) -> float | None:
        """Least load factor with that saving; None where no load gives it. [-]"""
        if self.offer.option != "on_demand":
            return 0.0 if self.saving(1.0) >= saving else None
        gained = (1 - saving) * self.cloud_usd - self.busy_usd
        load = self.idle_usd / gained if gained > 0 else 2.0
        return load if load <= 1 else None


def owned(claim: SavingClaim, context: Context) -> Finding:
    """The load factor, price tier and horizon at which the stated saving comes out."""
    _, stated = context._, claim.stated / 100
    cases = [case for id in _named(claim, context) for case in _cases(claim, id, context)]
    if not cases:
        raise WorkloadError("no accelerator has a purchase price and a rented one: planner catalog ls purchases")
    fine = [case for case in cases if _reached(case, claim, stated)]
    verdict: Verdict = "holds" if len(fine) == len(cases) else "conditional" if fine else "refuted"
    if claim.load_factor is None and any(case.from_load(stated) != 0.0 for case in fine):
        verdict = "conditional" if fine else "refuted"
    told = [_("{n} of {all} cases reach it.").format(n=len(fine), all=len(cases))]
    groups = _grouped(cases)
    reached = [rows for rows in groups if any(_reached(case, claim, stated) for case in rows)]
    told += [_line(rows, stated, claim, context) for rows in reached]
    best = max((case for case in cases if case not in fine), key=lambda case: case.saving(_load(claim)), default=None)
    if best is not None:
        told.append(_("The best of the others: {case}").format(case=_line([best], stated, claim, context)))
    shares = [case.saving(_load(claim)) for case in cases]
    right = " – ".join(dict.fromkeys(percent(end(shares), 0) for end in (min, max)))
    if claim.load_factor is None:
        right += " " + _("at full load")
    lines = (formula(_line(rows, stated, claim, context)) for rows in groups)
    seen = (_rule(claim, context), *lines, *dict.fromkeys(e for case in cases for e in _rows(case, context)))
    return Finding(verdict, " ".join(told), f"{claim.stated:g} %", right, "%", seen)


def _load(claim: SavingClaim) -> float:
    """The load factor that the text states, else full load. [-]"""
    return claim.load_factor or 1.0


def _reached(case: Case, claim: SavingClaim, stated: float) -> bool:
    if claim.load_factor is not None:
        return case.saving(claim.load_factor) >= stated
    return case.from_load(stated) is not None


def _grouped(cases: list[Case]) -> list[list[Case]]:
    """Horizons of one accelerator and price together."""
    found: dict[tuple[str, str], list[Case]] = {}
    for case in cases:
        found.setdefault((case.accelerator, case.offer.term), []).append(case)
    return list(found.values())


def _line(rows: list[Case], stated: float, claim: SavingClaim, context: Context) -> str:
    """One accelerator against one price: what each horizon needs."""
    _, first = context._, rows[0]
    words = {"on_demand": _("on demand"), "commitment": _("committed")}
    stale = context.catalog.as_of - first.offer.row.dated > STALE_AFTER
    price = usd(first.offer.usd_per_hour / first.offer.accelerators) + ("/h !" if stale else "/h")
    each = [_needs(case, stated, claim, context) for case in rows]
    return _("{name} against {tier} at {price} ({provider}): {horizons}.").format(
        name=first.accelerator,
        tier=words[first.offer.option],
        price=price,
        provider=first.offer.provider,
        horizons="; ".join(each),
    )


def _needs(case: Case, stated: float, claim: SavingClaim, context: Context) -> str:
    _, load = context._, case.from_load(stated)
    if claim.load_factor is not None:
        return _("{years:g} y {share}").format(years=case.years, share=percent(case.saving(claim.load_factor), 0))
    if load is None:
        return _("{years:g} y at no load ({share} at full load)").format(
            years=case.years, share=percent(case.saving(1.0), 0)
        )
    if load == 0:
        return _("{years:g} y at any load").format(years=case.years)
    return _("{years:g} y from {load} load").format(years=case.years, load=percent(load, 0))


def _named(claim: SavingClaim, context: Context) -> list[str]:
    """Accelerators of the text, or all that can be bought and rented."""
    if claim.accelerators:
        return [context.catalog.accelerator_id(name) for name in claim.accelerators]
    sold = {row.item for row in context.catalog.purchases if row.kind == "accelerator"}
    return [id for id in context.catalog.accelerators if id in sold]


def _cases(claim: SavingClaim, id: str, context: Context) -> Iterator[Case]:
    """Every horizon of one accelerator, against the cheapest price of each tier."""
    for tier in claim.tiers:
        for years in claim.horizon_years or HORIZONS_YEARS:
            options: list[SupplyOption] = ["own", tier]
            workload = load_workload(changes={"supply.options": options, "horizon_years": years})
            found = offers(context.catalog, workload, [id])[id]
            own = next((offer for offer in found if offer.option == "own"), None)
            rented = min((o for o in found if o.option == tier), key=_per_gpu, default=None)
            if own is not None and rented is not None:
                yield _case(claim, id, own, rented, workload, context)


def _per_gpu(offer: Offer) -> float:
    return offer.usd_per_hour / offer.accelerators


def _case(claim: SavingClaim, id: str, own: Offer, rented: Offer, workload: Workload, context: Context) -> Case:
    fixed, place, idle, span = _hour_usd(id, own, workload, context)
    bought, lent = (_more(claim, option, context) for option in ("own", "cloud"))
    # Spares of the owner stand idle; the load's own accelerators draw by load.
    return Case(id, workload.horizon_years, rented, (fixed + place + idle) * bought, span, _per_gpu(rented) * lent)


def _hour_usd(id: str, own: Offer, workload: Workload, context: Context) -> tuple[float, float, float, float]:
    """An owned accelerator-hour: server, colocation, energy without load, energy that full load adds. [USD/h]"""
    catalog, site = context.catalog, context.catalog.site(workload.site)
    host, row = catalog.parameter("host_power_w_per_gpu").value, catalog.accelerators[id]
    if row.tdp_w is None or site.pue is None:
        raise WorkloadError(
            "{id} has no sourced board power, or {site} no PUE: an owned hour cannot be priced", id=id, site=site.id
        )
    idle_w = row.tdp_w * catalog.parameter("idle_share").value
    busy_w = row.tdp_w * catalog.parameter("power_limit_share").value
    drawn = facility_power_w(np.array([idle_w, busy_w]) + host, site.pue)
    energy, place = owned_running_usd_per_month(site, np.full(2, row.tdp_w + host), drawn)
    idle, busy = energy / HOURS_PER_MONTH
    return _per_gpu(own), float(place[0]) / HOURS_PER_MONTH, float(idle), float(busy - idle)


def _more(claim: SavingClaim, supply: str, context: Context) -> float:
    """Replicas with their spares over those that the load needs. [-]"""
    if claim.availability is None:
        return 1.0
    between = context.catalog.parameter("interruption_gpu_hours").value
    repair = context.catalog.parameter("repair_hours", supply).value
    spares = spares_for(claim.replicas, float(replica_availability(claim.gpus, between, repair)), claim.availability)
    if spares is None:
        raise WorkloadError(
            "availability {availability:g}: no number of spares up to 64 reaches it", availability=claim.availability
        )
    return (claim.replicas + spares) / claim.replicas


def _rule(claim: SavingClaim, context: Context) -> Evidence:
    if claim.availability is None:
        return formula("(annuity + maintenance + colocation + energy) / (price * load factor)")
    own, cloud = (percent(_more(claim, supply, context) - 1, 0) for supply in ("own", "cloud"))
    return formula(
        f"(annuity + maintenance + colocation + energy) / (price * load factor); spares for {claim.availability:g} of "
        f"{claim.replicas} replicas of {claim.gpus}", f"owned {own}, rented {cloud}",
    )  # fmt: skip


def _rows(case: Case, context: Context) -> tuple[Evidence, ...]:
    offer = case.offer
    return (
        evidence(context, case.accelerator, "tdp_w", ""),
        Evidence(
            row=f"prices {offer.provider} {offer.instance_type} {offer.region}".strip(),
            field=f"{case.accelerator} {offer.term}", value=f"{usd(_per_gpu(offer))}/h", source=offer.source,
            source_date=offer.row.source_date, confidence=offer.row.confidence,
        ),
    )  # fmt: skip
