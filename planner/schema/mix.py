"""The answer of `planner mix`: how much of a load that varies is owned, committed, on demand and on Spot."""

from __future__ import annotations

from typing import Literal

from pydantic import Field

from planner.schema.base import Strict
from planner.schema.workload import SupplyOption, Workload


class MixLine(Strict):
    """One way of supply and its part of the load."""

    option: SupplyOption
    term: str
    provider: str
    instance_type: str
    region: str
    accelerators_per_unit: int
    units: int = Field(description="bought or committed; on demand and on Spot: most at once")
    accelerators: int
    quota_accelerators: float | None = Field(description="most that may be had; null: no limit was given")
    served_share: float = Field(description="share of the replica-hours that it carries [-]")
    utilisation: float = Field(description="share of its paid capacity that is in use [-]")
    fixed_usd_per_year: float
    variable_usd_per_year: float
    usd_per_unit_hour: float = Field(
        description="price of a unit for an hour of use, or its fixed cost per hour [USD/h]"
    )
    source: str
    source_date: str
    stale: bool = Field(description="older than 180 days on the day of the catalogs")


class FleetLine(Strict):
    """A cost of the fleet as a whole, beside its units."""

    name: Literal["network", "rack", "staff", "transit", "egress"] = Field(description="what it is for")
    region: str = Field(description="site; empty: everywhere")
    usd_per_year: float


class Alternative(Strict):
    """A simple policy, to compare with."""

    name: str = Field(description="identifier")
    usd_per_year: float | None = Field(description="null where it has no price, or quotas forbid it")
    saving: float | None = Field(description="what the mix saves over it, as a share of it [-]")


class Shadow(Strict):
    """What a little more of a limit would be worth."""

    limit: str = Field(description="quota, firm, peak or availability")
    of: str = Field(description="which option, for a quota; the tighter target, for availability")
    usd_per_year: float = Field(
        description="saved by one accelerator more of quota, or one replica less of load [USD/a]"
    )


class MixResult(Strict):
    """Everything that `planner mix` answers."""

    workload: Workload
    plan: str = Field(description="layout that is bought")
    accelerator: str
    load: str = Field(description="load curve")
    hours: int = Field(description="hours of the curve, repeated over the year")
    peak_replicas: int = Field(description="spares included")
    mean_replicas: float
    firm_share: float = Field(description="share of the load that must not depend on Spot [-]")
    firm_rule: str = Field(description="where that share comes from: stated, availability or no spot")
    lines: tuple[MixLine, ...]
    fleet: tuple[FleetLine, ...] = Field((), description="costs beside those of the units: switches, racks, people")
    usd_per_year: float
    usd_per_month: float
    alternatives: tuple[Alternative, ...]
    shadows: tuple[Shadow, ...]
    unpriced: tuple[str, ...] = Field(description="allowed options without a sourced price: left out, not free")
    not_included: tuple[str, ...] = Field((), description="costs of what is bought that are in no total")
    catalog_sha256: str
    wall_s: float
