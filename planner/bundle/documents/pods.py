"""The pods of a pool: fetch the weights once, then serve.

Every number is decided in the plan or follows from it here by a stated rule; `readme.py` prints the rules.
"""

from __future__ import annotations

import math

from planner.bundle.documents.engine import OPTIONS_FOLDER, Launch, Start, image
from planner.bundle.documents.naming import Document, checkpoint_map, family, gpu_resource, labels, selector
from planner.bundle.documents.subject import MODEL_VARIABLE, Pool, Subject
from planner.units import GIB

CACHE = "/models"
STORAGE_MARGIN = 1.2
STARTUP_MARGIN = 4  # a first start also compiles kernels, and drives differ; waiting costs little, a kill loop all
STARTUP_PERIOD_S = 10
STOP_S = 30  # after the drain: the engine's own shutdown

# Engines whose image serves as another user than root. The number is a plain user of no privilege; the others
# keep files of their own below /root.
USERS = {"vllm": 2000}

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


def template(subject: Subject, start: Start, launch: Launch, component: str) -> Document:
    """Pod template of the servers of a pool that start alike."""
    return {
        "metadata": {"labels": labels(subject, component)},
        "spec": _pod(subject, start, launch, component),
    }


def _pod(subject: Subject, start: Start, launch: Launch, component: str) -> Document:
    return {
        "serviceAccountName": subject.name,
        "automountServiceAccountToken": False,
        "priorityClassName": f"{subject.name}-serving",
        "enableServiceLinks": False,  # a Service named vllm would set VLLM_PORT, which vLLM reads as its own
        "terminationGracePeriodSeconds": subject.drain_s + STOP_S,
        "securityContext": user(subject),
        "tolerations": [{"key": gpu_resource(subject), "operator": "Exists", "effect": "NoSchedule"}],
        **_place(subject, start, component),
        "initContainers": [_fetch(subject)],
        "containers": [_serve(subject, start, launch)],
        "volumes": _volumes(subject, start, launch),
    }


def template_paths(pool: Pool) -> list[str]:
    """Paths of the pod specifications in a workload."""
    if pool.nodes == 1:
        return ["/spec/template/spec"]
    return [f"/spec/leaderWorkerTemplate/{kind}Template/spec" for kind in ("leader", "worker")]


def weights_claim(subject: Subject) -> Document:
    """A volume per pod that holds the checkpoint with a margin of 20 %."""
    size_gib = math.ceil(subject.checkpoint_bytes * STORAGE_MARGIN / GIB)
    return {
        "metadata": {"name": "models", "labels": family(subject)},
        "spec": {
            "accessModes": ["ReadWriteOnce"],
            "resources": {"requests": {"storage": f"{size_gib}Gi"}},
        },
    }


def startup_budget_s(subject: Subject) -> int:
    """How long a start may take before Kubernetes tries again. [s]"""
    return math.ceil(STARTUP_MARGIN * subject.load_time_s / STARTUP_PERIOD_S) * STARTUP_PERIOD_S


def resources(subject: Subject, start: Start, launch: Launch) -> Document:
    """What one pod holds: devices as limited, and the host's share for them."""
    gpus = {gpu_resource(subject): start.pool.gpus_per_node}
    host = {
        "cpu": str(THREADS_PER_PROCESS * launch.processes),
        "memory": f"{HOST_MEMORY_GB_PER_GPU * start.pool.gpus_per_node}G",
    }
    return {"requests": {**host, **gpus}, "limits": gpus}


def restricted(capabilities: tuple[str, ...] = ()) -> Document:
    """Rights of a container: none but the named ones."""
    kept: Document = {"add": list(capabilities)} if capabilities else {}
    return {"allowPrivilegeEscalation": False, "capabilities": {"drop": ["ALL"], **kept}}


def user(subject: Subject) -> Document:
    """Whom the containers of a pod run as."""
    filtered = {"seccompProfile": {"type": "RuntimeDefault"}}
    number = USERS.get(subject.plan.engine)
    if number is None:
        return filtered
    own = {"runAsNonRoot": True, "runAsUser": number, "runAsGroup": number, "fsGroup": number}
    # Without the policy every start would change the owner of each file of the weights.
    return {**own, "fsGroupChangePolicy": "OnRootMismatch", **filtered}


def _place(subject: Subject, start: Start, component: str) -> Document:
    """Engines apart from each other; the servers of one engine, and pools that exchange caches, close together."""
    spread = [_spread("kubernetes.io/hostname", subject, component)]
    if start.pool.nodes == 1 and not subject.apart:
        return {
            "topologySpreadConstraints": [*spread, _spread("topology.kubernetes.io/zone", subject, component)],
        }
    near = {"topologyKey": "topology.kubernetes.io/zone", "labelSelector": {"matchLabels": family(subject)}}
    wish = {"weight": 100, "podAffinityTerm": near}
    return {
        "topologySpreadConstraints": spread,
        "affinity": {"podAffinity": {"preferredDuringSchedulingIgnoredDuringExecution": [wish]}},
    }


def _spread(key: str, subject: Subject, component: str) -> Document:
    return {
        "maxSkew": 1,
        "topologyKey": key,
        "whenUnsatisfiable": "ScheduleAnyway",
        "labelSelector": {"matchLabels": selector(subject, component)},
    }


def _fetch(subject: Subject) -> Document:
    """Downloading has no deadline here, so the startup probe measures only loading."""
    return {
        "name": "fetch-weights",
        "image": image(subject),
        "command": ["python3", "-c", FETCH],
        "env": [*_environment(subject), model_variable(subject)],
        "volumeMounts": [{"name": "models", "mountPath": CACHE}],
        "securityContext": restricted(),
    }


def _serve(subject: Subject, start: Start, launch: Launch) -> Document:
    mounts = [{"name": "models", "mountPath": CACHE}, {"name": "shm", "mountPath": "/dev/shm"}]
    if start.leader.options:
        mounts.append({"name": "engine-options", "mountPath": OPTIONS_FOLDER})
    return {
        "name": "engine",
        "image": image(subject),
        "command": list(launch.command),
        "args": list(launch.arguments),
        "env": [*_environment(subject), *_own(subject, launch)],
        **(_answers(subject) if launch is start.leader else {}),
        "resources": resources(subject, start, launch),
        "volumeMounts": mounts,
        "securityContext": restricted(launch.capabilities),
    }


def _answers(subject: Subject) -> Document:
    """Port, probes and drain of a server that answers requests; followers live and die with their leader."""
    return {
        "ports": [{"name": "http", "containerPort": subject.engine.port}],
        **_probes(subject),
        # New requests stop with the endpoint; those in service end before the engine is told to.
        "lifecycle": {"preStop": {"exec": {"command": ["sleep", str(subject.drain_s)]}}},
    }


def _own(subject: Subject, launch: Launch) -> list[Document]:
    own: list[Document] = [{"name": name, "value": value} for name, value in launch.environment.items()]
    address = {"fieldRef": {"fieldPath": "status.podIP"}}
    own += [{"name": name, "valueFrom": address} for name in launch.addresses]
    return own if subject.published else [*own, model_variable(subject)]


def _environment(subject: Subject) -> list[Document]:
    """Caches lie on the volume, so that compiled kernels outlive the pod."""
    home = [{"name": "HOME", "value": CACHE}, {"name": "USER", "value": "serving"}]
    return [
        *(home if subject.plan.engine in USERS else []),
        {"name": "HF_HOME", "value": CACHE},
        token(),
    ]


def token() -> Document:
    """The Hugging Face token by reference; public weights need none."""
    secret = {"name": "hugging-face", "key": "token", "optional": True}
    return {"name": "HF_TOKEN", "valueFrom": {"secretKeyRef": secret}}


def model_variable(subject: Subject) -> Document:
    """What holds the name of the checkpoint."""
    if subject.published:
        return {"name": MODEL_VARIABLE, "value": subject.llm.hf_id}
    reference = {"name": checkpoint_map(subject), "key": MODEL_VARIABLE}
    return {"name": MODEL_VARIABLE, "valueFrom": {"configMapKeyRef": reference}}


def _probes(subject: Subject) -> Document:
    check = {"httpGet": {"path": subject.engine.health_path, "port": "http"}}
    threshold = startup_budget_s(subject) // STARTUP_PERIOD_S
    return {
        "startupProbe": {**check, "periodSeconds": STARTUP_PERIOD_S, "failureThreshold": threshold},
        "readinessProbe": {**check, "periodSeconds": 5, "timeoutSeconds": 5, "failureThreshold": 3},
        "livenessProbe": {**check, "periodSeconds": 15, "timeoutSeconds": 10, "failureThreshold": 4},
    }


def _volumes(subject: Subject, start: Start, launch: Launch) -> list[Document]:
    size = f"{SHARED_MEMORY_GIB_PER_GPU * start.pool.gpus_per_node}Gi"
    volumes: list[Document] = [{"name": "shm", "emptyDir": {"medium": "Memory", "sizeLimit": size}}]
    if start.leader.options:
        volumes.append({"name": "engine-options", "configMap": {"name": f"{subject.name}-engine"}})
    return volumes
