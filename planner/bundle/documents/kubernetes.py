"""Kubernetes objects of a fleet: its pools, what leads to them, and what protects them."""

from __future__ import annotations

from collections.abc import Sequence

from planner.bundle.documents.engine import Start
from planner.bundle.documents.naming import (
    MONITORING,
    Document,
    family,
    head_name,
    labels,
    metadata,
    selector,
    workload_api,
    workload_kind,
    workload_name,
)
from planner.bundle.documents.pods import template, weights_claim
from planner.bundle.documents.router import router
from planner.bundle.documents.subject import Pool, Subject
from planner.bundle.documents.yaml import to_yaml

PRIORITY = 1_000_000  # above batch work, far below the system's own classes


def write(subject: Subject, starts: Sequence[Start]) -> dict[str, str]:
    """Files of `k8s/base`."""
    return {f"k8s/base/{name}": to_yaml(body) for name, body in manifests(subject, starts).items()}


def manifests(subject: Subject, starts: Sequence[Start]) -> dict[str, Document]:
    """Objects of `k8s/base` by file name, the kustomization last.

    Raises
    ------
    PlannerError, MissingFact
        For an accelerator that no device plugin is known for, or without an image of the engine.
    """
    objects: dict[str, Document] = {}
    for start in starts:
        objects |= _pool(subject, start)
    objects["service.yaml"] = service(subject)
    if subject.apart:
        objects["router.yaml"] = router(subject)
        objects["router-budget.yaml"] = budget(subject, f"{subject.name}-router", "router", 1)
    for start in starts:
        if start.leader.options:
            objects["engine-options.yaml"] = engine_options(subject, start)
    objects |= {
        "service-account.yaml": service_account(subject),
        "priority-class.yaml": priority_class(subject),
        "network-policy.yaml": network_policy(subject),
    }
    kustomization = {
        "apiVersion": "kustomize.config.k8s.io/v1beta1",
        "kind": "Kustomization",
        "resources": list(objects),
    }
    return {**objects, "kustomization.yaml": kustomization}


def _pool(subject: Subject, start: Start) -> dict[str, Document]:
    """One pool: its workload, its budget, and the names of its pods."""
    pool = start.pool
    kind = workload_kind(pool).lower()
    begin = prefix(pool)
    made = {f"{begin}{kind}.yaml": workload(subject, start)}
    if pool.nodes == 1:
        made[f"{begin}service-pods.yaml"] = _service(
            subject, head_name(subject, pool), pool.role, {"clusterIP": "None", "publishNotReadyAddresses": True}
        )
    free = max(subject.plan.spares * pool.replicas // subject.pods, 1)
    made[f"{begin}disruption-budget.yaml"] = budget(subject, workload_name(subject, pool), pool.role, free)
    if pool.nodes > 1:  # whoever takes a follower takes its leader, too
        made[f"{begin}disruption-budget.yaml"]["spec"]["selector"] = _either(subject, pool.role)
    return made


def prefix(pool: Pool) -> str:
    """What the names of a pool's files begin with."""
    return "" if pool.role == "serve" else f"{pool.role}-"


def _either(subject: Subject, role: str) -> Document:
    both = {"key": "app.kubernetes.io/component", "operator": "In", "values": [role, f"{role}-worker"]}
    return {"matchLabels": family(subject), "matchExpressions": [both]}


def workload(subject: Subject, start: Start) -> Document:
    """A StatefulSet of pods, or a LeaderWorkerSet of groups."""
    pool = start.pool
    make = _stateful_set if start.worker is None else _leader_worker_set
    return {
        "apiVersion": workload_api(pool),
        "kind": workload_kind(pool),
        "metadata": metadata(subject, workload_name(subject, pool), pool.role),
        "spec": make(subject, start),
    }


def _stateful_set(subject: Subject, start: Start) -> Document:
    """Replicas and spares, each a pod with all accelerators of one engine and its own weights."""
    pool = start.pool
    return {
        "serviceName": head_name(subject, pool),
        "replicas": pool.replicas,
        "podManagementPolicy": "Parallel",  # replicas do not wait for each other
        "selector": {"matchLabels": selector(subject, pool.role)},
        "template": template(subject, start, start.leader, pool.role),
        "volumeClaimTemplates": [weights_claim(subject)],
    }


def _leader_worker_set(subject: Subject, start: Start) -> Document:
    """Groups of servers; an engine that loses one has lost them all, so they start again together."""
    pool = start.pool
    assert start.worker is not None
    return {
        "replicas": pool.replicas,
        "startupPolicy": "LeaderCreated",
        "rolloutStrategy": {
            "type": "RollingUpdate",
            "rollingUpdateConfiguration": {"maxUnavailable": max(subject.plan.spares, 1), "maxSurge": 0},
        },
        "leaderWorkerTemplate": {
            "size": pool.nodes,
            "restartPolicy": "RecreateGroupOnPodRestart",
            "leaderTemplate": template(subject, start, start.leader, pool.role),
            "workerTemplate": template(subject, start, start.worker, f"{pool.role}-worker"),
            "volumeClaimTemplates": [weights_claim(subject)],
        },
    }


def service(subject: Subject) -> Document:
    """One address for the fleet; only ready engines, or routers, are behind it."""
    return _service(subject, subject.name, "router" if subject.apart else "serve", {"type": "ClusterIP"})


def budget(subject: Subject, name: str, component: str, free: int) -> Document:
    """Drains may take as many replicas as are spare; one at a time where none is, or no drain would ever end."""
    return {
        "apiVersion": "policy/v1",
        "kind": "PodDisruptionBudget",
        "metadata": metadata(subject, name, component),
        "spec": {"maxUnavailable": free, "selector": {"matchLabels": selector(subject, component)}},
    }


def engine_options(subject: Subject, start: Start) -> Document:
    """The engine's options file as a ConfigMap."""
    return {
        "apiVersion": "v1",
        "kind": "ConfigMap",
        "metadata": metadata(subject, f"{subject.name}-engine", start.pool.role),
        "data": {f"{start.leader.stem}.yaml": to_yaml(start.leader.options)},
    }


def service_account(subject: Subject) -> Document:
    """An identity without rights: nothing in the fleet talks to the cluster."""
    return {
        "apiVersion": "v1",
        "kind": "ServiceAccount",
        "metadata": metadata(subject, subject.name),
        "automountServiceAccountToken": False,
    }


def priority_class(subject: Subject) -> Document:
    """Serving goes before batch work on the same accelerators."""
    return {
        "apiVersion": "scheduling.k8s.io/v1",
        "kind": "PriorityClass",
        "metadata": metadata(subject, f"{subject.name}-serving"),
        "value": PRIORITY,
        "globalDefault": False,
        "description": "Pods that answer users; batch work on the same accelerators yields to them.",
    }


def network_policy(subject: Subject) -> Document:
    """Engines hear this namespace, metrics of the monitoring one and each other; they ask names and HTTPS.

    The gateway is not bound by it: who may ask it is the operator's to say.
    """
    own = {"podSelector": {"matchLabels": family(subject)}}
    front = {"key": "app.kubernetes.io/component", "operator": "NotIn", "values": ["gateway", "probe"]}
    monitoring = {"namespaceSelector": {"matchLabels": {"kubernetes.io/metadata.name": MONITORING}}}
    names = [{"protocol": protocol, "port": 53} for protocol in ("UDP", "TCP")]
    return {
        "apiVersion": "networking.k8s.io/v1",
        "kind": "NetworkPolicy",
        "metadata": metadata(subject, subject.name),
        "spec": {
            "podSelector": {"matchLabels": family(subject), "matchExpressions": [front]},
            "policyTypes": ["Ingress", "Egress"],
            "ingress": [
                {"from": [{"podSelector": {}}, monitoring], "ports": [{"protocol": "TCP", "port": "http"}]},
                {"from": [own]},
            ],
            "egress": [
                {"to": [own]},
                {"ports": names},
                {"ports": [{"protocol": "TCP", "port": 443}]},
            ],
        },
    }


def _service(subject: Subject, name: str, component: str, kind: Document) -> Document:
    return {
        "apiVersion": "v1",
        "kind": "Service",
        "metadata": {"name": name, "labels": labels(subject, component)},
        "spec": {
            **kind,
            "selector": selector(subject, component),
            "ports": [{"name": "http", "port": subject.engine.port, "targetPort": "http"}],
        },
    }
