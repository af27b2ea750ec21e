"""The degraded backup as Kubernetes objects: a smaller LLM under the fleet's name, on an accelerator of its own."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

from planner.bundle.documents import engine, kubernetes, operation
from planner.bundle.documents.backup import Backup
from planner.bundle.documents.draft import Draft, Files
from planner.bundle.documents.subject import Subject
from planner.bundle.documents.yaml import to_yaml
from planner.bundle.finding import BACKUP
from planner.models.memory import weight_bytes
from planner.schema import Layout
from planner.search.loading import Storage, start_of
from planner.shapes import llm_shape

GPUS = 1


def write(draft: Draft) -> Files:
    """The same objects as of a fleet, and the engine's arguments; nothing where there is no smaller LLM."""
    if draft.spare is None:
        return {}
    subject = substitute(draft, draft.spare)
    starts = engine.starts(subject)
    objects = {f"{BACKUP}{name}": to_yaml(body) for name, body in kubernetes.manifests(subject, starts).items()}
    told = [replace(start, leader=replace(start.leader, stem=f"{start.leader.stem}-backup")) for start in starts]
    return {**objects, **engine.write(told)}


def told(draft: Draft) -> dict[str, Any] | None:
    """What the bundle records of it; None where there is none."""
    if draft.spare is None:
        return None
    subject = substitute(draft, draft.spare)
    return {
        "llm": draft.spare.llm,
        "model": subject.model,
        "accelerator": subject.plan.accelerator,
        "gpus": GPUS,
        "requests_per_s": draft.spare.requests_per_s,
        "concurrency": draft.spare.concurrency,
        "max_context_tokens": draft.spare.context_tokens,
        "load_time_s": subject.load_time_s,
    }


def substitute(draft: Draft, spare: Backup) -> Subject:
    """The backup as a fleet of one."""
    fleet, row = draft.subject, draft.catalog.llms[spare.llm]
    bytes_ = weight_bytes(llm_shape(spare.llm, row), row.weights)
    loading = start_of(draft.catalog, fleet.plan.accelerator, bytes_, GPUS, Storage(), warm_node=True)
    layout = Layout(
        weights=row.weights,
        kv="bf16",
        tp=1,
        pp=1,
        dp=1,
        ep=1,
        max_sequences=spare.concurrency,
        max_batched_tokens=fleet.plan.layout.max_batched_tokens,
        max_context_tokens=spare.context_tokens,
    )
    one = {"gpus_per_replica": GPUS, "nodes_per_replica": 1, "replicas": 1, "spares": 0, "gpus_total": GPUS}
    plan = fleet.plan.model_copy(
        update={**one, "title": f"{row.name} as backup", "llm": spare.llm, "layout": layout, "pools": ()}
    )
    return replace(
        fleet,
        plan=plan,
        llm=row,
        name=operation.operate(fleet).backup_host,
        published=True,
        checkpoint_bytes=bytes_,
        load_time_s=loading.start.seconds,
        stands_for=operation.served_name(fleet),
    )
