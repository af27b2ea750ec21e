"""Kubernetes objects of a fleet of one-node replicas: one pod is one replica.

Every number is decided in the plan or follows from it here by a stated rule; `readme.py` prints the rules.
"""

from __future__ import annotations

import math
from typing import Any

from planner.bundle.documents.engine import OPTIONS_FOLDER, Launch, image
from planner.bundle.documents.subject import MODEL_VARIABLE, Subject
from planner.bundle.documents.yaml import to_yaml
from planner.errors import PlannerError
from planner.units import GIB

Document = dict[str, Any]

GPU_RESOURCES = {"NVIDIA": "nvidia.com/gpu", "AMD": "amd.com/gpu", "Intel": "habana.ai/gaudi"}
CACHE = "/models"
STORAGE_MARGIN = 1.2
STARTUP_MARGIN = 4  # a first start also compiles kernels, and drives differ; waiting costs little, a kill loop all
STARTUP_PERIOD_S = 10
STOP_S = 30  # after the drain: the engine's own shutdown

# vLLM's Kubernetes guide (docs/deployment/k8s.md) sizes one GPU so; a replica takes it times its GPUs.
HOST_MEMORY_GB_PER_GPU = 6
SHARED_MEMORY_GIB_PER_GPU = 2
THREADS_PER_PROCESS = 2  # one physical core for each busy process (vLLM, "CPU Resources for GPU Deployments")

# Formats that no engine here loads beside safetensors; they would double the download.
OTHER_FORMATS = ("original/*", "metal/*", "*.pth", "*.pt", "*.bin", "*.gguf", "*.msgpack", "*.h5", "*.onnx")
FETCH = f"""\
import os
import huggingface_hub

model = os.environ["{MODEL_VARIABLE}"]
unused = "{" ".join(OTHER_FORMATS)}"
if not os.path.isdir(model):
    huggingface_hub.snapshot_download(model, ignore_patterns=unused.split())
"""


def write(subject: Subject, launch: Launch) -> dict[str, str]:
    """Files of `k8s/base`."""
    return {f"k8s/base/{name}": to_yaml(body) for name, body in manifests(subject, launch).items()}


def manifests(subject: Subject, launch: Launch) -> dict[str, Document]:
    """Objects of `k8s/base` by file name, the kustomization last.

    Raises
    ------
    PlannerError, MissingFact
        For an accelerator that no device plugin is known for, or without an image of the engine.
    """
    objects = {
        "statefulset.yaml": stateful_set(subject, launch),
        "service.yaml": service(subject),
        "service-pods.yaml": headless_service(subject),
        "disruption-budget.yaml": disruption_budget(subject),
    }
    if launch.options:
        objects["engine-options.yaml"] = engine_options(subject, launch)
    kustomization = {
        "apiVersion": "kustomize.config.k8s.io/v1beta1",
        "kind": "Kustomization",
        "resources": list(objects),
    }
    return {**objects, "kustomization.yaml": kustomization}


def stateful_set(subject: Subject, launch: Launch) -> Document:
    """The fleet: replicas and spares, each a pod with all accelerators of one replica and its own weights."""
    return {
        "apiVersion": "apps/v1",
        "kind": "StatefulSet",
        "metadata": {"name": subject.name, "labels": labels(subject)},
        "spec": {
            "serviceName": f"{subject.name}-pods",
            "replicas": subject.pods,
            "podManagementPolicy": "Parallel",  # replicas do not wait for each other
            "selector": {"matchLabels": selector(subject)},
            "template": {"metadata": {"labels": labels(subject)}, "spec": pod(subject, launch)},
            "volumeClaimTemplates": [weights_claim(subject)],
        },
    }


def pod(subject: Subject, launch: Launch) -> Document:
    """One replica: fetch the weights once, then serve."""
    return {
        "automountServiceAccountToken": False,
        "enableServiceLinks": False,  # a Service named vllm would set VLLM_PORT, which vLLM reads as its own
        "terminationGracePeriodSeconds": subject.drain_s + STOP_S,
        "securityContext": {"seccompProfile": {"type": "RuntimeDefault"}},
        "tolerations": [{"key": gpu_resource(subject), "operator": "Exists", "effect": "NoSchedule"}],
        "topologySpreadConstraints": [
            {
                "maxSkew": 1,
                "topologyKey": "kubernetes.io/hostname",
                "whenUnsatisfiable": "ScheduleAnyway",
                "labelSelector": {"matchLabels": selector(subject)},
            }
        ],
        "initContainers": [_fetch(subject)],
        "containers": [_serve(subject, launch)],
        "volumes": _volumes(subject, launch),
    }


def service(subject: Subject) -> Document:
    """One address for the fleet; only ready replicas are behind it."""
    return _service(subject, subject.name, {"type": "ClusterIP"})


def headless_service(subject: Subject) -> Document:
    """A name for each replica, as a StatefulSet asks for."""
    return _service(subject, f"{subject.name}-pods", {"clusterIP": "None"})


def disruption_budget(subject: Subject) -> Document:
    """Drains may take as many replicas as are spare; one at a time where none is, or no drain would ever end."""
    return {
        "apiVersion": "policy/v1",
        "kind": "PodDisruptionBudget",
        "metadata": {"name": subject.name, "labels": labels(subject)},
        "spec": {
            "maxUnavailable": max(subject.plan.spares, 1),
            "selector": {"matchLabels": selector(subject)},
        },
    }


def engine_options(subject: Subject, launch: Launch) -> Document:
    """The engine's options file as a ConfigMap."""
    return {
        "apiVersion": "v1",
        "kind": "ConfigMap",
        "metadata": {"name": f"{subject.name}-engine", "labels": labels(subject)},
        "data": {f"{launch.stem}.yaml": to_yaml(launch.options)},
    }


def weights_claim(subject: Subject) -> Document:
    """A volume per replica that holds the checkpoint with a margin of 20 %."""
    size_gib = math.ceil(subject.checkpoint_bytes * STORAGE_MARGIN / GIB)
    return {
        "metadata": {"name": "models", "labels": selector(subject)},
        "spec": {
            "accessModes": ["ReadWriteOnce"],
            "resources": {"requests": {"storage": f"{size_gib}Gi"}},
        },
    }


def labels(subject: Subject) -> dict[str, str]:
    """Recommended labels of Kubernetes."""
    return {
        **selector(subject),
        "app.kubernetes.io/component": "inference",
        "app.kubernetes.io/managed-by": "llm-capacity-planner",
    }


def selector(subject: Subject) -> dict[str, str]:
    """Labels that never change while the fleet lives."""
    return {"app.kubernetes.io/name": subject.plan.engine, "app.kubernetes.io/instance": subject.name}


def gpu_resource(subject: Subject) -> str:
    """Name under which the vendor's device plugin offers its accelerators.

    Raises
    ------
    PlannerError
        For a vendor without a known device plugin.
    """
    vendor = subject.accelerator.vendor
    if vendor not in GPU_RESOURCES:
        raise PlannerError(
            f"no Kubernetes resource name is known for accelerators of {vendor}. Known: {', '.join(GPU_RESOURCES)}.\n"
            "  Next: choose another plan (limits.accelerators)."
        )
    return GPU_RESOURCES[vendor]


def startup_budget_s(subject: Subject) -> int:
    """How long a start may take before Kubernetes tries again. [s]"""
    return math.ceil(STARTUP_MARGIN * subject.load_time_s / STARTUP_PERIOD_S) * STARTUP_PERIOD_S


def _fetch(subject: Subject) -> Document:
    """Downloading has no deadline here, so the startup probe measures only loading."""
    return {
        "name": "fetch-weights",
        "image": image(subject),
        "command": ["python3", "-c", FETCH],
        "env": [*_environment(), _model_variable(subject)],
        "volumeMounts": [{"name": "models", "mountPath": CACHE}],
        "securityContext": _restricted(()),
    }


def _serve(subject: Subject, launch: Launch) -> Document:
    mounts = [{"name": "models", "mountPath": CACHE}, {"name": "shm", "mountPath": "/dev/shm"}]
    if launch.options:
        mounts.append({"name": "engine-options", "mountPath": OPTIONS_FOLDER})
    own = [{"name": name, "value": value} for name, value in launch.environment.items()]
    given = [] if subject.published else [_model_variable(subject)]
    return {
        "name": "engine",
        "image": image(subject),
        "command": list(launch.command),
        "args": list(launch.arguments),
        "env": [*_environment(), *own, *given],
        "ports": [{"name": "http", "containerPort": subject.engine.port}],
        "resources": _resources(subject, launch),
        **_probes(subject),
        # New requests stop with the endpoint; those in service end before the engine is told to.
        "lifecycle": {"preStop": {"exec": {"command": ["sleep", str(subject.drain_s)]}}},
        "volumeMounts": mounts,
        "securityContext": _restricted(launch.capabilities),
    }


def _environment() -> list[Document]:
    secret = {"name": "hugging-face", "key": "token", "optional": True}
    return [
        {"name": "HF_HOME", "value": CACHE},
        {"name": "HF_TOKEN", "valueFrom": {"secretKeyRef": secret}},
    ]


def _model_variable(subject: Subject) -> Document:
    if subject.published:
        return {"name": MODEL_VARIABLE, "value": subject.llm.hf_id}
    reference = {"name": checkpoint_map(subject), "key": MODEL_VARIABLE}
    return {"name": MODEL_VARIABLE, "valueFrom": {"configMapKeyRef": reference}}


def checkpoint_map(subject: Subject) -> str:
    """ConfigMap that the operator creates, naming the checkpoint in the plan's precision."""
    return f"{subject.name}-checkpoint"


def _resources(subject: Subject, launch: Launch) -> Document:
    gpus = {gpu_resource(subject): subject.plan.gpus_per_replica}
    host = {
        "cpu": str(THREADS_PER_PROCESS * launch.processes),
        "memory": f"{HOST_MEMORY_GB_PER_GPU * subject.plan.gpus_per_replica}G",
    }
    return {"requests": {**host, **gpus}, "limits": gpus}


def _probes(subject: Subject) -> Document:
    check = {"httpGet": {"path": subject.engine.health_path, "port": "http"}}
    threshold = startup_budget_s(subject) // STARTUP_PERIOD_S
    return {
        "startupProbe": {**check, "periodSeconds": STARTUP_PERIOD_S, "failureThreshold": threshold},
        "readinessProbe": {**check, "periodSeconds": 5, "timeoutSeconds": 5, "failureThreshold": 3},
        "livenessProbe": {**check, "periodSeconds": 15, "timeoutSeconds": 10, "failureThreshold": 4},
    }


def _restricted(capabilities: tuple[str, ...]) -> Document:
    kept: Document = {"add": list(capabilities)} if capabilities else {}
    return {"allowPrivilegeEscalation": False, "capabilities": {"drop": ["ALL"], **kept}}


def _volumes(subject: Subject, launch: Launch) -> list[Document]:
    size = f"{SHARED_MEMORY_GIB_PER_GPU * subject.plan.gpus_per_replica}Gi"
    volumes: list[Document] = [{"name": "shm", "emptyDir": {"medium": "Memory", "sizeLimit": size}}]
    if launch.options:
        volumes.append({"name": "engine-options", "configMap": {"name": f"{subject.name}-engine"}})
    return volumes


def _service(subject: Subject, name: str, kind: Document) -> Document:
    return {
        "apiVersion": "v1",
        "kind": "Service",
        "metadata": {"name": name, "labels": labels(subject)},
        "spec": {
            **kind,
            "selector": selector(subject),
            "ports": [{"name": "http", "port": subject.engine.port, "targetPort": "http"}],
        },
    }
