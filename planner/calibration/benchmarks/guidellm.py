"""Reports of GuideLLM: benchmarks.json, one entry per load, `metadata.version` names its shape.

Its "time_per_output_token_ms" counts the first token, its "inter_token_latency_ms" does not: the latter is TPOT here.
"""

from __future__ import annotations

from collections.abc import Mapping
from datetime import UTC, datetime
from typing import Any

from planner.calibration.benchmarks.run import (
    Kind,
    Latency,
    Reader,
    Run,
    closed_or_burst,
    figure,
    latency,
    needed,
    table,
    throughput,
    tokens,
    words,
)
from planner.errors import Message, WorkloadError

TOOL = "guidellm"
SCHEMAS = (1, 2)
VERSIONS = "benchmarks.json of report version 1 or 2 (GuideLLM 0.5 to 0.8)"
MOST = 1000


def recognises(data: Mapping[str, Any]) -> bool:
    """A list of benchmarks, with the report's metadata, or as older versions wrote it without."""
    benchmarks = data.get("benchmarks")
    if not isinstance(benchmarks, list):
        return False
    entries = [entry for entry in benchmarks if isinstance(entry, Mapping)]
    return "guidellm_version" in table(data, "metadata") or any("metrics" in entry for entry in entries)


def read(data: Mapping[str, Any], where: str) -> list[Run]:
    """Each benchmark of a report as a run.

    Raises
    ------
    WorkloadError
        For another report version, an empty report, or figures that cannot be.
    """
    metadata = table(data, "metadata")
    version = metadata.get("version")
    if isinstance(version, bool) or version not in SCHEMAS:
        shown = words(str(version)[:40]) if version is not None else Message("missing")
        raise WorkloadError(
            "{where}: report version {shown}.\n  Read of {tool}: {versions}.",
            where=where,
            shown=shown,
            tool=TOOL,
            versions=VERSIONS,
        )
    entries = data["benchmarks"]
    if not entries or len(entries) > MOST:
        raise WorkloadError(
            "{where}: {count} benchmarks; 1 to {most} are read.", where=where, count=len(entries), most=MOST
        )
    label, model = words(metadata.get("guidellm_version")) or f"report version {version}", _model(data)
    return [_run(entry, f"{where}, benchmark {number}", label, model) for number, entry in enumerate(entries, 1)]


def _run(entry: object, where: str, version: str, model: str) -> Run:
    if not isinstance(entry, Mapping):
        raise WorkloadError("{where}: is not an object.", where=where)
    metrics = table(entry, "metrics")
    completed = int(needed(table(metrics, "request_totals"), "successful", f"{where}, request_totals", 0, 1e9))
    if not completed:
        raise WorkloadError("{where}: no request was completed.", where=where)
    kind, load = _load(table(table(entry, "config"), "strategy"), where, completed)
    return Run(
        tool=TOOL,
        version=version,
        kind=kind,
        load=load,
        input_tokens=tokens(_successful(metrics, "prompt_token_count"), "mean", f"{where}, prompt_token_count"),
        output_tokens=tokens(_successful(metrics, "output_token_count"), "mean", f"{where}, output_token_count"),
        ttft=_latency(metrics, "time_to_first_token_ms", "ttft", where),
        tpot=_latency(metrics, "inter_token_latency_ms", "tpot", where),
        itl=Latency(),
        output_tokens_per_s=throughput(
            _successful(metrics, "output_tokens_per_second"), "mean", f"{where}, output_tokens_per_second"
        ),
        completed=completed,
        model=model,
        date=_date(entry.get("start_time")),
    )


def _successful(metrics: Mapping[str, Any], name: str) -> Mapping[str, Any]:
    return table(table(metrics, name), "successful")


def _latency(metrics: Mapping[str, Any], name: str, metric: str, where: str) -> Latency:
    found = _successful(metrics, name)
    flat = {**found, "p99": table(found, "percentiles").get("p99")}
    return latency(flat, ("mean", "median", "p99"), metric, f"{where}, {name}")


def _load(strategy: Mapping[str, Any], where: str, completed: int) -> tuple[Kind, float]:
    type_ = words(strategy.get("type_")) or words(strategy.get("kind"))
    if type_ == "synchronous":
        return "closed", 1.0
    if type_ == "concurrent":
        return closed_or_burst(needed(strategy, "streams", where, 1, 1e6), completed)
    if type_ == "throughput":
        users = figure(strategy, "max_concurrency", where, 1, 1e6)
        return closed_or_burst(users, completed) if users else ("saturated", float("inf"))
    if type_ in ("constant", "poisson"):
        return "open", needed(strategy, "rate", where, 1e-9, 1e6)
    known = "synchronous, concurrent, throughput, constant, poisson"
    raise WorkloadError(
        "{where}: its strategy is {kind}; read are {known}.", where=where, kind=type_ or Message("missing"), known=known
    )


def _model(data: Mapping[str, Any]) -> str:
    """Report version 1 keeps the arguments under `args`, version 2 under `config.spec.backend`."""
    backend = table(table(table(data, "config"), "spec"), "backend")
    return words(table(data, "args").get("model")) or words(backend.get("model"))


def _date(start: object) -> str:
    """Day of a time in seconds since 1970; empty where it was never set."""
    if isinstance(start, bool) or not isinstance(start, int | float) or not 0 < start < 1e11:
        return ""
    return datetime.fromtimestamp(start, UTC).date().isoformat()


READER = Reader(TOOL, VERSIONS, recognises, read)
