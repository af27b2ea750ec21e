"""Autoscalers, queues and node pools against the fleet that they are for."""

from __future__ import annotations

from typing import Any

from planner.bundle.finding import GPU_RESOURCES, Bundle, Finding, Object, Problems, Rule, dig, items, mapping, whole

SCALED = ("StatefulSet", "Deployment", "LeaderWorkerSet", "ReplicaSet")


def scale_targets(bundle: Bundle) -> Problems:
    """Autoscalers name a workload of the bundle and stay between one replica and those of the plan."""
    for found, least, most in _autoscalers(bundle):
        target = mapping(dig(found.body, "spec", "scaleTargetRef"))
        chosen = [o for o in bundle.objects if (o.kind, o.name) == (target.get("kind"), target.get("name"))]
        if not chosen or chosen[0].kind not in SCALED:
            text = f"scales {target.get('kind')} {target.get('name')}, which is not in the bundle"
            yield Finding("scale-targets", found.file, "error", text)
            continue
        if target.get("apiVersion") != chosen[0].body.get("apiVersion"):
            yield Finding(
                "scale-targets", found.file, "error", f"{target.get('apiVersion')} is not the target's version"
            )
        paid = whole(dig(chosen[0].body, "spec", "replicas"))
        if least is None or most is None or not 1 <= least <= most:
            yield Finding("scale-targets", found.file, "error", f"from {least} to {most} replicas is no range above 0")
        elif paid is not None and most > paid:
            yield Finding("scale-targets", found.file, "error", f"up to {most} replicas, the plan pays for {paid}")


def scale_metrics(bundle: Bundle) -> Problems:
    """Autoscalers look at what they can read: no accelerator is a resource metric, no missing answer means zero."""
    for found in bundle.of_kind("HorizontalPodAutoscaler"):
        for metric in items(dig(found.body, "spec", "metrics")):
            name = dig(metric, "resource", "name") or dig(metric, "containerResource", "name")
            if name is not None and name not in ("cpu", "memory"):
                text = f"{name} is no resource metric: only cpu and memory are measured, this never scales"
                yield Finding("scale-metrics", found.file, "error", text)
    for found in bundle.of_kind("ScaledObject"):
        for trigger in items(dig(found.body, "spec", "triggers")):
            if trigger.get("type") == "prometheus" and dig(trigger, "metadata", "ignoreNullValues") != "false":
                text = 'ignoreNullValues must be "false": without metrics the fleet would be scaled down'
                yield Finding("scale-metrics", found.file, "error", text)
        fallback = mapping(dig(found.body, "spec", "fallback"))
        least = whole(dig(found.body, "spec", "minReplicaCount")) or 0
        if (whole(fallback.get("replicas")) or 0) < max(least, 1):
            yield Finding("scale-metrics", found.file, "error", "no fallback that keeps the fleet without metrics")


def one_autoscaler(bundle: Bundle) -> Problems:
    """No workload has two autoscalers: they would undo each other."""
    seen: set[tuple[Any, Any]] = set()
    for found, _, _ in _autoscalers(bundle):
        target = mapping(dig(found.body, "spec", "scaleTargetRef"))
        key = (str(target.get("kind")), str(target.get("name")))
        if key in seen:
            yield Finding("one-autoscaler", found.file, "error", f"a second autoscaler of {' '.join(key)}")
        seen.add(key)


def quotas(bundle: Bundle) -> Problems:
    """Queues grant the plan's accelerators, and node pools together hold no less."""
    total = bundle.number("gpus_total")
    for found in bundle.of_kind("ClusterQueue"):
        flavors = [f for g in items(dig(found.body, "spec", "resourceGroups")) for f in items(g.get("flavors"))]
        granted = [r for f in flavors for r in items(f.get("resources")) if r.get("name") in GPU_RESOURCES]
        amount = sum(whole(r.get("nominalQuota")) or 0 for r in granted)
        if total is not None and amount != total:
            yield Finding("quotas", found.file, "error", f"grants {amount} accelerators, the plan has {total:g}")
    pools = bundle.of_kind("NodePool")
    held = sum(_limit(found) for found in pools)
    if pools and total is not None and held < total:
        yield Finding("quotas", pools[0].file, "error", f"node pools hold {held} accelerators, the plan has {total:g}")


def queue_names(bundle: Bundle) -> Problems:
    """Queues, flavors and node classes that are named exist."""
    held = {(found.kind, found.name) for found in bundle.objects}
    for found in bundle.objects:
        for kind, name in _named(found):
            if (kind, name) not in held:
                yield Finding("queue-names", found.file, "error", f"no {kind} {name!r}")


def _autoscalers(bundle: Bundle) -> list[tuple[Object, int | None, int | None]]:
    keys = {
        "ScaledObject": ("minReplicaCount", "maxReplicaCount"),
        "HorizontalPodAutoscaler": ("minReplicas", "maxReplicas"),
    }
    return [
        (found, whole(dig(found.body, "spec", least)), whole(dig(found.body, "spec", most)))
        for kind, (least, most) in keys.items()
        for found in bundle.of_kind(kind)
    ]


def _limit(pool: Object) -> int:
    limits = mapping(dig(pool.body, "spec", "limits"))
    return sum(whole(limits[name]) or 0 for name in GPU_RESOURCES & set(limits))


def _named(found: Object) -> list[tuple[str, str]]:
    spec = mapping(found.body.get("spec"))
    if found.kind == "LocalQueue":
        return [("ClusterQueue", str(spec.get("clusterQueue")))]
    if found.kind == "ClusterQueue":
        groups = items(spec.get("resourceGroups"))
        return [("ResourceFlavor", str(f.get("name"))) for g in groups for f in items(g.get("flavors"))]
    if found.kind == "NodePool":
        reference = mapping(dig(spec, "template", "spec", "nodeClassRef"))
        return [(str(reference.get("kind")), str(reference.get("name")))]
    return []


RULES: dict[str, Rule] = {
    "scale-targets": scale_targets,
    "scale-metrics": scale_metrics,
    "one-autoscaler": one_autoscaler,
    "quotas": quotas,
    "queue-names": queue_names,
}
