"""Costs as rows of charts and tables: parts of a month, cash so far, cost of a token over the load."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

import numpy as np

from planner.models import cash
from planner.report.cost_words import line_words, way_words
from planner.report.costs import own_way
from planner.report.words import Translate, supply_words
from planner.schema.costs import CostAnswer, WayCost

Row = dict[str, Any]
LOADS = np.array([0.03, 0.05, 0.07, 0.1, 0.15, 0.2, 0.3, 0.4, 0.5, 0.6, 0.7, 0.8, 0.9, 1.0])
MOST_WAYS = 6


def shown_ways(answer: CostAnswer) -> list[WayCost]:
    """Owning, what the plan was ranked with, and the cheapest of each term that keeps the availability."""
    picked: dict[str, WayCost] = {}
    for way in answer.ways:
        if way.meets_availability:
            picked.setdefault(way.option if way.option == "own" else way.term, way)
    planned = answer.ways[max(answer.planned, 0)]
    ways = [*picked.values()]
    if planned not in ways:
        ways.append(planned)
    return sorted(ways, key=lambda w: w.usd_per_month)[:MOST_WAYS]


def name(answer: CostAnswer, way: WayCost, _: Translate) -> str:
    """Short name of a way: term and seller; how many GPUs, where not all ways take as many."""
    named = way_words(_).get(way.term, way.term)
    short = supply_words(_)["own"] if way.option == "own" else f"{named}, {way.provider}"
    alike = len({one.accelerators for one in shown_ways(answer)}) == 1
    return short if alike else _("{way} ({n} GPUs)").format(way=short, n=way.accelerators)


def months(answer: CostAnswer, _: Translate) -> list[Row]:
    """Parts of each way's month. [USD/month]"""
    words = line_words(_)
    return [
        {"way": name(answer, way, _), "line": words[line.name], "usd": line.usd_per_month, "total": way.usd_per_month}
        for way in shown_ways(answer)
        for line in way.lines
    ]


def cash_so_far(answer: CostAnswer, _: Translate) -> list[Row]:
    """All that each way has paid by the end of each month. [USD]"""
    found: list[Row] = []
    for way in shown_ways(answer):
        paid = payments(answer, way)
        so_far = np.cumsum(paid)
        if way.residual_usd:  # the sale at the end would hide what was paid
            so_far[-1] += way.residual_usd
        named = name(answer, way, _)
        found += [{"way": named, "month": n, "usd": float(usd)} for n, usd in enumerate(so_far)]
    return found


def payments(answer: CostAnswer, way: WayCost) -> Any:
    """Payments by month. [USD]"""
    return cash.payments_usd(way.capital_usd, way.residual_usd, way.running_usd_per_month, answer.horizon_years)


def crossings(answer: CostAnswer, _: Translate) -> list[Row]:
    """Where owning has paid less than a cloud."""
    own, found = own_way(answer), []
    if own is None:
        return []
    for way in shown_ways(answer):
        month = None if way is own else cash.crossover_month(payments(answer, own), payments(answer, way))
        if month:
            found.append({"way": name(answer, way, _), "month": month, "usd": way.running_usd_per_month * month})
    return found


def by_load(answer: CostAnswer, _: Translate) -> list[Row]:
    """Cost of a million output tokens over the load; on-demand and APIs are paid by use. [USD/1e6]"""
    full, planned = answer.unit_full, answer.ways[max(answer.planned, 0)]
    found: list[Row] = []
    for way in shown_ways(answer):
        each = full.usd_per_million_output_tokens * way.usd_per_month / planned.usd_per_month
        named = name(answer, way, _)
        found += [{"way": named, "load": float(u), "usd": float(each / u)} for u in LOADS]
    per_million = full.usd_per_million_output_tokens / full.usd_per_request
    for api in shown_apis(answer):
        found += [
            {"way": f"API {api.provider}", "load": float(u), "usd": api.usd_per_request * per_million} for u in LOADS
        ]
    return found


def shown_apis(answer: CostAnswer) -> list[Any]:
    """The cheapest hosted API and the one in the middle."""
    apis = answer.apis
    return list({id(a): a for a in (apis[0], apis[len(apis) // 2])}.values()) if apis else []


def names_in(rows: Iterable[Row], key: str) -> list[str]:
    """Distinct values in order of appearance."""
    return list(dict.fromkeys(row[key] for row in rows))
