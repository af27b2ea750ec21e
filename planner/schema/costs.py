"""What `planner cost` answers: the bill of materials, what each way to obtain the plan costs, and unit costs."""

from __future__ import annotations

from typing import Literal

from pydantic import Field

from planner.schema.base import Strict
from planner.schema.workload import SupplyOption

Role = Literal[
    "server", "accelerator", "cpu", "memory", "drive", "nic", "leaf", "spine", "server_link", "switch_link", "rack",
    "installation",
]  # fmt: skip
LineName = Literal[
    "rent", "capital", "maintenance", "energy", "demand", "colocation", "licences", "staff", "transit", "carbon",
    "storage", "egress", "on_demand_fallback",
]  # fmt: skip


class Unpriced(Strict):
    """Something that costs money and has no sourced price: it is in no total."""

    what: str = Field(description="item or line")
    field: str = Field(description="workload field that prices it")


class BillItem(Strict):
    """One line of the bill of materials, for the whole fleet."""

    role: Role = Field(description="what it is for")
    item: str = Field(description="catalog id or name")
    name: str = Field(description="name for people")
    quantity: int = Field(description="pieces")
    spare: int = Field(description="of these, for the availability target")
    unit_usd: float | None = Field(description="price of one; null: not sourced or inside the server [USD]")
    unit_usd_low: float | None = Field(description="lowest sourced price [USD]")
    unit_usd_high: float | None = Field(description="highest sourced price [USD]")
    total_usd: float | None = Field(description="quantity x unit price [USD]")
    included: bool = Field(description="its price is inside the server's")
    unit_power_w: float | None = Field(description="power of one; null: not sourced [W]")
    source: str = Field(description="source of the price; of the part where it is inside the server's")
    source_date: str = Field(description="date of that source")
    confidence: str = Field(description="high, medium or low")
    stale: bool = Field(description="price older than 180 days on the day of the catalogs")
    why: dict[str, float | str] = Field(description="numbers behind the quantity")


class HostDesign(Strict):
    """What one server needs besides its accelerators, and what it gets."""

    cpu: str | None = Field(description="host processor; null: none is sourced with these accelerators")
    sockets: int = Field(description="processors per server")
    cores_needed: int = Field(description="for engine processes, tokenisation and scheduling")
    cores: int | None = Field(description="of the server")
    memory_needed_bytes: float = Field(description="weights staged and the engine's own [B]")
    memory_bytes: float | None = Field(description="modules x their size [B]")
    memory_channels: int | None = Field(description="of the server, all filled")
    memory_bytes_per_s: float | None = Field(description="all channels together [B/s]")
    drive: str = Field(description="drive for the weights")
    drives: int = Field(description="per server")
    raid: str = Field(description="how they share the weights")
    stored_bytes: float = Field(description="weights of a server with room to replace them [B]")
    array_bytes: float = Field(description="usable capacity [B]")
    array_read_bytes_per_s: float = Field(description="behind the host's PCIe generation [B/s]")
    load_time_s: float = Field(description="weights through the slowest stage, then engine start [s]")
    load_bound: Literal["storage", "loader", "staging", "pcie"] = Field(description="what the weights wait for")
    survives_a_drive: bool = Field(description="the array still reads after one drive failed")


class Bill(Strict):
    """Bill of materials of a plan, as if it were owned."""

    servers: int
    spare_servers: int
    host: HostDesign
    fabric: Literal["rails", "front-end"]
    racks: int
    rack_w: float = Field(description="power that one rack may draw [W]")
    cooling: str
    provisioned_w: float = Field(description="IT power to provide for, fabric optics included [W]")
    items: tuple[BillItem, ...]
    capital_usd: float | None = Field(description="sum of what is priced; null where the servers are not [USD]")
    capital_usd_low: float | None
    capital_usd_high: float | None
    unpriced: tuple[Unpriced, ...] = Field(description="in no total")


class CostLine(Strict):
    """One part of a month's cost."""

    name: LineName
    usd_per_month: float
    source: str = Field(description="where its price comes from, with the date")
    stale: bool = Field(False, description="its price is older than 180 days")


class WayCost(Strict):
    """One way to obtain the plan."""

    option: SupplyOption
    term: str = Field(description="term of the price")
    provider: str
    instance_type: str
    region: str = Field(description="region, or zone for Spot")
    units: int = Field(description="instances or servers, spares included")
    accelerators: int = Field(description="of all units")
    replicas: int
    spares: int
    usd_per_hour: float | None = Field(description="price of one unit; null for owned servers [USD/h]")
    source: str
    source_date: str
    confidence: str
    stale: bool = Field(description="older than 180 days on the day of the catalogs")
    indicative: bool = Field(description="no such price is sourced: on-demand less a dated indicative discount")
    availability: float | None = Field(description="share of time in which enough replicas are there [-]")
    meets_availability: bool
    lines: tuple[CostLine, ...]
    usd_per_month: float = Field(description="all lines; a purchase as its annuity [USD/month]")
    capital_usd: float = Field(description="paid at the start [USD]")
    residual_usd: float = Field(description="left at the end [USD]")
    running_usd_per_month: float = Field(description="paid each month [USD/month]")
    total_usd: float = Field(description="all payments of the horizon, not discounted, residual off [USD]")
    npv_usd: float = Field(description="the same today, after tax where a tax rate is given [USD]")
    usd_per_gpu_hour: float = Field(description="month over accelerator-hours [USD/h]")
    kg_co2e_per_month: float | None = Field(description="emissions of owned servers; null: not sourced or rented [kg]")


class UnitCost(Strict):
    """Cost of tokens and requests at one rate; input and output share it by the replica time that each takes."""

    requests_per_s: float = Field(description="of the fleet [1/s]")
    utilisation: float = Field(description="of what the serving replicas hold within the promise [-]")
    usd_per_million_output_tokens: float = Field(description="everything over output tokens [USD/1e6]")
    usd_per_million_input_tokens_split: float = Field(description="share of prompts over input tokens [USD/1e6]")
    usd_per_million_output_tokens_split: float = Field(description="share of answers over output tokens [USD/1e6]")
    usd_per_request: float = Field(description="[USD]")


class ApiBreakEven(Strict):
    """A hosted API against the plan."""

    provider: str
    model: str
    input_usd_per_million_tokens: float = Field(description="uncached, over the day's prices as the load falls")
    output_usd_per_million_tokens: float = Field(description="over the day's prices as the load falls")
    time_of_day: bool = Field(description="it has peak and off-peak prices")
    usd_per_request: float = Field(description="this workload's prompt, cached share and answer [USD]")
    usd_per_month: float = Field(description="at the real load [USD/month]")
    requests_per_day: float | None = Field(
        description="load at which both cost the same; null: the plan costs more however full it is [1/d]"
    )
    output_tokens_per_day: float | None = Field(description="the same in output tokens [1/d]")
    load_factor: float | None = Field(description="the same over what the fleet holds within the promise [-]")
    source: str
    source_date: str
    stale: bool = Field(description="older than 180 days on the day of the catalogs")


class CloudBreakEven(Strict):
    """Owning against one cloud price of the same fleet."""

    provider: str
    term: str
    region: str
    month: float | None = Field(description="at which owning has cost less in all; null: not within the horizon")
    load_factor: float | None = Field(
        description="share of hours for which on-demand may run before owning costs less; null: owning costs more"
    )
    stale: bool = Field(description="the cloud's price is older than 180 days")


class SloStep(Strict):
    """What a tighter or looser promise costs on the same accelerator, bought in the same way."""

    metric: Literal["ttft_p99_s", "tpot_p99_s", "e2e_p99_s", "availability"]
    limit_s: float | None = Field(description="99th percentile promised; null for an availability [s]")
    availability: float | None = Field(None, description="share of time promised, where that is the step [-]")
    replicas: int | None = Field(description="serving replicas; null: nothing keeps this promise")
    accelerators: int | None = Field(description="spares included")
    usd_per_month: float | None = Field(description="whole fleet [USD/month]")
    usd_per_request: float | None = Field(description="of the whole fleet at the real load [USD]")
    usd_per_request_full: float | None = Field(
        description="of the plan's layout as full as the promise allows, without the steps of whole replicas; null: it "
        "cannot keep this promise [USD]"
    )


class CostAnswer(Strict):
    """Everything that `planner cost` answers about one plan."""

    workload_name: str
    plan: str = Field(description="title of the plan")
    rank: int
    accelerator: str
    catalog_as_of: str
    catalog_sha256: str
    horizon_years: float
    discount_rate: float
    currency: str
    usd_per_currency_unit: float = Field(description="1 for USD")
    bill: Bill
    ways: tuple[WayCost, ...] = Field(description="cheapest first; those that miss the availability target last")
    planned: int = Field(description="position in ways of what the plan was ranked with; -1: not among them")
    unpriced: tuple[Unpriced, ...] = Field(description="in no total of owning")
    unpriced_rent: tuple[Unpriced, ...] = Field((), description="in no total of renting")
    commitments_asked: tuple[str, ...] = Field(description="years for which no discount is sourced or stated")
    unit: UnitCost = Field(description="at the real load")
    unit_full: UnitCost = Field(description="as full as the promise allows")
    prompt_share: float = Field(description="share of a full replica's time that prompts take [-]")
    apis: tuple[ApiBreakEven, ...]
    clouds: tuple[CloudBreakEven, ...]
    slo_steps: tuple[SloStep, ...]
