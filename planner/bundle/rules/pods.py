"""Pods: what selects them, reaches them, mounts into them, lets them start and stop."""

from __future__ import annotations

from typing import Any

from planner.bundle.finding import (
    Bundle,
    Finding,
    Object,
    Pods,
    Problems,
    Rule,
    arguments,
    containers,
    dig,
    items,
    mapping,
    options,
    whole,
)

PROBES = ("startupProbe", "readinessProbe", "livenessProbe")
SERVING = ("StatefulSet", "Deployment", "DaemonSet", "LeaderWorkerSet")


def selectors(bundle: Bundle) -> Problems:
    """Every selector matches the pods of a workload."""
    for found in bundle.objects:
        for wanted in _selectors(found):
            if not any(matches(wanted, pods.labels) for pods in bundle.pods):
                yield Finding("selectors", found.file, "error", f"{found.kind} {found.name} selects no pod: {wanted}")
    for pods in bundle.pods:
        for wanted in _own_selectors(pods):
            if not matches(wanted, pods.labels):
                yield Finding("selectors", pods.file, "error", f"does not select its own pods: {wanted}")
    for found in bundle.of_kind("StatefulSet"):
        service = dig(found.body, "spec", "serviceName")
        heads = [s for s in bundle.of_kind("Service") if dig(s.body, "spec", "clusterIP") == "None"]
        if service not in [head.name for head in heads]:
            yield Finding("selectors", found.file, "error", f"serviceName {service!r} is no headless Service")


def ports(bundle: Bundle) -> Problems:
    """Services, probes and the engine agree on the port."""
    for found in bundle.pods:
        known = _ports(found)
        for container in containers(found):
            for probe in PROBES:
                port = dig(container, probe, "httpGet", "port")
                if port is not None and port not in known:
                    yield Finding("ports", found.file, "error", f"{probe} asks port {port!r}, which is not open")
            spoken = options(arguments(container)).get("--port")
            if spoken is not None and found.role != "worker" and whole(spoken) not in known:
                yield Finding("ports", found.file, "error", f"the engine listens on {spoken}, which is not open")
    for service in bundle.of_kind("Service"):
        wanted = {"matchLabels": dig(service.body, "spec", "selector")}
        opened = [port for pods in bundle.pods if matches(wanted, pods.labels) for port in _ports(pods)]
        for port in items(dig(service.body, "spec", "ports")):
            target = port.get("targetPort", port.get("port"))
            if target not in opened:
                text = f"Service {service.name} leads to {target!r}: not open"
                yield Finding("ports", service.file, "error", text)


def volumes(bundle: Bundle) -> Problems:
    """Every mount has its volume or claim, and every volume its ConfigMap or claim."""
    held = {(found.kind, found.name) for found in bundle.objects}
    for found in bundle.pods:
        own = items(found.spec.get("volumes"))
        known = [v.get("name") for v in own] + [dig(claim, "metadata", "name") for claim in found.claims]
        for container in containers(found) + containers(found, initial=True):
            for mount in items(container.get("volumeMounts")):
                if mount.get("name") not in known:
                    yield Finding("volumes", found.file, "error", f"no volume {mount.get('name')!r} to mount")
        for volume in own:
            for kind, name in (
                ("ConfigMap", dig(volume, "configMap", "name")),
                ("PersistentVolumeClaim", dig(volume, "persistentVolumeClaim", "claimName")),
            ):
                if name is not None and (kind, name) not in held | generated(bundle):
                    yield Finding("volumes", found.file, "error", f"no {kind} {name!r} for a volume")


def references(bundle: Bundle) -> Problems:
    """Accounts and priorities exist; what variables name and the bundle does not hold is created by hand."""
    held = {(f.kind, f.name) for f in bundle.objects} | generated(bundle)
    told: set[tuple[str, str]] = set()
    for found in bundle.pods:
        for kind, key in (("ServiceAccount", "serviceAccountName"), ("PriorityClass", "priorityClassName")):
            name = found.spec.get(key)
            if name is not None and (kind, str(name)) not in held and not str(name).startswith("system-"):
                yield Finding("references", found.file, "error", f"no {kind} {name!r}")
        missing = _wanted(found) - held - told
        told |= missing
        for kind, name in sorted(missing):
            yield Finding("references", found.file, "not_checked", f"create {kind} {name}: README.md says how")


def probes(bundle: Bundle) -> Problems:
    """Whatever opens a port has all three probes, and the engine's startup probe outlasts loading."""
    for found in bundle.pods:
        if found.owner.kind not in SERVING or found.role == "worker":
            continue
        for container in containers(found):
            for probe in PROBES:
                if not isinstance(container.get(probe), dict):
                    yield Finding("probes", found.file, "error", f"container {container.get('name')} has no {probe}")
    for found in bundle.engines:
        load_s = bundle.number("load_time_s") if found in bundle.fleet else dig(bundle.record, "backup", "load_time_s")
        for start in (mapping(container.get("startupProbe")) for container in containers(found)):
            budget_s = (whole(start.get("periodSeconds", 10)) or 0) * (whole(start.get("failureThreshold", 3)) or 0)
            if start and isinstance(load_s, int | float) and budget_s < load_s:
                text = f"the startup probe gives up after {budget_s} s, loading takes {load_s:.0f} s"
                yield Finding("probes", found.file, "error", text)


def images(bundle: Bundle) -> Problems:
    """Images are pinned to a version or a digest."""
    for found in bundle.pods:
        for container in containers(found) + containers(found, initial=True):
            image = str(container.get("image", ""))
            if not pinned(image):
                yield Finding("images", found.file, "error", f"image {image!r} is not pinned")


def pinned(image: str) -> bool:
    """A digest, or a tag that does not move."""
    tag = image.rpartition("/")[2].partition(":")[2]
    return "@sha256:" in image or (bool(tag) and not tag.startswith("latest") and tag not in ("main", "nightly"))


def disruption(bundle: Bundle) -> Problems:
    """Engines have a disruption budget that lets at least one go, and not all of several."""
    budgets = bundle.of_kind("PodDisruptionBudget")
    for found in budgets:
        chosen = [pods for pods in bundle.pods if matches(dig(found.body, "spec", "selector"), pods.labels)]
        count = sum(pods.count or 0 for pods in chosen)
        engines = sum(pods.count or 0 for pods in chosen if pods.role != "worker")
        free = _may_go(mapping(found.body.get("spec")), count)
        if free < 1:
            yield Finding("disruption", found.file, "error", f"no pod of {count} may go: nodes cannot be drained")
        elif free >= engines > 1:
            yield Finding("disruption", found.file, "error", f"all {engines} replicas may go at once")
    for pods in bundle.engines:
        if not any(matches(dig(found.body, "spec", "selector"), pods.labels) for found in budgets):
            yield Finding("disruption", pods.file, "error", "no PodDisruptionBudget covers these pods")


def drain(bundle: Bundle) -> Problems:
    """The grace period outlasts the wait before stopping."""
    for found in bundle.pods:
        grace = whole(found.spec.get("terminationGracePeriodSeconds", 30)) or 0
        for container in containers(found):
            command = dig(container, "lifecycle", "preStop", "exec", "command")
            wait = whole(dig(command, 1)) if dig(command, 0) == "sleep" else None
            if wait is not None and wait >= grace:
                yield Finding("drain", found.file, "error", f"waits {wait} s before stopping, killed after {grace} s")


def rights(bundle: Bundle) -> Problems:
    """No container may gain rights, be privileged or share the node's namespaces."""
    for found in bundle.pods:
        for key in ("hostPID", "hostIPC", "hostNetwork"):
            if found.spec.get(key):
                yield Finding("rights", found.file, "error", f"{key} shares the node's namespace")
        for container in containers(found) + containers(found, initial=True):
            context = mapping(container.get("securityContext"))
            if context.get("privileged") or context.get("allowPrivilegeEscalation") is not False:
                name = container.get("name")
                yield Finding("rights", found.file, "error", f"container {name} may gain rights")


def matches(wanted: Any, labels: dict[str, Any]) -> bool:
    """A selector of Kubernetes on labels; one that says nothing counts as a mistake and matches nothing."""
    terms = mapping(mapping(wanted).get("matchLabels"))
    expressions = items(mapping(wanted).get("matchExpressions"))
    if not terms and not expressions:
        return False
    return terms.items() <= labels.items() and all(_holds(expression, labels) for expression in expressions)


def generated(bundle: Bundle) -> set[tuple[str, str]]:
    """ConfigMaps that a kustomization makes from files."""
    return {
        ("ConfigMap", str(made.get("name")))
        for found in bundle.of_kind("Kustomization")
        for made in items(found.body.get("configMapGenerator"))
    }


def _holds(expression: dict[str, Any], labels: dict[str, Any]) -> bool:
    key, values = expression.get("key"), expression.get("values")
    value, listed = labels.get(str(key)), values if isinstance(values, list) else []
    ways = {
        "In": value in listed,
        "NotIn": value not in listed,
        "Exists": value is not None,
        "DoesNotExist": value is None,
    }
    return ways.get(str(expression.get("operator")), False)


def _selectors(found: Object) -> list[Any]:
    """Selectors of pods by which an object reaches or protects them."""
    spec = mapping(found.body.get("spec"))
    if found.kind == "Service":
        return [{"matchLabels": spec["selector"]}] if spec.get("type") != "ExternalName" and "selector" in spec else []
    if found.kind == "NetworkPolicy":
        peers = [
            p
            for way, end in (("ingress", "from"), ("egress", "to"))
            for r in items(spec.get(way))
            for p in items(r.get(end))
        ]
        given = [spec.get("podSelector"), *(peer["podSelector"] for peer in peers if "podSelector" in peer)]
        return [one for one in given if one != {}]  # all pods of the namespace
    return [spec.get("selector")] if found.kind in ("PodDisruptionBudget", "PodMonitor") else []


def _own_selectors(found: Pods) -> list[Any]:
    spec = mapping(found.owner.body.get("spec"))
    own = [spec["selector"]] if not found.role and "selector" in spec else []
    return own + [rule.get("labelSelector") for rule in items(found.spec.get("topologySpreadConstraints"))]


def _ports(found: Pods) -> list[object]:
    """Open ports of a pod, by number and by name."""
    opened = [port for container in containers(found) for port in items(container.get("ports"))]
    return [port[key] for port in opened for key in ("containerPort", "name") if key in port]


def _wanted(found: Pods) -> set[tuple[str, str]]:
    kinds = (("configMapKeyRef", "ConfigMap"), ("secretKeyRef", "Secret"))
    return {
        (kind, str(mapping(dig(variable, "valueFrom", key)).get("name")))
        for container in containers(found) + containers(found, initial=True)
        for variable in items(container.get("env"))
        for key, kind in kinds
        if dig(variable, "valueFrom", key) and not dig(variable, "valueFrom", key, "optional")
    }


def _may_go(spec: dict[str, object], pods: int) -> int:
    """Pods that a disruption budget lets go at once; percentages round as Kubernetes does: up."""
    if "maxUnavailable" in spec:
        return _count(spec["maxUnavailable"], pods)
    return pods - _count(spec["minAvailable"], pods) if "minAvailable" in spec else 0


def _count(value: object, pods: int) -> int:
    text = str(value)
    if text.endswith("%") and (share := whole(text[:-1])) is not None:
        return -(-share * pods // 100)
    return whole(text) or 0


RULES: dict[str, Rule] = {
    "selectors": selectors,
    "ports": ports,
    "volumes": volumes,
    "references": references,
    "probes": probes,
    "images": images,
    "disruption": disruption,
    "drain": drain,
    "rights": rights,
}
