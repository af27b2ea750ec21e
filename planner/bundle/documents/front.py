"""The gateway and the correctness probe as pods: the files of `gateway/` and `health/`, run in the cluster."""

from __future__ import annotations

from planner.bundle.documents import gateway, operation, probe
from planner.bundle.documents.draft import Draft, Files
from planner.bundle.documents.naming import Document, labels, metadata, selector
from planner.bundle.documents.pods import restricted
from planner.bundle.documents.subject import Subject
from planner.bundle.documents.yaml import kustomization, to_yaml

FOLDER = "k8s/addons/gateway"
HAPROXY = "haproxy:2.6.12"  # the version that the configuration is tested with
PYTHON = "python:3.13.5-slim-bookworm"
COPIES = 2
USER = 65532  # of no one


def write(draft: Draft) -> Files:
    """Two copies of the gateway with their budget, one probe, and the Service that users ask."""
    subject = draft.subject
    program = {name.rpartition("/")[2]: str(content) for name, content in probe.write(draft).items()}
    objects = {
        "gateway-config.yaml": _config(subject, "gateway", {"haproxy.cfg": gateway.haproxy_cfg(subject)}),
        "gateway.yaml": _gateway(subject),
        "gateway-service.yaml": _service(subject),
        "gateway-budget.yaml": _budget(subject),
        "probe-config.yaml": _config(subject, "probe", program),
        "probe.yaml": _probe(subject),
        "gateway-pods.yaml": _head(subject, "gateway", gateway.METRICS_PORT),
        "probe-pods.yaml": _head(subject, "probe", probe.METRICS_PORT),
    }
    files = {**objects, "kustomization.yaml": kustomization(list(objects))}
    return {f"{FOLDER}/{name}": to_yaml(body) for name, body in files.items()}


def _config(subject: Subject, component: str, data: dict[str, str]) -> Document:
    return {
        "apiVersion": "v1",
        "kind": "ConfigMap",
        "metadata": metadata(subject, f"{subject.name}-{component}", component),
        "data": data,
    }


def _gateway(subject: Subject) -> Document:
    container = {
        "name": "haproxy",
        "image": HAPROXY,
        "args": ["haproxy", "-W", "-db", "-f", "/etc/gateway/haproxy.cfg"],
        "ports": [
            {"name": "http", "containerPort": gateway.PORT},
            {"name": "metrics", "containerPort": gateway.METRICS_PORT},
        ],
        "resources": {"requests": {"cpu": "1", "memory": "1Gi"}},
        # It lives while it answers metrics; it is ready once a replica is.
        "startupProbe": {"tcpSocket": {"port": "metrics"}, "periodSeconds": 2, "failureThreshold": 30},
        "readinessProbe": {"httpGet": {"path": "/health", "port": "http"}, "periodSeconds": 5},
        "livenessProbe": {"tcpSocket": {"port": "metrics"}, "periodSeconds": 10},
        "lifecycle": {"preStop": {"exec": {"command": ["sleep", str(subject.drain_s)]}}},
        "volumeMounts": [{"name": "config", "mountPath": "/etc/gateway", "readOnly": True}],
        "securityContext": {**restricted(), "readOnlyRootFilesystem": True},
    }
    return _deployment(subject, "gateway", COPIES, container)


def _probe(subject: Subject) -> Document:
    port = subject.engine.port
    urls = [f"http://{host}:{port}" for host in operation.operate(subject).hosts]
    check = {"httpGet": {"path": "/health", "port": "metrics"}}
    container = {
        "name": "probe",
        "image": PYTHON,
        "command": ["python3", "/etc/probe/probe.py"],
        "args": [f"--listen=0.0.0.0:{probe.METRICS_PORT}", *urls],
        "ports": [{"name": "metrics", "containerPort": probe.METRICS_PORT}],
        "resources": {"requests": {"cpu": "50m", "memory": "64Mi"}, "limits": {"memory": "128Mi"}},
        "startupProbe": {**check, "periodSeconds": 2, "failureThreshold": 15},
        "readinessProbe": {**check, "periodSeconds": 10},
        "livenessProbe": {**check, "periodSeconds": 30},
        "volumeMounts": [{"name": "config", "mountPath": "/etc/probe", "readOnly": True}],
        "securityContext": {**restricted(), "readOnlyRootFilesystem": True},
    }
    return _deployment(subject, "probe", 1, container)


def _deployment(subject: Subject, component: str, copies: int, container: Document) -> Document:
    user = {"runAsNonRoot": True, "runAsUser": USER, "runAsGroup": USER}
    name = f"{subject.name}-{component}"
    chosen = selector(subject, component)
    spread = {
        "maxSkew": 1,
        "topologyKey": "kubernetes.io/hostname",
        "whenUnsatisfiable": "ScheduleAnyway",
        "labelSelector": {"matchLabels": chosen},
    }
    drains = "lifecycle" in container
    pod = {
        "automountServiceAccountToken": False,
        "terminationGracePeriodSeconds": subject.drain_s + 30 if drains else 10,
        "securityContext": {**user, "seccompProfile": {"type": "RuntimeDefault"}},
        "topologySpreadConstraints": [spread],
        "containers": [container],
        "volumes": [{"name": "config", "configMap": {"name": name}}],
    }
    return {
        "apiVersion": "apps/v1",
        "kind": "Deployment",
        "metadata": metadata(subject, name, component),
        "spec": {
            "replicas": copies,
            "selector": {"matchLabels": chosen},
            "template": {"metadata": {"labels": labels(subject, component)}, "spec": pod},
        },
    }


def _service(subject: Subject) -> Document:
    return {
        "apiVersion": "v1",
        "kind": "Service",
        "metadata": metadata(subject, f"{subject.name}-gateway", "gateway"),
        "spec": {
            "type": "ClusterIP",
            "selector": selector(subject, "gateway"),
            "ports": [{"name": "http", "port": 80, "targetPort": "http"}],
        },
    }


def _head(subject: Subject, component: str, port: int) -> Document:
    """Addresses of all pods, ready or not: what Prometheus reads when it has no operator."""
    return {
        "apiVersion": "v1",
        "kind": "Service",
        "metadata": metadata(subject, f"{subject.name}-{component}-pods", component),
        "spec": {
            "clusterIP": "None",
            "publishNotReadyAddresses": True,
            "selector": selector(subject, component),
            "ports": [{"name": "metrics", "port": port, "targetPort": "metrics"}],
        },
    }


def _budget(subject: Subject) -> Document:
    return {
        "apiVersion": "policy/v1",
        "kind": "PodDisruptionBudget",
        "metadata": metadata(subject, f"{subject.name}-gateway", "gateway"),
        "spec": {"maxUnavailable": 1, "selector": {"matchLabels": selector(subject, "gateway")}},
    }
