"""Catalog rows: recorded requests, rates over time and lengths that ship with the planner."""

from __future__ import annotations

from typing import Annotated, Literal

from pydantic import Field, StringConstraints

from planner.schema.base import Count, Positive, Sourced, Text
from planner.schema.workload import Arrivals


class HeldRate(Sourced):
    """How much of a trace one replica holds, by how its times come about: what assuming them costs."""

    trace: Text = Field(description="whose rate, lengths and times")
    arrivals: Arrivals = Field(description="times: as recorded, drawn as bursty, or Poisson")
    rate_per_s: Positive = Field(description="largest mean rate within the promise; mean over seeds [1/s]")
    low_per_s: Positive = Field(description="least of any seed [1/s]")
    high_per_s: Positive = Field(description="largest of any seed [1/s]")
    seeds: Count = Field(description="seeds; recorded times need one")
    ttft_p99_s: Positive = Field(description="promised 99th percentile of the time to first token [s]")
    tpot_p99_s: Positive = Field(description="promised 99th percentile of the time per output token [s]")
    replica: Text = Field(description="what serves")


class TraceFile(Sourced):
    """A file of `catalogs/traces/`: numbers only, no text of any request."""

    name: Text = Field(description="what it is")
    file: Annotated[str, StringConstraints(pattern=r"^[a-z0-9.-]+\.gz$")] = Field(description="file in `traces/`")
    kind: Literal["requests", "rates", "lengths"] = Field(
        description="requests: times and lengths; rates: requests per second in steps of time; lengths: pairs"
    )
    origin: Literal["recorded", "resampled", "synthetic"] = Field(
        description="recorded: every request as it came; resampled: drawn from published statistics; "
        "synthetic: made by its authors"
    )
    licence: Text = Field(description="licence of the data")
    credit: Text = Field(description="whom to credit, and what was changed")
    rows: Count = Field(description="requests, steps or pairs")
    duration_s: Positive | None = Field(None, description="from the first to the last request, or of all steps [s]")
    rate_per_s: Positive | None = Field(None, description="mean rate [1/s]")
    step_s: Positive | None = Field(None, description="length of a step of rates [s]")
    block_tokens: Count | None = Field(None, description="tokens per prefix block, where blocks are named [token]")
    sha256: Annotated[str, StringConstraints(pattern=r"^[0-9a-f]{64}$")] = Field(description="checksum of the file")
