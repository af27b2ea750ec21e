"""Kueue, where several teams share the accelerators: a queue with exactly the quota of the plan."""

from __future__ import annotations

from planner.bundle.documents.draft import Draft, Files
from planner.bundle.documents.naming import (
    Document,
    gpu_resource,
    metadata,
    workload_api,
    workload_kind,
    workload_name,
)
from planner.bundle.documents.pods import HOST_MEMORY_GB_PER_GPU, THREADS_PER_PROCESS
from planner.bundle.documents.subject import Pool, Subject
from planner.bundle.documents.yaml import kustomization, to_yaml, to_yaml_list

FOLDER = "k8s/addons/kueue"
API = "kueue.x-k8s.io/v1beta2"


def write(draft: Draft) -> Files:
    """The base with a queue's label, and the queue."""
    subject = draft.subject
    objects = {
        "resource-flavor.yaml": _flavor(subject),
        "cluster-queue.yaml": cluster_queue(draft),
        "local-queue.yaml": _local_queue(subject),
    }
    files = {f"{FOLDER}/{name}": to_yaml(body) for name, body in objects.items()}
    label = [{"op": "add", "path": "/metadata/labels/kueue.x-k8s.io~1queue-name", "value": subject.name}]
    files[f"{FOLDER}/queue-label.yaml"] = to_yaml_list(label)
    patches = [{"path": "queue-label.yaml", "target": _target(subject, pool)} for pool in subject.pools]
    files[f"{FOLDER}/kustomization.yaml"] = to_yaml(kustomization(["../../base", *objects], patches=patches))
    return files


def cluster_queue(draft: Draft) -> Document:
    """Quota of the fleet, no more: accelerators of the plan and the host's share that its pods request."""
    subject = draft.subject
    pods = [(start, start.pool.replicas * start.pool.nodes) for start in draft.starts]
    gpus = sum(start.pool.gpus_per_node * count for start, count in pods)
    cpu = sum(THREADS_PER_PROCESS * start.leader.processes * count for start, count in pods)
    quotas = {
        "cpu": str(cpu),
        "memory": f"{HOST_MEMORY_GB_PER_GPU * gpus}G",
        gpu_resource(subject): str(gpus),
    }
    flavor = {
        "name": subject.name,
        "resources": [{"name": name, "nominalQuota": amount} for name, amount in quotas.items()],
    }
    return {
        "apiVersion": API,
        "kind": "ClusterQueue",
        "metadata": metadata(subject, subject.name),
        "spec": {
            "namespaceSelector": {},
            "resourceGroups": [{"coveredResources": list(quotas), "flavors": [flavor]}],
            "preemption": {"withinClusterQueue": "LowerPriority"},
        },
    }


def _flavor(subject: Subject) -> Document:
    """Servers with the accelerators; their taint is tolerated by the pods already."""
    return {"apiVersion": API, "kind": "ResourceFlavor", "metadata": metadata(subject, subject.name)}


def _local_queue(subject: Subject) -> Document:
    return {
        "apiVersion": API,
        "kind": "LocalQueue",
        "metadata": metadata(subject, subject.name),
        "spec": {"clusterQueue": subject.name},
    }


def _target(subject: Subject, pool: Pool) -> Document:
    return {
        "group": workload_api(pool).partition("/")[0],
        "kind": workload_kind(pool),
        "name": workload_name(subject, pool),
    }
