"""Answers to the question turned round: the most that a limit allows."""

from __future__ import annotations

from typing import Literal

from pydantic import Field

from planner.schema.base import Strict
from planner.schema.results import Plan
from planner.schema.workload import Workload

Turned = Literal["context", "load", "power", "speed"]
Limit = Literal["spend", "promise", "llm", "search"]


class Inverse(Strict):
    """One field of the workload at the end of what a limit allows, and the plan that serves it there."""

    asked: Turned = Field(
        description="longest prompt, most load in a budget, most in a power limit, fastest in a budget"
    )
    within: float | None = Field(description="the limit: USD/month, or W at the meter; null: the accelerators at hand")
    field: str = Field(description="field of the workload that was moved")
    before: float = Field(description="its value in the question [SI]")
    value: float = Field(description="its value at the limit, in three digits [SI]")
    limit: Limit = Field(
        description="what ends there: the spend or the accelerators, the promise at any price, the context of the LLM, "
        "or the range that is searched"
    )
    workload: Workload = Field(description="the question with that value, which has this plan")
    plan: Plan = Field(description="confirmed by simulation")
    provisioned_w: float | None = Field(description="board limits, hosts and cooling of all its accelerators [W]")
