"""Names, labels and ports that several Kubernetes documents share."""

from __future__ import annotations

from typing import Any

from planner.bundle.documents.subject import Pool, Subject
from planner.errors import PlannerError
from planner.schema import Plan

Document = dict[str, Any]

GPU_RESOURCES = {"NVIDIA": "nvidia.com/gpu", "AMD": "amd.com/gpu", "Intel": "habana.ai/gaudi"}
MONITORING = "monitoring"  # namespace from which Prometheus may read


def fleet(plan: Plan, language: str) -> str:
    """Replicas and spares in words."""
    n, spares = plan.replicas, plan.spares
    if language == "zh":
        return f"{n:,} 个副本" + (f"加 {spares:,} 个备用副本" if spares else "，没有备用副本")
    words = f"{n:,} replica{'' if n == 1 else 's'}"
    return f"{words} and {f'{spares:,}' if spares else 'no'} spare{'s' if spares > 1 else ''}"


def accelerators(plan: Plan, language: str) -> str:
    """All of a plan, in words."""
    n = plan.gpus_total
    return f"{n:,} 个加速器" if language == "zh" else f"{n:,} accelerator{'' if n == 1 else 's'}"


def selector(subject: Subject, component: str = "serve") -> dict[str, str]:
    """Labels that never change while the fleet lives; they tell pools, their followers and the router apart."""
    return {**family(subject), "app.kubernetes.io/component": component}


def family(subject: Subject) -> dict[str, str]:
    """Labels of every pod of the fleet."""
    return {"app.kubernetes.io/name": subject.plan.engine, "app.kubernetes.io/instance": subject.name}


def labels(subject: Subject, component: str = "serve") -> dict[str, str]:
    """Recommended labels of Kubernetes."""
    return {**selector(subject, component), "app.kubernetes.io/managed-by": "llm-capacity-planner"}


def metadata(subject: Subject, name: str, component: str = "serve") -> Document:
    """Name and labels of an object."""
    return {"name": name, "labels": labels(subject, component)}


def workload_kind(pool: Pool) -> str:
    """What runs a pool: engines on one server are pods, those on several are groups of pods."""
    return "StatefulSet" if pool.nodes == 1 else "LeaderWorkerSet"


def workload_api(pool: Pool) -> str:
    """API version of `workload_kind`."""
    return "apps/v1" if pool.nodes == 1 else "leaderworkerset.x-k8s.io/v1"


def workload_name(subject: Subject, pool: Pool) -> str:
    """A LeaderWorkerSet makes a headless Service of its own name, which the fleet's Service must not have."""
    name = f"{subject.name}{pool.suffix}"
    return name if pool.nodes == 1 else f"{name}-group"


def head_name(subject: Subject, pool: Pool) -> str:
    """Headless Service that gives every pod of a pool its name."""
    name = workload_name(subject, pool)
    return f"{name}-pods" if pool.nodes == 1 else name


def hosts(subject: Subject, pool: Pool) -> tuple[str, ...]:
    """Name of every engine of a pool; of several servers the first one answers."""
    name, head = workload_name(subject, pool), head_name(subject, pool)
    return tuple(f"{name}-{number}.{head}" for number in range(pool.replicas))


def answering_hosts(subject: Subject) -> tuple[str, ...]:
    """Names of whatever answers users: every engine, or the one Service of the routers before two pools."""
    return (subject.name,) if subject.apart else hosts(subject, subject.pools[0])


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
            "no Kubernetes resource name is known for accelerators of {vendor}. Known: {known}.\n"
            "  Next: choose another plan (limits.accelerators).",
            vendor=vendor,
            known=", ".join(GPU_RESOURCES),
        )
    return GPU_RESOURCES[vendor]


def checkpoint_map(subject: Subject) -> str:
    """ConfigMap that the operator creates, naming the checkpoint in the plan's precision."""
    return f"{subject.name}-checkpoint"
