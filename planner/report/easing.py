"""Promises that could be kept in place of one that cannot, in words."""

from __future__ import annotations

from collections.abc import Sequence

from planner.errors import Joined, Message, NoPlan, Translate
from planner.report.findings import plan_name
from planner.search.easing import Eased
from planner.units import si, usd


def promise(one: Eased, _: Translate) -> str:
    """What is eased, such as `P99 TPOT 9.4 ms`."""
    names = {"ttft_p99_s": "P99 TTFT", "tpot_p99_s": "P99 TPOT", "e2e_p99_s": _("P99 of the whole answer")}
    return ", ".join(f"{names[name]} {si(value, 's')}" for name, value in one.figures.items())


def with_ways_out(refused: NoPlan, found: Sequence[Eased]) -> NoPlan:
    """The failure with a line for each promise that could be kept: its options, the plan, and its cost."""
    lines = [
        Message(
            "  Could be kept: {options} ({plan}, {usd} a month).",
            options=" ".join(f"--set slo.{name}={value:g}" for name, value in one.figures.items()),
            plan=plan_name(one.plan),
            usd=usd(one.plan.cost.usd_per_month),
        )
        for one in found
    ]
    return NoPlan(Joined(refused, *lines), refused.nearest)
