"""Pods: what selects them, reaches them, mounts into them, lets them start and stop."""

from __future__ import annotations

from planner.bundle.finding import (
    Bundle,
    Finding,
    Object,
    Problems,
    Rule,
    arguments,
    containers,
    dig,
    items,
    mapping,
    options,
    pod_of,
    whole,
)

PROBES = ("startupProbe", "readinessProbe", "livenessProbe")


def selectors(bundle: Bundle) -> Problems:
    """Every selector matches the pods of a workload."""
    pods = [mapping(dig(w.body, "spec", "template", "metadata", "labels")) for w in bundle.workloads]
    for found in bundle.objects:
        for wanted in _selectors(found):
            if not wanted or not any(wanted.items() <= labels.items() for labels in pods):
                yield Finding("selectors", found.file, "error", f"{found.kind} {found.name} selects no pod: {wanted}")
    for found in bundle.of_kind("StatefulSet"):
        service = dig(found.body, "spec", "serviceName")
        heads = [s for s in bundle.of_kind("Service") if dig(s.body, "spec", "clusterIP") == "None"]
        if service not in [head.name for head in heads]:
            yield Finding("selectors", found.file, "error", f"serviceName {service!r} is no headless Service")


def ports(bundle: Bundle) -> Problems:
    """Services, probes and the engine agree on the port."""
    for found in bundle.workloads:
        known = _ports(found)
        for container in containers(found):
            for probe in PROBES:
                port = dig(container, probe, "httpGet", "port")
                if port is not None and port not in known:
                    yield Finding("ports", found.file, "error", f"{probe} asks port {port!r}, which is not open")
            spoken = options(arguments(container)).get("--port")
            if spoken is not None and whole(spoken) not in known:
                yield Finding("ports", found.file, "error", f"the engine listens on {spoken}, which is not open")
    opened = [port for workload in bundle.workloads for port in _ports(workload)]
    for found in bundle.of_kind("Service"):
        for port in items(dig(found.body, "spec", "ports")):
            target = port.get("targetPort", port.get("port"))
            if target not in opened:
                yield Finding("ports", found.file, "error", f"Service {found.name} leads to {target!r}: not open")


def volumes(bundle: Bundle) -> Problems:
    """Every mount has its volume or claim, and every ConfigMap volume its ConfigMap."""
    maps = [found.name for found in bundle.of_kind("ConfigMap")]
    for found in bundle.workloads:
        own = items(pod_of(found).get("volumes"))
        claims = items(dig(found.body, "spec", "volumeClaimTemplates"))
        known = [v.get("name") for v in own] + [dig(c, "metadata", "name") for c in claims]
        for container in containers(found) + containers(found, initial=True):
            for mount in items(container.get("volumeMounts")):
                if mount.get("name") not in known:
                    yield Finding("volumes", found.file, "error", f"no volume {mount.get('name')!r} to mount")
        for volume in own:
            name = dig(volume, "configMap", "name")
            if name is not None and name not in maps:
                yield Finding("volumes", found.file, "error", f"no ConfigMap {name!r} for a volume")


def references(bundle: Bundle) -> Problems:
    """Variables from ConfigMaps and Secrets that the bundle does not hold have to be created by hand."""
    held = {(f.kind, f.name) for f in bundle.objects}
    kinds = (("configMapKeyRef", "ConfigMap"), ("secretKeyRef", "Secret"))
    for found in bundle.workloads:
        wanted = {
            (kind, str(mapping(dig(variable, "valueFrom", key)).get("name")))
            for container in containers(found) + containers(found, initial=True)
            for variable in items(container.get("env"))
            for key, kind in kinds
            if dig(variable, "valueFrom", key) and not dig(variable, "valueFrom", key, "optional")
        }
        for kind, name in sorted(wanted - held):
            yield Finding("references", found.file, "not_checked", f"create {kind} {name}: README.md says how")


def probes(bundle: Bundle) -> Problems:
    """All three probes are there, and the startup probe waits longer than loading takes."""
    load_s = bundle.number("load_time_s")
    for found in bundle.workloads:
        for container in containers(found):
            for probe in PROBES:
                if not isinstance(container.get(probe), dict):
                    yield Finding("probes", found.file, "error", f"container {container.get('name')} has no {probe}")
            start = mapping(container.get("startupProbe"))
            budget_s = (whole(start.get("periodSeconds", 10)) or 0) * (whole(start.get("failureThreshold", 3)) or 0)
            if start and load_s is not None and budget_s < load_s:
                text = f"the startup probe gives up after {budget_s} s, loading takes {load_s:.0f} s"
                yield Finding("probes", found.file, "error", text)


def images(bundle: Bundle) -> Problems:
    """Images are pinned to a version or a digest."""
    for found in bundle.workloads:
        for container in containers(found) + containers(found, initial=True):
            image = str(container.get("image", ""))
            tag = image.rpartition("/")[2].partition(":")[2]
            if "@sha256:" not in image and (not tag or tag.startswith("latest")):
                yield Finding("images", found.file, "error", f"image {image!r} is not pinned")


def disruption(bundle: Bundle) -> Problems:
    """A disruption budget lets at least one pod go, and not all of several."""
    for found in bundle.of_kind("PodDisruptionBudget"):
        for workload in bundle.workloads:
            pods = whole(dig(workload.body, "spec", "replicas")) or 0
            free = _may_go(mapping(found.body.get("spec")), pods)
            if free < 1:
                yield Finding("disruption", found.file, "error", f"no pod of {pods} may go: nodes cannot be drained")
            elif free >= pods > 1:
                yield Finding("disruption", found.file, "error", f"all {pods} pods may go at once")
    if bundle.workloads and not bundle.of_kind("PodDisruptionBudget"):
        yield Finding("disruption", "k8s", "error", "no PodDisruptionBudget")


def drain(bundle: Bundle) -> Problems:
    """The grace period outlasts the wait before stopping."""
    for found in bundle.workloads:
        grace = whole(pod_of(found).get("terminationGracePeriodSeconds", 30)) or 0
        for container in containers(found):
            command = dig(container, "lifecycle", "preStop", "exec", "command")
            wait = whole(dig(command, 1)) if dig(command, 0) == "sleep" else None
            if wait is not None and wait >= grace:
                yield Finding("drain", found.file, "error", f"waits {wait} s before stopping, killed after {grace} s")


def _selectors(found: Object) -> list[dict[str, str]]:
    spec = mapping(found.body.get("spec"))
    if found.kind == "Service":
        return [mapping(spec.get("selector"))]
    own = [mapping(dig(spec, "selector", "matchLabels"))] if "selector" in spec else []
    spread = items(dig(pod_of(found), "topologySpreadConstraints"))
    return own + [mapping(dig(rule, "labelSelector", "matchLabels")) for rule in spread]


def _ports(found: Object) -> list[object]:
    """Open ports of a workload, by number and by name."""
    opened = [port for container in containers(found) for port in items(container.get("ports"))]
    return [port[key] for port in opened for key in ("containerPort", "name") if key in port]


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
}
