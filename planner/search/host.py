"""Weights in host memory: which host a question names, and what fits there."""

from __future__ import annotations

import re

from planner.catalog import Catalog
from planner.errors import Message, MissingFact, WorkloadError
from planner.models.offload import By, Offload, Part, host_weight_bytes
from planner.models.shape import LlmShape
from planner.schema import Cpu, OffloadAnswer
from planner.search.question import Question, Resolved
from planner.units import GB

MOST_SOCKETS = 8


def place_in_host(
    catalog: Catalog, q: Question, found: Resolved, shape: LlmShape, width: float
) -> tuple[Offload, OffloadAnswer]:
    """What lies in host memory and how fast it is reached; times of the answer are set once the layout runs.

    Parameters
    ----------
    width : bytes per parameter of the offloaded weights. [B]

    Raises
    ------
    UnknownName, WorkloadError, MissingFact
        For words, a host or a memory that cannot be.
    """
    part, by, share = _words(q, shape)
    if q.pp > 1:
        raise WorkloadError(
            "--offload with --pp {pp}: not modelled, as stages would share one host. Use --pp 1.", pp=q.pp
        )
    cpu = catalog.cpus[_host(catalog, q)]
    assert cpu.memory_bytes_per_s is not None
    links = catalog.accelerators[found.accelerator].pcie_bytes_per_s * q.gpus
    away = Offload(
        part,
        by,
        share,
        width,
        q.sockets * cpu.memory_bytes_per_s * catalog.parameter("host_memory_efficiency").value,
        q.sockets * cpu.cores * catalog.parameter("host_flops_per_s_per_core", cpu.architecture.split()[0]).value,
        links * catalog.parameter("pcie_copy_efficiency").value,
    )
    return away, _host_memory(catalog, q, cpu, away, host_weight_bytes(shape, away))


def _host(catalog: Catalog, q: Question) -> str:
    """Processor of the host, with the facts that offload needs."""
    if not q.host:
        raise WorkloadError(
            "--offload needs the host's processor.\n  Give --host, such as xeon-platinum-8480; "
            "list them: planner catalog ls cpus"
        )
    if not 1 <= q.sockets <= MOST_SOCKETS:
        raise WorkloadError(
            "--sockets {sockets}: give a whole number from 1 to {most_sockets}.",
            sockets=q.sockets,
            most_sockets=MOST_SOCKETS,
        )
    if q.host_memory_gb is not None and not 0 < q.host_memory_gb <= 1e6:
        raise WorkloadError(
            "--host-memory-gb {host_memory_gb:g}: give a size above 0 and up to 1,000,000.",
            host_memory_gb=q.host_memory_gb,
        )
    id = catalog.cpu_id(q.host, "--host")
    for field in ("memory_bytes_per_s", "memory_channels"):
        if getattr(catalog.cpus[id], field) is None:
            raise MissingFact(id, field, Message("offload"), Message("Add it with its source to catalogs/cpus.csv."))
    return id


def _host_memory(catalog: Catalog, q: Question, cpu: Cpu, away: Offload, stored: float) -> OffloadAnswer:
    """What the host's memory holds; refuses what it cannot."""
    assert cpu.memory_channels is not None
    copies = max(q.sockets * catalog.parameter("host_copies_per_socket").value, 1.0) if away.by == "cpu" else 1.0
    channels = q.sockets * cpu.memory_channels
    given = None if q.host_memory_gb is None else q.host_memory_gb * GB
    room = channels * catalog.parameter("host_bytes_per_channel").value if given is None else given
    if stored * copies > room:
        raise WorkloadError(
            "--offload {offload}: {stored:,.0f} GB of weights x {copies:g} copies exceed the "
            "{room:,.0f} GB of {sockets} x {cpu}.\n"
            "  Raise --host-memory-gb, choose narrower --weights, or offload a smaller share.",
            offload=q.offload,
            stored=stored / GB,
            copies=copies,
            room=room / GB,
            sockets=q.sockets,
            cpu=cpu.id,
        )
    slowest = away.host_bytes_per_s if away.by == "cpu" else min(away.host_bytes_per_s, away.pcie_bytes_per_s)
    return OffloadAnswer(
        part=away.part,
        by=away.by,
        share=away.share,
        host=cpu.id,
        sockets=q.sockets,
        weights_bytes=stored,
        needed_bytes=stored * copies,
        memory_bytes=room,
        host_bytes_per_s=slowest,
        step_s=0.0,  # known once the layout runs
        host_s=0.0,
    )


def _words(q: Question, shape: LlmShape) -> tuple[Part, By, float]:
    """Part, means and share of `experts:cpu`, `experts:pcie:0.5`, `layers:pcie:0.25`."""
    words = str(q.offload).split(":")
    allowed = ("experts:cpu", "experts:pcie", "layers:pcie")
    share = _number(words[2]) if len(words) == 3 else 1.0
    if len(words) not in (2, 3) or ":".join(words[:2]) not in allowed or share is None or not 0 < share <= 1:
        raise WorkloadError(
            "--offload {offload}: give {allowed} or {last}, with a share above 0 and up to 1 behind "
            "a colon where it is not all, such as experts:cpu:0.5.",
            offload=q.offload,
            allowed=", ".join(allowed[:-1]),
            last=allowed[-1],
        )
    if words[0] == "experts" and not shape.experts:
        raise WorkloadError(
            "--offload {offload}: {llm} has no routed experts. Use layers:pcie:SHARE.", offload=q.offload, llm=q.llm
        )
    part: Part = "experts" if words[0] == "experts" else "layers"
    return part, "cpu" if words[1] == "cpu" else "pcie", share


def _number(text: str) -> float | None:
    return float(text) if re.fullmatch(r"[0-9]{1,3}(\.[0-9]{1,9})?|\.[0-9]{1,9}", text) else None
