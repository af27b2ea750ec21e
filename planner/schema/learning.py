"""What `planner calibrate` answers."""

from __future__ import annotations

from typing import Literal

from pydantic import Field

from planner.schema.base import Strict


class BenchmarkSource(Strict):
    """A file of the user's."""

    name: str = Field(description="name of the file, without its folder")
    sha256: str = Field(description="hash of its bytes")
    tool: str = Field(description="benchmark tool that wrote it")
    version: str = Field(description="version mark in the file, or the keys that it was recognised by")
    model: str = Field(description="model as the tool wrote it; empty if it wrote none")
    date: str = Field(description="day of the run; of the file where the tool wrote none")
    runs: int = Field(description="loads in the file")


class LearnedPoint(Strict):
    """One measured figure, predicted before and after; SI."""

    file: str
    kind: str = Field(description="closed, saturated, burst or open load")
    load: float | None = Field(description="users, requests at once or requests per second; null when saturated")
    input_tokens: float = Field(description="mean prompt [token]")
    output_tokens: float = Field(description="mean answer [token]")
    metric: str = Field(description="tpot, ttft [s] or output [token/s]")
    statistic: str = Field(description="mean or p50")
    measured: float
    before: float | None = Field(description="predicted with the catalog; null where there is no prediction")
    after: float | None = Field(description="predicted with the fitted scalars")
    reason: str = Field(description="why the point did not count; empty where it did")


class LearnedScalar(Strict):
    """One fitted scalar."""

    name: str
    scope: str = Field(description="accelerator|llm|engine that it holds for")
    meaning: str
    before: float = Field(description="the catalog's value, the centre of the prior")
    after: float
    n: int = Field(description="points that it was fitted on")


class LearnedScore(Strict):
    """Mean absolute relative errors of one metric."""

    metric: str
    n: int
    before: float
    after: float
    left_out: float | None = Field(description="each load predicted by a fit of the others; null with fewer than three")


class Doubt(Strict):
    """A figure of one run that cannot be true of the set-up."""

    file: str
    load: float = Field(description="users")
    what: Literal["bandwidth", "arithmetic", "throughput"] = Field(
        description="bandwidth [B/s] or arithmetic [FLOP/s] of one accelerator; throughput [token/s] against latencies"
    )
    needed: float = Field(description="what the run would have taken; for throughput, what it states")
    available: float = Field(description="the datasheet's figure; for throughput, users over the stated latencies")


class Calibrated(Strict):
    """Everything that `planner calibrate` answers."""

    catalog_sha256: str
    setup: dict[str, str | int] = Field(description="what the figures were measured on")
    files: tuple[BenchmarkSource, ...]
    points: tuple[LearnedPoint, ...]
    scalars: tuple[LearnedScalar, ...]
    scores: tuple[LearnedScore, ...]
    doubts: tuple[Doubt, ...] = Field((), description="figures that the named set-up cannot have produced")
    out: str | None = Field(description="file that was written; null if none was asked for")
