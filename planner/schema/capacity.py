"""What `planner capacity` answers. JSON keys are a contract: more may be added, these stay."""

from __future__ import annotations

from pydantic import Field

from planner.schema.base import Strict
from planner.schema.workload import Workload


class ReplicaRate(Strict):
    """Largest rate of one replica within the promise, over seeds."""

    median: float = Field(description="[1/s]")
    low: float = Field(description="of the worst seed; 0 where it breaks the promise at any rate [1/s]")
    high: float = Field(description="of the best seed [1/s]")


class PlanCapacity(Strict):
    """One plan under one trace."""

    rank: int = Field(description="rank of the plan")
    title: str
    trace: str
    replicas_planned: int
    rate_per_s: ReplicaRate = Field(description="largest mean rate that one replica holds within the promise")
    replicas: int | None = Field(
        description="replicas that hold the asked rate over the headroom at the lowest of them; null: no number does"
    )
    limit: str = Field(description="99th percentile that breaks first in most seeds: ttft, tpot or e2e")
    poisson_ratio: float | None = Field(
        description="what it would hold of the same requests at independent times, over the median; null: nothing held"
    )


class Capacity(Strict):
    """Largest rates of plans under traces, over seeds."""

    workload: Workload
    catalog_sha256: str
    seeds: int = Field(description="seed 0 is the trace as recorded, others draw minutes of it anew")
    simulations: int = Field(description="searches for a largest rate")
    plans: tuple[PlanCapacity, ...]
    wall_s: float
