"""What only the buyer knows about owning and contracts: each figure blank until somebody states it."""

from __future__ import annotations

from typing import Annotated, Literal

from pydantic import Field, StringConstraints, model_validator

from planner.errors import Invalid
from planner.schema.base import Strict

Raid = Literal["raid0", "raid1", "raid5", "raid10"]
Cooling = Literal["air", "liquid"]
FabricKind = Literal["auto", "rails", "front-end"]
Depreciation = Literal["straight_line", "declining_balance"]
CommitmentYears = Literal["1y", "3y"]
Money = Annotated[float, Field(gt=0, le=1e12, allow_inf_nan=False)]
Share = Annotated[float, Field(ge=0, le=1, allow_inf_nan=False)]
ItemName = Annotated[str, StringConstraints(min_length=1, max_length=80, strip_whitespace=True)]


class Ownership(Strict):
    """The buyer's own figures. What stays blank and is not in the catalogs is named as not priced, never zero."""

    unit_prices: dict[ItemName, Money] = Field(
        default_factory=dict,
        description="the buyer's quotes by item of the bill of materials, such as server, rack or qm9700 [USD]",
    )
    residual_share: Share = Field(0.0, description="value left after the horizon over the purchase price [-]")
    installation_share: Share | None = Field(
        None, description="installation, freight and duty over the price of the goods [-]"
    )
    maintenance_share_per_year: Share | None = Field(
        None, description="support contract over the purchase price; absent: the catalog's assumption [1/a]"
    )
    staff_usd_per_year: Money | None = Field(None, description="people, fixed [USD/a]")
    staff_usd_per_rack_year: Money | None = Field(None, description="people, per rack [USD/a]")
    licence_usd_per_gpu_year: Money | None = Field(None, description="software licences per accelerator [USD/a]")
    transit_usd_per_month: Money | None = Field(None, description="network transit [USD/month]")
    demand_charge_usd_per_kw_month: Money | None = Field(
        None, description="price of the month's highest power at the meter [USD/kW/month]"
    )
    carbon_price_usd_per_tonne: Money | None = Field(None, description="price of emissions [USD/t CO2e]")
    storage_usd_per_gb_month: Money | None = Field(
        None, description="cloud volume that holds the weights [USD/GB/month]"
    )
    egress_usd_per_month: Money | None = Field(None, description="traffic leaving the cloud [USD/month]")
    tax_rate: Annotated[float, Field(ge=0, lt=1)] | None = Field(
        None, description="tax on profit; absent: no taxes in the cash flow [-]"
    )
    depreciation: Depreciation = Field("straight_line", description="how the books write off a purchase")
    commitment_discounts: dict[CommitmentYears, Annotated[float, Field(gt=0, lt=1)]] = Field(
        default_factory=dict, description="the buyer's discount off on-demand by years of commitment [-]"
    )
    apis: tuple[ItemName, ...] = Field(
        (), description="hosted APIs to compare with, as provider/model; empty: those of the same LLM"
    )
    load_profile: ItemName | None = Field(
        None, description="rate profile of the catalogs that the load follows; absent: constant"
    )
    host: ItemName | None = Field(None, description="host processor; absent: as sold with these accelerators")
    drive: ItemName | None = Field(None, description="drive for the weights; absent: the fastest that is sourced")
    raid: Raid = Field("raid1", description="how the drives of a server share the weights")
    fabric: FabricKind = Field(
        "auto", description="rails: a port per accelerator; auto: rails where a replica spans servers"
    )
    cooling: Cooling = Field("air", description="of the racks")
    rack_kw: Annotated[float, Field(gt=0, le=1000)] | None = Field(
        None, description="power that one rack may draw; absent: as the catalogs say for its cooling [kW]"
    )
    currency: Annotated[str, StringConstraints(pattern=r"^[A-Z]{3}$")] = Field(
        "USD", description="currency of the totals, ISO 4217"
    )
    usd_per_currency_unit: Money | None = Field(
        None, description="exchange rate of that currency, needed where it is not USD [USD]"
    )

    @model_validator(mode="after")
    def _currency_has_a_rate(self) -> Ownership:
        if self.currency != "USD" and self.usd_per_currency_unit is None:
            raise Invalid(
                "currency {currency} has no exchange rate: give ownership.usd_per_currency_unit, such as "
                "1.08 for EUR, or leave currency out",
                currency=self.currency,
            )
        return self
