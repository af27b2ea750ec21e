"""KEDA: as many replicas as the requests ask for, between what must stay and what the plan pays for.

Two figures decide, and the larger answer holds. Running requests: as many per replica as the plan has in service at
the largest load that keeps the promise. Waiting requests: as many as a replica at that load starts within the time
that the promise leaves after the mean time to first token; more wait too long.

References: KEDA docs, "Prometheus" scaler (`ignoreNullValues`) and "ScaledObject specification" (`fallback`).
"""

from __future__ import annotations

import math

from planner.bundle.documents.draft import Draft, Files
from planner.bundle.documents.metrics import ENGINE_METRICS
from planner.bundle.documents.naming import MONITORING, Document, metadata, workload_api, workload_kind, workload_name
from planner.bundle.documents.operation import most_waiting
from planner.bundle.documents.subject import Subject
from planner.bundle.documents.yaml import kustomization, to_yaml

FOLDER = "k8s/addons/keda"
PROMETHEUS = f"http://prometheus-operated.{MONITORING}.svc:9090"
POLL_S = 15
FAILURES = 3  # polls without an answer before the whole fleet is kept
LEAST_CALM_S = 300  # Kubernetes' own default


def write(draft: Draft) -> Files:
    """A ScaledObject, or nothing where nothing can be scaled: two pools, no gauge of the queue, a fleet of one."""
    subject = draft.subject
    if not scales(subject):
        return {}
    return {
        f"{FOLDER}/scaled-object.yaml": to_yaml(scaled_object(subject)),
        f"{FOLDER}/kustomization.yaml": to_yaml(kustomization(["scaled-object.yaml"])),
    }


def scales(subject: Subject) -> bool:
    """Is there something to scale, and a gauge to scale it by?"""
    return not subject.apart and waiting_metric(subject) is not None and least(subject) < subject.pods


def least(subject: Subject) -> int:
    """Replicas that always stay: one serves and the spares, at least one, stand by."""
    return min(1 + max(subject.plan.spares, 1), subject.pods)


def most_running(subject: Subject) -> int:
    """Requests in service at each replica at the largest load that keeps the promise."""
    serving = subject.plan.serving
    return max(math.floor(serving.running_sequences / max(serving.utilisation, 1e-9)), 1)


def waiting_metric(subject: Subject) -> str | None:
    """Gauge of waiting requests; None where the engine has none."""
    known = ENGINE_METRICS.get(subject.plan.engine)
    return known.waiting if known else None


def scaled_object(subject: Subject) -> Document:
    """The autoscaler of the fleet."""
    pool = subject.pools[0]
    known = ENGINE_METRICS[subject.plan.engine]
    triggers = [
        _trigger(subject, "waiting", known.waiting, most_waiting(subject)),
        _trigger(subject, "running", known.running, most_running(subject)),
    ]
    target = {"apiVersion": workload_api(pool), "kind": workload_kind(pool), "name": workload_name(subject, pool)}
    return {
        "apiVersion": "keda.sh/v1alpha1",
        "kind": "ScaledObject",
        "metadata": metadata(subject, subject.name),
        "spec": {
            "scaleTargetRef": target,
            "pollingInterval": POLL_S,
            "minReplicaCount": least(subject),
            "maxReplicaCount": subject.pods,
            # Without metrics the whole fleet serves: too many replicas cost money, too few the promise.
            "fallback": {"failureThreshold": FAILURES, "replicas": subject.pods},
            "advanced": {"horizontalPodAutoscalerConfig": {"behavior": _behaviour(subject)}},
            "triggers": [trigger for trigger in triggers if trigger],
        },
    }


def _behaviour(subject: Subject) -> Document:
    """Up at once; down one at a time, once the calm has outlasted two loads of the weights."""
    calm_s = min(max(math.ceil(2 * subject.load_time_s), LEAST_CALM_S), 3600)
    down = {"type": "Pods", "value": 1, "periodSeconds": min(max(subject.drain_s, 60), 1800)}
    up = {"type": "Pods", "value": subject.pods, "periodSeconds": 60}
    return {
        "scaleUp": {"stabilizationWindowSeconds": 0, "policies": [up]},
        "scaleDown": {"stabilizationWindowSeconds": calm_s, "policies": [down]},
    }


def _trigger(subject: Subject, name: str, metric: str | None, threshold: int) -> Document | None:
    if metric is None:
        return None
    pods = f"{workload_name(subject, subject.pools[0])}-[0-9]+"
    return {
        "type": "prometheus",
        "name": name,
        "metricType": "AverageValue",
        "metadata": {
            "serverAddress": PROMETHEUS,
            "query": f'sum({metric}{{pod=~"{pods}"}})',
            "threshold": str(threshold),
            # An empty answer is a failure, and the fallback holds; taken as zero it would end replicas.
            "ignoreNullValues": "false",
        },
    }
