"""What the size of a plan rests on: a simulation of its replicas under a trace."""

from __future__ import annotations

from typing import Literal

from pydantic import Field

from planner.schema.base import Strict
from planner.schema.percentiles import Percentiles, Spread
from planner.schema.workload import RouterName

MOST_MARGIN = 4.0  # margins are not looked for beyond it


class Sizing(Strict):
    """Replicas confirmed by simulation, request by request, at the asked load over the headroom."""

    trace: str = Field(description="recorded requests whose times, lengths and bursts were used")
    arrivals: Literal["trace", "mmpp", "poisson", "users"] = Field(
        description="trace: at the recorded times, scaled to the asked rate; mmpp: drawn as bursty as the trace; "
        "poisson; users: each sends when answered"
    )
    lengths: str = Field(description="recorded; scaled to the asked means; or what they were drawn from")
    router: RouterName = Field(description="how requests are spread over the ranks of all replicas")
    requests: int = Field(description="requests simulated at the asked load, of a part of the ranks")
    replicas: int = Field(description="replicas that keep the promise at the asked load over the headroom")
    replicas_screened: int = Field(description="what closed forms said")
    headroom: float = Field(description="share of the held load that the asked one may be [-]")
    ttft_s: Percentiles = Field(description="at the asked load")
    tpot_s: Percentiles | None = Field(description="the same; null where every answer is one token")
    e2e_s: Percentiles
    spread: Spread = Field(description="99th percentiles over parts of the trace")
    margin: float = Field(
        description="largest load that keeps the promise over the asked one; not looked for beyond 4 [-]"
    )
    limit: Literal["ttft", "tpot", "e2e"] = Field(
        description="99th percentile that stands worst against its promise there"
    )
    left_out: float = Field(description="share of requests longer than the context of the LLM [-]")
    basis: Literal["measured", "calibrated", "roofline"] = Field(description="of the step times")
