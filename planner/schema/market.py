"""Prices that come in: a user's quotes, and what a refresh would change."""

from __future__ import annotations

import re
from typing import Annotated, Literal

from pydantic import AfterValidator, BaseModel, ConfigDict, Field, StringConstraints, field_validator, model_validator

from planner.errors import Invalid
from planner.schema.base import NonNegative, Positive, Strict, Text, earliest_day

_NAME = re.compile(r"[A-Za-z0-9][A-Za-z0-9 .,&'()+_-]*")


def _seller(value: str) -> str:
    if not _NAME.fullmatch(value):
        raise Invalid("a name has letters of A to Z, digits, spaces and . , & ' ( ) + - _, a letter or digit first")
    return value


Seller = Annotated[str, StringConstraints(max_length=64), AfterValidator(_seller)]
QuoteTerm = Literal["on_demand", "spot", "reserved_1y", "rental_3y", "purchase"]


class Quote(Strict):
    """One row of a user's own quotes. Rent is per hour for all accelerators of the row, a purchase per accelerator."""

    accelerator: Text = Field(description="accelerator id or synonym")
    accelerators: int = Field(1, ge=1, le=512, description="accelerators that the price is for [-]")
    term: QuoteTerm = Field(description="how it is bought")
    price: Positive = Field(description="per hour, or per accelerator for a purchase, in `currency`")
    currency: Annotated[str, StringConstraints(pattern=r"^[A-Z]{3}$")] = Field("USD", description="ISO 4217")
    usd_per_unit: Positive | None = Field(None, description="exchange rate of a currency other than USD [USD]")
    provider: Seller = Field(description="who quotes")
    region: str = Field("", description="region; blank: anywhere")
    source: Text = Field(description="offer number or document")
    source_date: str = Field(pattern=r"^\d{4}-\d{2}-\d{2}$", description="date of the offer, YYYY-MM-DD")
    notes: str = Field("", description="conditions")

    @field_validator("source_date")
    @classmethod
    def _is_a_date(cls, value: str) -> str:
        earliest_day(value)
        return value

    @model_validator(mode="after")
    def _has_a_rate(self) -> Quote:
        if self.currency != "USD" and self.usd_per_unit is None:
            raise Invalid(
                "a price in {currency} needs usd_per_unit, US dollars for one {currency}", currency=self.currency
            )
        if self.term == "purchase" and self.accelerators != 1:
            raise Invalid("a purchase is quoted per accelerator: leave accelerators out")
        return self

    @property
    def provider_id(self) -> str:
        """The provider as catalogs write it: `ACME Cloud` is `acme-cloud`."""
        return re.sub(r"[^a-z0-9.+]+", "-", self.provider.lower()).strip("-")

    @property
    def price_usd(self) -> float:
        """The price in US dollars."""
        return self.price * (self.usd_per_unit or 1.0)


Place = Annotated[str, StringConstraints(pattern=r"^[A-Za-z0-9][A-Za-z0-9_-]*$", max_length=64)]


class SkyPilotRow(BaseModel):
    """One instance with accelerators in a vms.csv of SkyPilot's catalog; other columns differ between its versions."""

    model_config = ConfigDict(extra="ignore", frozen=True, str_strip_whitespace=True, defer_build=True)

    instance_type: Text = Field(alias="InstanceType", description="the cloud's name of the shape")
    accelerators: Positive = Field(alias="AcceleratorCount", description="accelerators of the instance [-]")
    price: NonNegative | None = Field(None, alias="Price", description="on demand, whole instance [USD/h]")
    spot: NonNegative | None = Field(None, alias="SpotPrice", description="Spot, whole instance [USD/h]")
    region: Place = Field(alias="Region", description="region")
    zone: Place | Literal[""] = Field("", alias="AvailabilityZone", description="zone of the Spot price")


class PriceChange(Strict):
    """One price that differs from the catalogs, or that they do not have."""

    kind: Literal["changed", "new", "held back"] = Field(description="held back: a jump that looks like an error")
    provider: str
    item: str = Field(description="instance type, or what is purchased")
    region: str
    term: str
    before_usd: float | None
    before_date: str
    after_usd: float
    relative: float | None = Field(description="change over before [-]")


class Refresh(Strict):
    """What a refresh found, and whether it was written."""

    sources: tuple[str, ...] = Field(description="what was read, with its version")
    failed: tuple[str, ...] = Field(description="providers that could not be read")
    changes: tuple[PriceChange, ...]
    confirmed: int = Field(description="prices that are as they were; their dates move on")
    left_out: dict[str, int] = Field(description="prices that were not taken, by reason")
    not_seen: int = Field(
        description="prices of the providers that were read, which no longer appear; they stay, dated"
    )
    written: bool
