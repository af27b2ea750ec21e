"""The router before a prefill and a decode pool: it sends each prompt to one of each and lets the cache follow.

References: vllm-project/router README (`--vllm-pd-disaggregation`), sgl-project/sglang sgl-model-gateway README
(`--pd-disaggregation`, bootstrap port after each prefill address).
"""

from __future__ import annotations

from planner.bundle.documents.engine import BOOTSTRAP_PORT
from planner.bundle.documents.naming import Document, hosts, labels, metadata, selector
from planner.bundle.documents.pods import restricted, startup_budget_s
from planner.bundle.documents.subject import Subject
from planner.errors import Message, MissingFact

COPIES = 2  # one may fail; its share of CPU is small beside an engine's
PORT = 8080


def router(subject: Subject) -> Document:
    """Two copies without state; the addresses are those of the plan's engines.

    Raises
    ------
    MissingFact
        If no image of a router is known for the engine.
    """
    if not subject.engine.router_image:
        raise MissingFact(
            Message("engine {engine}", engine=subject.plan.engine),
            Message("router image"),
            Message("two pools"),
            Message("Next: choose an aggregated plan, or set limits.engines to vllm or sglang."),
        )
    check = {"httpGet": {"path": "/health", "port": "http"}}
    container = {
        "name": "router",
        "image": subject.engine.router_image,
        "command": _command(subject),
        "args": _arguments(subject),
        "ports": [{"name": "http", "containerPort": PORT}],
        "resources": {"requests": {"cpu": "2", "memory": "2Gi"}, "limits": {"memory": "4Gi"}},
        # It starts once the engines have loaded.
        "startupProbe": {**check, "periodSeconds": 10, "failureThreshold": startup_budget_s(subject) // 10 + 6},
        "readinessProbe": {**check, "periodSeconds": 5},
        "livenessProbe": {**check, "periodSeconds": 15, "timeoutSeconds": 5, "failureThreshold": 4},
        "lifecycle": {"preStop": {"exec": {"command": ["sleep", str(subject.drain_s)]}}},
        "securityContext": restricted(),
    }
    return {
        "apiVersion": "apps/v1",
        "kind": "Deployment",
        "metadata": metadata(subject, f"{subject.name}-router", "router"),
        "spec": {
            "replicas": COPIES,
            "selector": {"matchLabels": selector(subject, "router")},
            "template": {"metadata": {"labels": labels(subject, "router")}, "spec": _pod(subject, container)},
        },
    }


def _pod(subject: Subject, container: Document) -> Document:
    return {
        "serviceAccountName": subject.name,
        "automountServiceAccountToken": False,
        "priorityClassName": f"{subject.name}-serving",
        "terminationGracePeriodSeconds": subject.drain_s + 30,
        "securityContext": {"seccompProfile": {"type": "RuntimeDefault"}},
        "containers": [container],
    }


def _command(subject: Subject) -> list[str]:
    return ["vllm-router"] if subject.plan.engine == "vllm" else ["python3", "-m", "sglang_router.launch_router"]


def _arguments(subject: Subject) -> list[str]:
    vllm = subject.plan.engine == "vllm"
    prefill, decode = subject.pools
    given = ["--vllm-pd-disaggregation" if vllm else "--pd-disaggregation"]
    port = subject.engine.port
    for host in hosts(subject, prefill):
        given += ["--prefill", f"http://{host}:{port}", *([] if vllm else [str(BOOTSTRAP_PORT)])]
    for host in hosts(subject, decode):
        given += ["--decode", f"http://{host}:{port}"]
    waits = f"--worker-startup-timeout-secs={startup_budget_s(subject)}"
    return [*given, "--policy=round_robin", "--host=0.0.0.0", f"--port={PORT}", waits]
