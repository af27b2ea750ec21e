"""The answer of `planner risk`: how sure costs and promises are when inputs are not."""

from __future__ import annotations

from pydantic import Field

from planner.schema.base import Strict
from planner.schema.workload import Workload


class Deciles(Strict):
    """Deciles over the draws."""

    p10: float | None
    p50: float | None = Field(description="null where the percentile is out of reach")
    p90: float | None


class UncertainInput(Strict):
    """One input as it was drawn."""

    name: str
    low: float
    mid: float
    high: float
    distribution: str
    group: str
    source: str = Field(description="stated, or where the catalogs have it from")


class PlanRisk(Strict):
    """One plan over all draws."""

    rank: int
    title: str
    accelerator: str
    supply: str
    replicas: int = Field(description="serving, as planned")
    gpus_total: int = Field(description="accelerators as planned, spares included")
    usd_per_month: Deciles = Field(description="as planned and bought")
    usd_per_million_output_tokens: Deciles
    ttft_p99_s: Deciles
    tpot_p99_s: Deciles
    meets_slo: float = Field(description="share of draws in which the plan as bought keeps the promise [-]")
    meets_budget: float | None = Field(description="share of draws within the budget; null without one [-]")
    meets_both: float | None
    replicas_needed: Deciles = Field(description="that each draw would need")
    out_of_reach: float = Field(description="share of draws in which no number of replicas keeps the promise [-]")
    cost_curve: tuple[tuple[float, float], ...] = Field(
        description="chance that a fleet sized to the draw costs no more, with that cost [-], [USD/month]"
    )
    expected_usd_per_month: float | None = Field(
        description="mean over draws of the plan, sized to each; null where too few draws can be met"
    )
    expected_regret_usd_per_month: float | None = Field(
        description="over the best plan in the same draw, mean; what was bought is lost in draws that it cannot meet"
    )
    regret_p90_usd_per_month: float | None


class Bar(Strict):
    """One bar of the tornado: the outcome with one input at low and at high, the others at mid."""

    input: str
    low: float
    high: float
    at_low: float | None
    at_high: float | None


class Sensitivity(Strict):
    """Share of the outcome's variance that comes from one input, alone and with all its interactions."""

    input: str
    first: float
    total: float


class RiskResult(Strict):
    """Everything that `planner risk` answers."""

    workload: Workload
    inputs: tuple[UncertainInput, ...]
    plans: tuple[PlanRisk, ...]
    by_expected_cost: tuple[int, ...] = Field(description="ranks of plans, the lowest expected cost first")
    by_regret: tuple[int, ...] = Field(description="ranks of plans, the lowest expected regret first")
    beats: tuple[tuple[float, ...], ...] = Field(
        description="share of draws in which the plan of the row costs less than that of the column [-]"
    )
    metric: str = Field(description="outcome of the tornado and the indices, of the first plan")
    at_mid: float | None = Field(description="that outcome with every input at mid")
    tornado: tuple[Bar, ...]
    sensitivities: tuple[Sensitivity, ...]
    budget_usd_per_month: float | None
    draws: int
    seed: int
    catalog_sha256: str
    draw_s: float = Field(description="drawing and evaluating [s]")
    wall_s: float
