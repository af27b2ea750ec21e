"""Answers of what-if: outcomes before and after, and what the difference consists of."""

from __future__ import annotations

from pydantic import Field

from planner.schema.base import Strict
from planner.schema.results import Basis, Rejection
from planner.schema.workload import SupplyOption


class Outcome(Strict):
    """The best plan of one question, in the figures that a difference is made of."""

    title: str
    accelerator: str
    layout: str = Field(description="precisions of weights and cache, parallel sizes")
    option: SupplyOption
    provider: str
    gpus_total: int
    replicas: int
    spares: int
    output_tokens_per_s: float = Field(description="served by the fleet [token/s]")
    usd_per_month: float
    usd_per_million_output_tokens: float
    npv_usd: float
    ttft_p99_s: float
    tpot_p99_s: float
    availability: float
    facility_w: float | None = Field(description="serving replicas at the meter [W]")
    basis: Basis


class Applied(Strict):
    """One changed field."""

    field: str
    asked: str = Field(description="as written: a value, +20% or x2")
    before: float | str | bool | None
    after: float | str | bool | None


class Difference(Strict):
    """One figure of the outcome, before and after."""

    figure: str
    unit: str
    before: float | None
    after: float | None
    change: float | None
    relative: float | None = Field(description="change over before [-]")


class Driver(Strict):
    """A part of the difference in monthly cost; the parts of one list add up to it."""

    name: str
    usd_per_month: float


class WhatIf(Strict):
    """Everything that `planner whatif` answers about one set of changes."""

    workload: str = Field(description="name of the question")
    changes: tuple[Applied, ...]
    before: Outcome
    after: Outcome | None = Field(description="null where nothing keeps the promise any more")
    refusal: str = Field("", description="why there is no plan after the changes")
    rejections: tuple[Rejection, ...] = Field((), description="what came closest to one")
    differences: tuple[Difference, ...]
    drivers: tuple[Driver, ...] = Field(description="by factor: load x accelerators per load x spares x price")
    by_change: tuple[Driver, ...] = Field(description="by changed field, averaged over the orders of applying them")
    catalog_sha256: str
    wall_s: float


class Case(Strict):
    """One row of a sweep or a comparison."""

    name: str
    values: dict[str, float | str | bool | None] = Field(description="by changed field, after the change")
    outcome: Outcome | None
    refusal: str = ""
    rejections: tuple[Rejection, ...] = ()


class Comparison(Strict):
    """Everything that a sweep or a comparison of scenarios answers."""

    workload: str
    fields: tuple[str, ...] = Field(description="swept or changed fields")
    cases: tuple[Case, ...]
    catalog_sha256: str
    wall_s: float
