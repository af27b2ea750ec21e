"""Variants of the base, each a folder of JSON patches: how servers are bought, where weights lie, which network."""

from __future__ import annotations

from collections.abc import Callable, Mapping

from planner.bundle.documents import storage
from planner.bundle.documents.draft import Draft, Files
from planner.bundle.documents.engine import Start
from planner.bundle.documents.naming import Document, workload_api, workload_kind, workload_name
from planner.bundle.documents.pods import USERS, template_paths
from planner.bundle.documents.subject import Subject
from planner.bundle.documents.yaml import kustomization, to_yaml, to_yaml_list

FOLDER = "k8s/overlays"
NOTICE_S = 120  # that clouds give before they take a Spot server back (AWS; others give less)
STOP_S = 15  # of it for the engine's own shutdown, and as much for the notice to arrive
CAPACITY = "karpenter.sh/capacity-type"
# Name in the examples of NVIDIA's Network Operator (docs.nvidia.com, RDMA shared device plugin); a cluster has its own.
RDMA = "rdma/rdma_shared_device_a"

Change = Callable[[Subject, Start], list[Document]]


def write(draft: Draft) -> Files:
    """Folders for `kubectl apply -k`."""
    subject = draft.subject
    shared = storage.shared_objects(subject)
    files = {
        **_overlay(draft, "spot", _spot),
        **_overlay(draft, "reserved", _reserved),
        **_overlay(draft, "shared-weights", storage.shared, shared),
        **_overlay(draft, "local-weights", storage.local),
    }
    return files | _overlay(draft, "rdma", _rdma) if crosses_servers(subject) else files


def crosses_servers(subject: Subject) -> bool:
    """The accelerators' own network between servers is part of the plan."""
    return subject.apart or any(pool.nodes > 1 for pool in subject.pools)


def spot_drain_s(subject: Subject) -> int:
    """Wait before the engine stops on a server that is taken back: what the notice leaves. [s]"""
    return min(subject.drain_s, NOTICE_S - 2 * STOP_S)


def _overlay(draft: Draft, name: str, change: Change, more: Mapping[str, Document] | None = None) -> dict[str, str]:
    subject, folder, objects = draft.subject, f"{FOLDER}/{name}", more or {}
    files = {f"{folder}/{file}": to_yaml(body) for file, body in objects.items()}
    patches = []
    for start in draft.starts:
        pool = start.pool
        file = f"{pool.role}.yaml"
        files[f"{folder}/{file}"] = to_yaml_list(change(subject, start))
        target = {
            "group": workload_api(pool).partition("/")[0],
            "kind": workload_kind(pool),
            "name": workload_name(subject, pool),
        }
        patches.append({"path": file, "target": target})
    files[f"{folder}/kustomization.yaml"] = to_yaml(kustomization(["../../base", *objects], patches=patches))
    return files


def _spot(subject: Subject, start: Start) -> list[Document]:
    """An end within the notice; answers that it is too short for are asked again by the gateway or the client."""
    grace_s, changes = spot_drain_s(subject) + STOP_S, []
    for base in template_paths(start.pool):
        changes.append({"op": "replace", "path": f"{base}/terminationGracePeriodSeconds", "value": grace_s})
        if "/workerTemplate/" not in base:
            path = f"{base}/containers/0/lifecycle/preStop/exec/command"
            changes.append({"op": "replace", "path": path, "value": ["sleep", str(spot_drain_s(subject))]})
    return changes


def _reserved(subject: Subject, start: Start) -> list[Document]:
    """Only on reserved servers."""
    return [
        {"op": "add", "path": f"{base}/nodeSelector", "value": {CAPACITY: "reserved"}}
        for base in template_paths(start.pool)
    ]


def _rdma(subject: Subject, start: Start) -> list[Document]:
    """One share of the servers' RDMA devices for each pod.

    Memory is locked for them: the hosts' limit covers engines of a plain user, root needs the capability, too.
    """
    changes: list[Document] = []
    key = RDMA.replace("/", "~1")
    for base in template_paths(start.pool):
        engine = f"{base}/containers/0"
        for kind in ("requests", "limits"):
            changes.append({"op": "add", "path": f"{engine}/resources/{kind}/{key}", "value": 1})
        if subject.plan.engine not in USERS:
            kept = [*start.leader.capabilities, "IPC_LOCK"]
            changes.append({"op": "add", "path": f"{engine}/securityContext/capabilities/add", "value": kept})
    return changes
