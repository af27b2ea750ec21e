"""Answers as pandas tables: SI columns for files, scaled and spelled ones for the page and its charts."""

from __future__ import annotations

import pandas as pd

from planner.report.findings import (
    nearest_memory_rejection,
    price_date,
    ranks_text,
    short_name,
    supply_short,
)
from planner.report.tables import Translate, accelerator_name
from planner.report.words import basis_words, limit_words, part_words
from planner.schema import Plan, PlanResult
from planner.search.misses import spelled as spelled_miss
from planner.units import GB, floored

SPEED, COST = "tokens_per_s_per_user", "usd_per_million_output_tokens"
DEAREST, STILL_FASTER = 60, 0.98  # times the plan's cost; share of the fastest speed of a line


def plans(result: PlanResult) -> pd.DataFrame:
    """Ranked plans, one row each, SI units in the column names: what the CSV download holds."""
    return pd.DataFrame([_plan_row(plan) for plan in result.plans])


def _plan_row(plan: Plan) -> dict[str, object]:
    layout, unit, watts = plan.layout, plan.supply[0], plan.power.facility_w
    return {
        "rank": plan.rank,
        "llm": plan.llm,
        "accelerator": plan.accelerator,
        "engine": plan.engine,
        "gpus_total": plan.gpus_total,
        "gpus_per_replica": plan.gpus_per_replica,
        "replicas": plan.replicas,
        "spares": plan.spares,
        "weights": layout.weights,
        "kv": layout.kv,
        "tp": layout.tp,
        "pp": layout.pp,
        "dp": layout.dp,
        "ep": layout.ep,
        "supply": unit.option,
        "term": unit.term,
        "provider": unit.provider,
        "instance_type": unit.instance_type,
        "region": unit.region,
        "units": unit.units,
        "usd_per_hour": unit.usd_per_hour,
        "price_date": unit.source_date,
        "price_stale": unit.stale,
        "price_source": unit.source,
        "ttft_p99_s": plan.slo.ttft_p99_s,
        "tpot_p99_s": plan.slo.tpot_p99_s,
        "usd_per_month": plan.cost.usd_per_month,
        "usd_per_million_output_tokens": plan.cost.usd_per_million_output_tokens,
        "facility_w": None if watts is None else watts * plan.replicas,
        "availability": plan.availability,
        "basis": plan.basis,
    }


def ranking(result: PlanResult, _: Translate) -> pd.DataFrame:
    """The same plans for people: short names, ms, kW, percent; sortable numbers, no unit in a cell."""
    return pd.DataFrame([_ranking_row(plan, _) for plan in result.plans])


def _ranking_row(plan: Plan, _: Translate) -> dict[str, object]:
    watts = plan.power.facility_w
    return {
        "plan": f"{plan.rank}  {short_name(accelerator_name(plan.title))} {plan.layout.weights.upper()}",
        "gpus": plan.gpus_total,
        "layout": ranks_text(plan),
        "replicas": f"{plan.replicas} + {plan.spares}",
        "supply": supply_short(plan, _),
        "ttft_s": plan.slo.ttft_p99_s,
        "tpot_ms": plan.slo.tpot_p99_s * 1e3,
        "usd_per_month": plan.cost.usd_per_month,
        "usd_per_million": plan.cost.usd_per_million_output_tokens,
        "kw": None if watts is None else watts * plan.replicas / 1e3,
        "ready": floored(plan.availability),
        "basis": basis_words(_)[plan.basis],
        "priced": price_date(plan),
    }


def rejections(result: PlanResult, _: Translate) -> pd.DataFrame:
    """Why not the others, the nearest miss first."""
    words = limit_words(_)
    rows = [
        {"candidate": r.candidate, "limit": words[r.limit], "message": spelled_miss(r, _)} for r in result.rejections
    ]
    return pd.DataFrame(rows, columns=["candidate", "limit", "message"])


def memory(plan: Plan, _: Translate) -> pd.DataFrame:
    """What fills one accelerator of a plan, in the order of the bar. [GB]"""
    held, words = plan.memory, part_words(_)
    sizes = {
        "weights": held.weights_bytes_per_gpu,
        "working": held.activation_bytes_per_gpu + held.reserve_bytes_per_gpu,
        "kv": held.kv_room_bytes_per_gpu,
        "margin": held.memory_bytes_per_gpu - held.usable_bytes_per_gpu,
    }
    frame = pd.DataFrame({"id": list(sizes), "part": [words[id] for id in sizes], "bytes": list(sizes.values())})
    frame["gb"] = frame["bytes"] / GB
    frame["end_gb"] = frame["gb"].cumsum()
    frame["start_gb"] = frame["end_gb"] - frame["gb"]
    frame["share"] = frame["bytes"] / held.memory_bytes_per_gpu
    frame["bar"] = short_name(accelerator_name(plan.title))
    return frame


def refused_memory(result: PlanResult) -> pd.DataFrame:
    """What the nearest candidate without room needed and had, per accelerator; empty if there is none. [GB]"""
    rejection = nearest_memory_rejection(result)
    if rejection is None or rejection.needed is None or rejection.available is None:
        return pd.DataFrame(columns=["bar", "needed_gb", "available_gb"])
    device, precision = [*rejection.candidate.split(", "), ""][:2]
    name = f"{short_name(device.split(' × ')[-1])} {precision}"
    row = {"bar": name, "needed_gb": rejection.needed / GB, "available_gb": rejection.available / GB}
    return pd.DataFrame([row])


def curves(result: PlanResult, plan: Plan) -> pd.DataFrame:
    """Operating points of each accelerator: speed for one user against cost, the chosen one first.

    Left out is the fleet that runs nearly empty: far dearer than the plan, and no longer any faster.
    """
    names = {one.accelerator: short_name(accelerator_name(one.title)) for one in result.plans}
    several = len({point.weights for point in result.curves}) > 1
    most = DEAREST * plan.cost.usd_per_million_output_tokens
    rows = [
        {
            "series": names[point.accelerator] + (f" {point.weights.upper()}" if several else ""),
            SPEED: point.tokens_per_s_per_user,
            COST: point.usd_per_million_output_tokens,
            "chosen": point.chosen,
        }
        for point in result.curves
        if point.usd_per_million_output_tokens <= most
    ]
    columns = ["series", SPEED, COST, "chosen"]
    table = pd.DataFrame(rows, columns=columns).sort_values(["series", SPEED], kind="stable")
    slower = table.groupby("series")[SPEED].shift(1, fill_value=0.0)
    table = table[slower <= STILL_FASTER * table.groupby("series")[SPEED].transform("max")]
    return table.sort_values("chosen", ascending=False, kind="stable", ignore_index=True)


def shown_point(plan: Plan, label: str) -> dict[str, str | float]:
    """Where a plan lies in the chart of cost against speed."""
    return {
        "label": label,
        SPEED: 1 / plan.serving.tpot_s,
        COST: plan.cost.usd_per_million_output_tokens,
    }


def spelled(value: float | str) -> str:
    """A number of any size in six digits, a word as it is."""
    return value if isinstance(value, str) else f"{value:,.6g}"
