"""Results of `vllm bench serve --save-result`. The file has no version mark: its keys tell it."""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import Any

from planner.calibration.benchmarks.run import (
    Kind,
    Reader,
    Run,
    closed_or_burst,
    day,
    figure,
    latency,
    needed,
    throughput,
    words,
)
from planner.errors import WorkloadError

TOOL = "vllm bench serve"
VERSIONS = "vLLM 0.11 to 0.30, --save-result or --append-result"
NEEDED = ("completed", "request_throughput", "total_input_tokens", "total_output_tokens", "output_throughput")
SERVED = 0.95  # below this share of the asked rate, the limit of concurrency holds the rate


def recognises(data: Mapping[str, Any]) -> bool:
    """Does a document name a model and a back end the way this tool does?"""
    return "model_id" in data and "num_prompts" in data and ("endpoint_type" in data or "backend" in data)


def read(data: Mapping[str, Any], where: str) -> list[Run]:
    """One document, one run.

    Raises
    ------
    WorkloadError
        For keys of another version, and for runs whose load cannot be predicted.
    """
    missing = [key for key in NEEDED if data.get(key) is None]
    if missing:
        raise WorkloadError(
            "{where}: lacks {missing}.\n  Read of {tool}: {versions}.",
            where=where,
            missing=", ".join(missing),
            tool=TOOL,
            versions=VERSIONS,
        )
    _refuse_unmodelled(data, where)
    completed = int(needed(data, "completed", where, 0, 1e9))
    if not completed:
        raise WorkloadError("{where}: no request was completed.", where=where)
    kind, load = _load(data, where, completed)
    return [
        Run(
            tool=TOOL,
            version="keys of vLLM 0.11 to 0.30",
            kind=kind,
            load=load,
            input_tokens=max(needed(data, "total_input_tokens", where, 0, 1e13) / completed, 1.0),
            output_tokens=max(needed(data, "total_output_tokens", where, 0, 1e13) / completed, 1.0),
            ttft=latency(data, _keys("ttft"), "ttft", where),
            tpot=latency(data, _keys("tpot"), "tpot", where),
            itl=latency(data, _keys("itl"), "tpot", where),
            output_tokens_per_s=throughput(data, "output_throughput", where),
            completed=completed,
            model=words(data.get("model_id")),
            date=_date(data.get("date")),
        )
    ]


def _keys(metric: str) -> tuple[str, str, str]:
    return f"mean_{metric}_ms", f"median_{metric}_ms", f"p99_{metric}_ms"


def _refuse_unmodelled(data: Mapping[str, Any], where: str) -> None:
    if data.get("ramp_up_strategy") is not None:
        raise WorkloadError("{where}: its rate ramps up; a run at one load is read.", where=where)
    if data.get("spec_decode_acceptance_length") is not None:
        raise WorkloadError("{where}: its server decodes speculatively, which the model does not predict.", where=where)


def _load(data: Mapping[str, Any], where: str, completed: int) -> tuple[Kind, float]:
    """A limit of concurrency that holds the rate is a number of users; without either, all come at once."""
    users = figure(data, "max_concurrency", where, 1, 1e6)
    rate = None if data.get("request_rate") == "inf" else figure(data, "request_rate", where, 1e-9, 1e6)
    if rate is None:
        return closed_or_burst(users, completed) if users else ("burst", float(completed))
    served = needed(data, "request_throughput", where, 0, 1e9)
    if users and served < SERVED * rate:
        return closed_or_burst(users, completed)
    return "open", rate


def _date(value: object) -> str:
    found = re.match(r"(20\d\d)(\d\d)(\d\d)-\d{6}$", words(value), re.ASCII)
    return day("-".join(found.groups())) if found else ""


READER = Reader(TOOL, VERSIONS, recognises, read)
