"""Catalog rows: dated prices, sites and tariffs."""

from __future__ import annotations

from typing import Annotated, Literal

from pydantic import Field, StringConstraints, model_validator

from planner.errors import Invalid
from planner.schema.base import Count, Fraction, Id, NonNegative, Positive, Sourced, Text

DayHour = Annotated[float, Field(ge=0, le=24)]
Term = Literal["on_demand", "spot", "reserved_1y", "reserved_1y_no_upfront", "rental_3y", "capacity_block"]


class Instance(Sourced):
    """A cloud shape: what one rented unit holds."""

    provider: Id = Field(description="cloud")
    instance_type: Text = Field(description="provider's name of the shape")
    accelerator: Id | None = Field(None, description="accelerator id; blank where the catalog has none")
    accelerator_as_quoted: Text = Field(description="accelerator as the price list writes it")
    accelerators: Positive | None = Field(None, description="accelerators per instance; fractions are shared cards")
    vcpus: Count | None = Field(None, description="virtual CPUs")
    memory_bytes: Positive | None = Field(None, description="host memory [B]")


class Price(Sourced):
    """A dated price of one instance for one hour."""

    provider: Id = Field(description="cloud")
    instance_type: Text = Field(description="provider's name of the shape")
    region: str = Field("", description="region; blank: the source names none")
    zone: str = Field("", description="availability zone, for spot")
    term: Term = Field(description="how it is bought")
    price_usd_per_hour: Positive = Field(description="whole instance [USD/h]")
    price_usd_per_gpu_hour: Positive | None = Field(None, description="per accelerator [USD/h]")
    usable: bool = Field(True, description="false: a placeholder of the source and not an offer; kept, never used")


class OwnedHour(Sourced):
    """Somebody else's published cost of an owned accelerator, to check ours against."""

    accelerator: Id = Field(description="accelerator id")
    owner: Literal["hyperscaler", "neocloud"] = Field(description="whose cost")
    price_usd_per_gpu_hour: Positive = Field(description="cost of ownership [USD/h]")


class Purchase(Sourced):
    """What something costs to buy, per unit."""

    item: Text = Field(description="accelerator id, or what else is bought")
    kind: Literal["accelerator", "server_base", "server", "network", "switch", "link"] = Field(
        description="server_base: an 8-GPU server without its accelerators; network: fabric per accelerator; "
        "link: cable and transceivers at both ends"
    )
    price_usd_low: Positive = Field(description="lowest price seen [USD]")
    price_usd_high: Positive = Field(description="highest price seen [USD]")

    @model_validator(mode="after")
    def _ordered(self) -> Purchase:
        if self.price_usd_low > self.price_usd_high:
            raise Invalid("price_usd_low exceeds price_usd_high")
        return self


class ApiPrice(Sourced):
    """What a hosted API charges."""

    provider: Text = Field(description="API provider")
    model_key: Text = Field(description="provider's model name")
    llm: Id | None = Field(None, description="LLM id where it is the same model")
    input_usd_per_million_tokens: NonNegative = Field(description="uncached input [USD/1e6 tokens]")
    output_usd_per_million_tokens: NonNegative = Field(description="output [USD/1e6 tokens]")
    cached_input_usd_per_million_tokens: NonNegative | None = Field(None, description="cached input [USD/1e6 tokens]")
    max_input_tokens: Count | None = Field(None, description="longest input")
    max_output_tokens: Count | None = Field(None, description="longest output")
    effective_from: str = Field("", description="first day of the price")
    utc_from_h: DayHour | None = Field(None, description="time-of-day price: first hour of the window, UTC [h]")
    utc_until_h: DayHour | None = Field(None, description="time-of-day price: end of the window, UTC [h]")


class Site(Sourced):
    """Where owned hardware stands."""

    id: Id = Field(description="identifier")
    name: Text = Field(description="place")
    electricity_usd_per_kwh: Positive | None = Field(None, description="energy price [USD/kWh]")
    pue: float | None = Field(None, ge=1, le=3, description="facility power / IT power")
    colocation_usd_per_kw_month: Positive | None = Field(
        None, description="space and cooling per provisioned kW [USD/kW/month]"
    )
    colocation_includes_energy: bool | None = Field(None, description="true: energy is inside the colocation price")
    carbon_kg_per_kwh: NonNegative | None = Field(None, description="grid carbon intensity [kg CO2e/kWh]")


class SiteMetric(Sourced):
    """One sourced figure about electricity, cooling, failures or carbon."""

    metric: Annotated[str, StringConstraints(pattern=r"^[a-z][a-z0-9_]*$")] = Field(description="what is measured")
    region: Text = Field(description="where")
    scope: Text = Field(description="what it covers")
    value: Positive = Field(description="the figure, in `unit`")
    unit: Text = Field(description="unit as quoted")
    period: str = Field("", description="when it held")


class Parameter(Sourced):
    """A number that a model needs and that is neither a datasheet fact nor a price."""

    name: Annotated[str, StringConstraints(pattern=r"^[a-z][a-z0-9_]*$")] = Field(
        description="identifier, with its unit as suffix"
    )
    scope: str = Field("", description="blank: everywhere; else an engine, accelerator, architecture or precision")
    value: float = Field(description="SI")
    low: float | None = Field(None, description="low end of what was seen")
    high: float | None = Field(None, description="high end of what was seen")
    kind: Literal["measured", "fitted", "published", "assumed"] = Field(description="what the number is")
    meaning: Text = Field(description="one sentence")
    dataset: str = Field("", description="data set that it was fitted on")
    n: int | None = Field(None, ge=1, description="points that it was fitted on")


class PublishedScore(Sourced):
    """Errors that another tool reaches on public points, to stand beside our own."""

    tool: Text = Field(description="its name")
    headline: str = Field(description="key of the headline score that it compares with")
    n: int | None = Field(None, ge=1, description="points that it was scored on")
    mape: NonNegative = Field(description="mean absolute relative error [-]")
    median_ape: NonNegative = Field(description="median absolute relative error [-]")


class AccuracyGoal(Sourced):
    """Errors that a headline score of the accuracy report should not exceed."""

    headline: str = Field(description="key of the headline score")
    mape: NonNegative = Field(description="mean absolute relative error [-]")
    median_ape: NonNegative = Field(description="median absolute relative error [-]")


class CurveRemark(Sourced):
    """What is known of measurements that predictions miss."""

    curve: Text = Field(description="curve of the measured points")
    version: str = Field("", description="how the engine's version begins; empty: any")
    metric: str = Field("", description="metric; empty: any")
    text: Text = Field(description="evidence, in a sentence")


class SpotRecord(Sourced):
    """Derived availability of one spot pool."""

    pool: Text = Field(description="cloud, zone and accelerator of the record")
    provider: Id = Field(description="cloud")
    zone: Text = Field(description="availability zone; its region without the last letter")
    hardware: Text = Field(description="accelerator and how many per instance, or processor and cores")
    probe: Literal["availability", "preemption"] = Field(
        description="availability: could instances be started; preemption: were those kept running there"
    )
    instances: Count = Field(description="instances asked for at once")
    available_fraction: Fraction = Field(description="share of time in which capacity was there")
    mean_up_hours: Positive | None = Field(None, description="mean length of a run [h]")
    days: Positive = Field(description="length of the record [d]")


class SpotPair(Sourced):
    """How two spot pools come and go together."""

    pool_a: Text = Field(description="one pool of spot.csv")
    pool_b: Text = Field(description="the other")
    correlation: Annotated[float, Field(ge=-1, le=1)] = Field(description="of capacity being there at the same time")
    days: Positive = Field(description="length of the common record [d]")


class SpotAdvice(Sourced):
    """What a cloud itself says about interruptions of a spot instance type."""

    provider: Id = Field(description="cloud")
    region: Text = Field(description="region")
    os: Text = Field(description="operating system")
    instance_type: Text = Field(description="provider's name of the shape")
    monthly_interruption_bucket: Text = Field(description="share of instances interrupted in a month, as printed")
    monthly_interruption_max_fraction: Fraction | None = Field(None, description="upper edge of the bucket")
    savings_vs_on_demand_fraction: float | None = Field(None, description="saving against on-demand on that day")
