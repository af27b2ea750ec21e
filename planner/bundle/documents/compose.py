"""Docker Compose: one engine on one server, to try it before there is a cluster."""

from __future__ import annotations

import math

from planner.bundle.documents.draft import Draft, Files
from planner.bundle.documents.engine import OPTIONS_FOLDER, image
from planner.bundle.documents.naming import Document
from planner.bundle.documents.pods import CACHE, FETCH, SHARED_MEMORY_GIB_PER_GPU, USERS, startup_budget_s
from planner.bundle.documents.subject import MODEL_VARIABLE, Subject
from planner.bundle.documents.yaml import to_yaml

FILE = "compose.yaml"


def write(draft: Draft) -> Files:
    """One replica; nothing for engines on several servers, two pools, or devices that Docker does not hand out."""
    subject = draft.subject
    if subject.apart or subject.pools[0].nodes > 1 or subject.accelerator.vendor != "NVIDIA":
        return {}
    return {FILE: to_yaml(compose(draft))}


def compose(draft: Draft) -> Document:
    """Fetch the weights, then serve them; the same image and arguments as in the cluster."""
    subject = draft.subject
    fetch = {
        **_common(subject),
        "entrypoint": ["python3", "-c", _plain(FETCH)],
    }
    return {
        "name": subject.name,
        "services": {"fetch-weights": fetch, "engine": _engine(draft)},
        "volumes": {"models": {}},
    }


def _engine(draft: Draft) -> Document:
    subject, launch = draft.subject, draft.launch
    gpus = subject.plan.gpus_per_replica
    options = [f"./engine/{launch.stem}.yaml:{OPTIONS_FOLDER}/{launch.stem}.yaml:ro"] if launch.options else []
    common = _common(subject)
    device = {"driver": "nvidia", "count": gpus, "capabilities": ["gpu"]}
    port = subject.engine.port
    health = f"import urllib.request; urllib.request.urlopen('http://localhost:{port}{subject.engine.health_path}')"
    return {
        **common,
        "entrypoint": list(launch.command),
        "command": [_argument(argument) for argument in launch.arguments],
        "environment": {**common["environment"], **launch.environment},
        "volumes": [*common["volumes"], *options],
        "depends_on": {"fetch-weights": {"condition": "service_completed_successfully"}},
        "ports": [f"127.0.0.1:{port}:{port}"],
        "shm_size": f"{SHARED_MEMORY_GIB_PER_GPU * gpus}gb",
        "deploy": {"resources": {"reservations": {"devices": [device]}}},
        **({"cap_add": list(launch.capabilities)} if launch.capabilities else {}),
        "healthcheck": {
            "test": ["CMD", "python3", "-c", health],
            "interval": "15s",
            "timeout": "10s",
            "retries": 4,
            "start_period": f"{startup_budget_s(subject)}s",
        },
        "stop_grace_period": f"{math.ceil(subject.drain_s) + 30}s",
        "restart": "unless-stopped",
    }


def _common(subject: Subject) -> Document:
    """As in the cluster; the volume's owner is root, so the user is, too."""
    model = subject.llm.hf_id if subject.published else f"${{{MODEL_VARIABLE}:?name the checkpoint}}"
    home = {"HOME": CACHE} if subject.plan.engine in USERS else {}
    return {
        "image": image(subject),
        "environment": {**home, "HF_HOME": CACHE, "HF_TOKEN": "${HF_TOKEN:-}", MODEL_VARIABLE: model},
        "volumes": [f"models:{CACHE}"],
        "security_opt": ["no-new-privileges:true"],
        "cap_drop": ["ALL"],
    }


def _argument(text: str) -> str:
    """An argument; the variable of an unpublished checkpoint is Compose's own."""
    return _plain(text).replace(f"$$({MODEL_VARIABLE})", f"${{{MODEL_VARIABLE}:?name the checkpoint}}")


def _plain(text: str) -> str:
    """Compose reads `$` as the start of a variable; twice it is the sign itself."""
    return text.replace("$", "$$")
