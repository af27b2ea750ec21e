"""Results of NVIDIA AIPerf: profile_export_aiperf.json, whose `schema_version` names its shape.

Its "inter_token_latency" is (latency - TTFT) / (tokens - 1) of each request: TPOT here; its "inter_chunk_latency"
is the gap between two chunks.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from planner.calibration.benchmarks.run import (
    Kind,
    Latency,
    Reader,
    Run,
    closed_or_burst,
    day,
    figure,
    latency,
    needed,
    table,
    throughput,
    tokens,
    words,
)
from planner.errors import Message, WorkloadError

TOOL = "aiperf"
SCHEMAS = ("1.0", "1.1", "1.2", "1.3", "1.4", "1.5")
VERSIONS = f"profile_export_aiperf.json of schema {SCHEMAS[0]} to {SCHEMAS[-1]} (AIPerf 0.3 to 0.13)"
STATISTICS = ("avg", "p50", "p99")
SECONDS = {"s": 1.0, "sec": 1.0, "seconds": 1.0, "ms": 1e-3, "us": 1e-6, "µs": 1e-6, "ns": 1e-9}
RATES = ("poisson", "gamma", "constant")


def recognises(data: Mapping[str, Any]) -> bool:
    """Does a document carry AIPerf's own mark?"""
    return "aiperf_version" in data or ("schema_version" in data and "input_config" in data)


def read(data: Mapping[str, Any], where: str) -> list[Run]:
    """One document, one run.

    Raises
    ------
    WorkloadError
        For another schema, a cancelled run, or figures that cannot be.
    """
    schema = words(data.get("schema_version"))
    if schema not in SCHEMAS:
        raise WorkloadError(
            "{where}: schema_version {version}.\n  Read of {tool}: {versions}.",
            where=where,
            version=schema or Message("missing"),
            tool=TOOL,
            versions=VERSIONS,
        )
    if data.get("was_cancelled") is True:
        raise WorkloadError("{where}: the run was cancelled.", where=where)
    completed = int(needed(table(data, "request_count"), "avg", f"{where}, request_count", 0, 1e9))
    if not completed:
        raise WorkloadError("{where}: no request was completed.", where=where)
    kind, load = _load(table(data, "input_config"), where, completed)
    return [
        Run(
            tool=TOOL,
            version=words(data.get("aiperf_version")) or f"schema {schema}",
            kind=kind,
            load=load,
            input_tokens=tokens(table(data, "input_sequence_length"), "avg", f"{where}, input_sequence_length"),
            output_tokens=tokens(table(data, "output_sequence_length"), "avg", f"{where}, output_sequence_length"),
            ttft=_latency(data, "time_to_first_token", "ttft", where),
            tpot=_latency(data, "inter_token_latency", "tpot", where),
            itl=_latency(data, "inter_chunk_latency", "tpot", where),
            output_tokens_per_s=_rate(data, where),
            completed=completed,
            model=_model(table(data, "input_config")),
            date=day(data.get("start_time")),
        )
    ]


def _latency(data: Mapping[str, Any], name: str, metric: str, where: str) -> Latency:
    """A latency in the unit that stands beside it."""
    block = table(data, name)
    if not block:
        return Latency()
    unit = words(block.get("unit"))
    if unit not in SECONDS:
        raise WorkloadError(
            "{where}: {name} is in {unit}; read are {seconds}.",
            where=where,
            name=name,
            unit=unit or Message("no unit"),
            seconds=", ".join(SECONDS),
        )
    return latency(block, STATISTICS, metric, f"{where}, {name}", SECONDS[unit])


def _rate(data: Mapping[str, Any], where: str) -> float | None:
    block = table(data, "output_token_throughput")
    if not block:
        return None
    unit = words(block.get("unit"))
    if unit not in ("tokens/sec", "tokens/s"):
        raise WorkloadError(
            "{where}: output_token_throughput is in {unit}; tokens/sec is read.",
            where=where,
            unit=unit or Message("no unit"),
        )
    return throughput(block, "avg", f"{where}, output_token_throughput")


def _load(config: Mapping[str, Any], where: str, completed: int) -> tuple[Kind, float]:
    """Load of the measured phase; older versions keep it under `loadgen`."""
    phase = _phase(config, where)
    if phase is None:
        old = table(config, "loadgen")
        return _rate_or_users(old, "request_rate", where, completed)
    type_ = words(phase.get("type"))
    if type_ == "concurrency":
        return closed_or_burst(figure(phase, "concurrency", where, 1, 1e6) or 1.0, completed)
    if type_ not in RATES or phase.get("rate_series") is not None:
        known = ", ".join(("concurrency", *RATES))
        raise WorkloadError(
            "{where}: its load is of type {kind}; read are {known}.",
            where=where,
            kind=type_ or Message("unknown"),
            known=known,
        )
    return _rate_or_users(phase, "rate", where, completed)


def _phase(config: Mapping[str, Any], where: str) -> Mapping[str, Any] | None:
    phases = config.get("phases")
    if not isinstance(phases, list):
        return None
    measured = [p for p in phases if isinstance(p, Mapping) and not _warmup(p)]
    if len(measured) != 1:
        raise WorkloadError(
            "{where}: {count} measured phases; a run at one load is read.", where=where, count=len(measured)
        )
    return measured[0]


def _warmup(phase: Mapping[str, Any]) -> bool:
    return phase.get("exclude_from_results") is True or "warmup" in (phase.get("kind"), phase.get("name"))


def _rate_or_users(load: Mapping[str, Any], rate_key: str, where: str, completed: int) -> tuple[Kind, float]:
    rate = figure(load, rate_key, where, 1e-9, 1e6)
    if rate is not None:
        return "open", rate
    users = figure(load, "concurrency", where, 1, 1e6)
    if users is None:
        raise WorkloadError("{where}: input_config names neither a concurrency nor a rate.", where=where)
    return closed_or_burst(users, completed)


def _model(config: Mapping[str, Any]) -> str:
    """First model: `models.items[].name`, in older versions `endpoint.model_names`."""
    items = table(config, "models").get("items")
    if isinstance(items, list) and items and isinstance(items[0], Mapping):
        return words(items[0].get("name"))
    names = table(config, "endpoint").get("model_names")
    return words(names[0]) if isinstance(names, list) and names else ""


READER = Reader(TOOL, VERSIONS, recognises, read)
