"""The Prometheus operator's objects: which pods are read, and the alerts of `monitoring/`."""

from __future__ import annotations

from planner.bundle.documents import monitoring, naming
from planner.bundle.documents.draft import Draft, Files
from planner.bundle.documents.metrics import ENGINE_METRICS
from planner.bundle.documents.naming import Document, metadata
from planner.bundle.documents.subject import Subject
from planner.bundle.documents.yaml import kustomization, to_yaml

FOLDER = "k8s/addons/monitoring"


def write(draft: Draft) -> Files:
    """Pod monitors of engines, gateway and probe, and the rules."""
    subject = draft.subject
    roles = [pool.role for pool in subject.pools]
    objects = {"engines.yaml": _monitor(subject, "engines", roles, "http", _path(subject))}
    for name in ("gateway", "probe"):
        objects[f"{name}.yaml"] = _monitor(subject, name, [name], "metrics", "/metrics")
    objects["rules.yaml"] = _rules(subject)
    files = {**objects, "kustomization.yaml": kustomization(list(objects))}
    return {f"{FOLDER}/{name}": to_yaml(body) for name, body in files.items()}


def _rules(subject: Subject) -> Document:
    """The alerts of monitoring/rules.yml as the operator reads them."""
    return {
        "apiVersion": "monitoring.coreos.com/v1",
        "kind": "PrometheusRule",
        "metadata": metadata(subject, subject.name),
        "spec": monitoring.rules(subject),
    }


def _path(subject: Subject) -> str:
    known = ENGINE_METRICS.get(subject.plan.engine)
    return known.path if known else "/metrics"


def _monitor(subject: Subject, name: str, components: list[str], port: str, path: str) -> Document:
    one_of = {"key": "app.kubernetes.io/component", "operator": "In", "values": components}
    return {
        "apiVersion": "monitoring.coreos.com/v1",
        "kind": "PodMonitor",
        "metadata": metadata(subject, f"{subject.name}-{name}"),
        "spec": {
            "selector": {"matchLabels": naming.family(subject), "matchExpressions": [one_of]},
            "podMetricsEndpoints": [{"port": port, "path": path, "interval": "15s"}],
        },
    }
