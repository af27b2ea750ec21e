"""Catalog rows: recorded requests, rates over time and lengths that ship with the planner."""

from __future__ import annotations

from typing import Annotated, Literal

from pydantic import Field, StringConstraints

from planner.schema.base import Count, Positive, Sourced, Text


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
