"""How much cheaper a mix of Spot and commitments is, from dated prices."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

from planner.audit.finding import Context, Finding
from planner.audit.owning import owned
from planner.errors import WorkloadError
from planner.schema import Evidence, SavingClaim, Verdict
from planner.search.offers import Offer, offers
from planner.search.spot import firm_replicas
from planner.units import percent, usd
from planner.workloads import load_workload


@dataclass(frozen=True)
class Rates:
    """Cheapest dated price of one accelerator's hour by supply. [USD/h]"""

    accelerator: str
    usd: dict[str, float]
    offers: dict[str, Offer]


def saving(claim: SavingClaim, context: Context) -> Finding:
    """For which accelerators, terms and horizons the stated saving comes out."""
    return (_spot_and_committed if claim.of == "spot_and_committed" else owned)(claim, context)


def _spot_and_committed(claim: SavingClaim, context: Context) -> Finding:
    """The share of Spot hours beside committed ones that gives the saving, by accelerator."""
    _, stated = context._, claim.stated / 100
    known = [one for one in _rates(claim, context) if {"on_demand", "spot", "commitment"} <= set(one.usd)]
    if not known:
        raise WorkloadError("no accelerator has dated prices on demand, as Spot and with a commitment")
    told, ranges = [], []
    for one in known:
        low, high = sorted(1 - one.usd[option] / one.usd["on_demand"] for option in ("commitment", "spot"))
        ranges.append((low, high))
        told.append(_mixed(one, stated, context))
    base = _base(claim, context)
    least, most = (end(high for _low, high in ranges) for end in (min, max))
    every = all(stated <= low for low, _high in ranges) and not base
    verdict: Verdict = "holds" if every else "conditional" if stated <= most else "refuted"
    right = f"{percent(least, 0)} – {percent(most, 0)}"
    seen = tuple(e for one in known for e in _offered(one))
    return Finding(verdict, " ".join([*told, base]).strip(), f"{claim.stated:g} %", right, "%", seen)


def _mixed(one: Rates, stated: float, context: Context) -> str:
    _ = context._
    demand, committed, spot = (one.usd[option] for option in ("on_demand", "commitment", "spot"))
    share = (committed - (1 - stated) * demand) / (committed - spot) if committed != spot else -1.0
    prices = f"{usd(demand)} / {usd(committed)} / {usd(spot)}"
    if 0 <= share <= 1:
        return _("{name} ({prices} an hour on demand, committed, Spot): with {share} of the hours on Spot.").format(
            name=one.accelerator, prices=prices, share=percent(share, 0)
        )
    best = 1 - min(committed, spot) / demand
    text = _("{name} ({prices}): {best} at most.")
    if share < 0 and best >= stated:
        text = _("{name} ({prices}): {best} and more without any mix.")
    return text.format(name=one.accelerator, prices=prices, best=percent(best, 0))


def _base(claim: SavingClaim, context: Context) -> str:
    """Replicas that may not be Spot for the availability that the text promises."""
    if claim.availability is None:
        return ""
    firm = firm_replicas(context.catalog, claim.replicas, claim.availability)
    return context._("For {target} of the time, {firm} of {all} replicas may not depend on Spot.").format(
        target=percent(claim.availability, 1), firm=firm, all=claim.replicas
    )


def _rates(claim: SavingClaim, context: Context) -> Iterator[Rates]:
    """Prices per accelerator's hour; the text names the accelerators, or all with prices count."""
    catalog = context.catalog
    ids = [catalog.accelerator_id(name) for name in claim.accelerators] or list(catalog.accelerators)
    found = offers(catalog, load_workload(changes={"supply.options": ["on_demand", "commitment", "spot"]}), ids)
    for id in ids:
        best: dict[str, Offer] = {}
        for offer in found.get(id, []):
            now = best.get(offer.option)
            if now is None or _per_gpu(offer) < _per_gpu(now):
                best[offer.option] = offer
        if best:
            yield Rates(id, {option: _per_gpu(offer) for option, offer in best.items()}, best)


def _per_gpu(offer: Offer) -> float:
    return offer.usd_per_hour / offer.accelerators


def _offered(one: Rates) -> Iterator[Evidence]:
    for option, offer in one.offers.items():
        row = offer.row
        yield Evidence(
            row=f"prices {offer.provider} {offer.instance_type} {offer.region}".strip(),
            field=f"{one.accelerator} {option}", value=f"{usd(_per_gpu(offer))}/h", source=offer.source,
            source_date=row.source_date, confidence=row.confidence,
        )  # fmt: skip
