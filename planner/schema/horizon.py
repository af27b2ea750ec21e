"""The answer to horizon questions: what to buy when, what to rent until then."""

from __future__ import annotations

from pydantic import Field

from planner.schema.base import Strict


class Outlook(Strict):
    """How the years to come differ from today."""

    years: float = Field(gt=0, le=10, allow_inf_nan=False, description="time looked at [a]")
    growth_per_year: float = Field(0.0, gt=-1, le=20, allow_inf_nan=False, description="growth of the load [1/a]")
    dearer_per_year: float = Field(0.0, gt=-1, le=5, allow_inf_nan=False, description="purchase prices [1/a]")
    rent_dearer_per_year: float = Field(0.0, gt=-1, le=5, allow_inf_nan=False, description="rents [1/a]")
    delivery_weeks: float = Field(0.0, ge=0, le=260, allow_inf_nan=False, description="from order to service [week]")
    order_months: int = Field(3, ge=1, le=120, description="months between chances to order [month]")
    later: dict[str, float] = Field(
        default_factory=dict, description="accelerators that come later, with the years until they can be ordered [a]"
    )


class Order(Strict):
    """An order."""

    month: int = Field(description="of the order, from 0")
    arrives: int = Field(description="month in which it serves")
    accelerator: str
    servers: int
    usd: float = Field(description="price of the order, as it then stands [USD]")


class Policy(Strict):
    """One way to go through the years."""

    name: str = Field(description="identifier")
    npv_usd: float | None = Field(description="present value of all payments; null where it cannot carry the load")
    more_than_best: float | None = Field(description="over the best policy, as a share of it [-]")


class YearState(Strict):
    """What serves at the end of a year."""

    year: int
    load_factor: float = Field(description="load over today's [-]")
    owned: dict[str, int] = Field(description="servers in service by accelerator")
    rented: dict[str, int] = Field(description="servers rented by accelerator")


class HorizonResult(Strict):
    """Everything that a horizon question answers."""

    outlook: Outlook
    kinds: tuple[str, ...] = Field(description="accelerators considered, today's first")
    policies: tuple[Policy, ...] = Field(description="the best first")
    orders: tuple[Order, ...] = Field(description="orders of the best policy")
    states: tuple[YearState, ...]
    not_bought: tuple[str, ...] = Field(description="accelerators without a sourced purchase price")
    not_rented: tuple[str, ...] = Field(description="accelerators without a sourced on-demand price")
    catalog_sha256: str
    wall_s: float
