"""Variants of the base: drained within a Spot server's notice; on reserved servers only, with the whole drain."""

from __future__ import annotations

from collections.abc import Callable

from planner.bundle.documents.draft import Draft, Files
from planner.bundle.documents.naming import Document, workload_api, workload_kind, workload_name
from planner.bundle.documents.subject import Pool, Subject
from planner.bundle.documents.yaml import kustomization, to_yaml, to_yaml_list

SPOT, RESERVED = "k8s/overlays/spot", "k8s/overlays/reserved"
NOTICE_S = 120  # that clouds give before they take a Spot server back (AWS; others give less)
STOP_S = 15  # of it for the engine's own shutdown, and as much for the notice to arrive
CAPACITY = "karpenter.sh/capacity-type"

Change = Callable[[Subject, str], list[Document]]


def write(draft: Draft) -> Files:
    """Two folders for `kubectl apply -k`."""
    subject = draft.subject
    return {**_overlay(subject, SPOT, _spot), **_overlay(subject, RESERVED, _reserved)}


def spot_drain_s(subject: Subject) -> int:
    """Wait before the engine stops on a server that is taken back: what the notice leaves. [s]"""
    return min(subject.drain_s, NOTICE_S - 2 * STOP_S)


def _overlay(subject: Subject, folder: str, change: Change) -> dict[str, str]:
    files: dict[str, str] = {}
    patches = []
    for pool in subject.pools:
        name = f"{pool.role}.yaml"
        changes = [step for base in _templates(pool) for step in change(subject, base)]
        files[f"{folder}/{name}"] = to_yaml_list(changes)
        target = {
            "group": workload_api(pool).partition("/")[0],
            "kind": workload_kind(pool),
            "name": workload_name(subject, pool),
        }
        patches.append({"path": name, "target": target})
    files[f"{folder}/kustomization.yaml"] = to_yaml(kustomization(["../../base"], patches=patches))
    return files


def _templates(pool: Pool) -> list[str]:
    """Paths of the pod specifications of a workload."""
    if pool.nodes == 1:
        return ["/spec/template/spec"]
    return [f"/spec/leaderWorkerTemplate/{kind}Template/spec" for kind in ("leader", "worker")]


def _spot(subject: Subject, base: str) -> list[Document]:
    """An end within the notice; answers that it is too short for are asked again by the gateway or the client."""
    grace_s = spot_drain_s(subject) + STOP_S
    changes: list[Document] = [{"op": "replace", "path": f"{base}/terminationGracePeriodSeconds", "value": grace_s}]
    if "/workerTemplate/" not in base:
        path = f"{base}/containers/0/lifecycle/preStop/exec/command"
        changes.append({"op": "replace", "path": path, "value": ["sleep", str(spot_drain_s(subject))]})
    return changes


def _reserved(subject: Subject, base: str) -> list[Document]:
    """Only on reserved servers."""
    return [{"op": "add", "path": f"{base}/nodeSelector", "value": {CAPACITY: "reserved"}}]
