"""The five headline numbers of a plan, each with its interval and what it rests on."""

from __future__ import annotations

from dataclasses import dataclass

from planner.catalog import Catalog
from planner.report import bands
from planner.report.tables import Translate
from planner.schema import Plan, PlanResult
from planner.units import floored, places, promised, si, usd


@dataclass(frozen=True)
class Number:
    """A number for people.

    Attributes
    ----------
    below : its interval, or what else gives it meaning
    basis : an identifier of `words.basis_words`
    meaning : one sentence on what the interval says
    explained : name of its explanation, of `planner.report.explain`
    """

    label: str
    value: str
    below: str
    basis: str
    meaning: str
    explained: str


def numbers(result: PlanResult, plan: Plan, catalog: Catalog, _: Translate) -> tuple[Number, ...]:
    """P99 TTFT, P99 TPOT, cost of a million output tokens, facility power, availability."""
    slo, basis = result.workload.slo, plan.basis
    return (
        _latency("P99 TTFT", plan.slo.ttft_p99_s, bands.ttft_p99_s(plan), slo.ttft_p99_s, basis, _),
        _latency("P99 TPOT", plan.slo.tpot_p99_s, bands.tpot_p99_s(plan), slo.tpot_p99_s, basis, _),
        _cost(result, plan, catalog, _),
        _power(plan, catalog, _),
        _availability(result, plan, catalog, _),
    )


def _latency(label: str, value_s: float, band_s: bands.Range, limit_s: float, basis: str, _: Translate) -> Number:
    meaning = _("Four in five measurements fall in this interval. Promise: {limit}.")
    low, high = band_s
    return Number(
        label,
        si(value_s, "s"),
        span(si(low, "s"), si(high, "s")),
        basis,
        meaning.format(limit=si(limit_s, "s")),
        label,
    )


def _cost(result: PlanResult, plan: Plan, catalog: Catalog, _: Translate) -> Number:
    low, high = bands.cost_usd_per_million(plan, result.workload, catalog)
    return Number(
        _("$/M output tokens"),
        usd(plan.cost.usd_per_million_output_tokens),
        span(usd(low), usd(high)) if low < high else _("same over the whole band"),
        plan.basis,
        _("The fleet that is needed if throughput errs as its 80 % band says, at today's price."),
        "Cost per million output tokens",
    )


def _power(plan: Plan, catalog: Catalog, _: Translate) -> Number:
    watts, joules, band = plan.power.facility_w, plan.power.energy_j_per_output_token, bands.facility_w(plan, catalog)
    below = _("not sourced") if joules is None else _("{energy} per output token").format(energy=si(joules, "J"))
    meaning = _("Serving replicas at the mean load, host, cooling and losses included.")
    if band is not None:
        included = _("Serving replicas at the mean load, host, cooling and losses included: {energy}.")
        below, meaning = span(si(band[0], "W"), si(band[1], "W")), included.format(energy=below)
    return Number(
        _("Facility power"),
        "–" if watts is None else si(watts * plan.replicas, "W"),
        below,
        bands.power_basis(plan, catalog),
        meaning,
        "Facility power of the serving replicas",
    )


def _availability(result: PlanResult, plan: Plan, catalog: Catalog, _: Translate) -> Number:
    ready, asked = bands.availability(plan, catalog), result.workload.slo.availability
    promise, digits = promised(asked), places(asked)
    meaning = _("From interruptions per accelerator-hour and the stated range of repair times. Promise: {limit}.")
    return Number(
        _("Availability"),
        floored(plan.availability, digits),
        span(floored(ready[0], digits), floored(ready[1], digits))
        if ready
        else _("promise {target}").format(target=promise),
        "assumed",
        meaning.format(limit=promise),
        "Availability",
    )


def span(low: str, high: str) -> str:
    """Two ends of an interval, the unit once where both share it.

    Examples
    --------
    >>> span("25.1 ms", "41.9 ms"), span("439 ms", "2.55 s"), span("$1.20", "$2.40")
    ('25.1 – 41.9 ms', '439 ms – 2.55 s', '$1.20 – $2.40')
    """
    number, _space, unit = low.partition(" ")
    return f"{number} – {high}" if unit and high.endswith(f" {unit}") else f"{low} – {high}"
