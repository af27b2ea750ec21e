"""Percentiles of times, and how far they lie apart."""

from __future__ import annotations

from typing import Literal

from pydantic import Field

from planner.schema.base import Strict

Range = tuple[float, float]


class Percentiles(Strict):
    """Of a time that every request has."""

    p50: float = Field(description="median [s]")
    p90: float = Field(description="90th percentile [s]")
    p99: float = Field(description="99th percentile [s]")


class Spread(Strict):
    """How far the 99th percentiles lie apart between equal parts of the traffic."""

    parts: int = Field(description="parts with requests")
    kind: Literal["blocks", "seeds"] = Field(description="blocks: parts of the time; seeds: runs of their own")
    ttft_p99_s: Range
    tpot_p99_s: Range | None
    e2e_p99_s: Range
