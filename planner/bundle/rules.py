"""Cross references inside a bundle: every rule yields what is wrong and nothing where all is well."""

from __future__ import annotations

import re
from collections.abc import Callable
from importlib import resources

from planner.bundle.finding import (
    Bundle,
    Finding,
    Object,
    Problems,
    arguments,
    containers,
    dig,
    items,
    mapping,
    options,
    pod_of,
    whole,
)
from planner.bundle.planned import as_planned

Rule = Callable[[Bundle], Problems]

GPU_RESOURCES = {"nvidia.com/gpu", "amd.com/gpu", "habana.ai/gaudi"}
PROBES = ("startupProbe", "readinessProbe", "livenessProbe")
LABEL = re.compile(r"[a-z0-9]([a-z0-9-]*[a-z0-9])?")
FLAG = re.compile(r"--?[A-Za-z][\w.-]*")

# Options whose product is the number of accelerators of a replica.
SIZES = {
    "vllm": ("--tensor-parallel-size", "--pipeline-parallel-size", "--data-parallel-size"),
    "sglang": ("--tp-size", "--pp-size"),
    "tensorrt-llm": ("--tp_size", "--pp_size"),
}


def record(bundle: Bundle) -> Problems:
    """plan.json is there with the plan and its workload."""
    if not bundle.record:
        yield Finding("record", "plan.json", "error", "missing, or not a JSON object")
        return
    for part in ("plan", "workload", "catalogs", "engine"):
        if not isinstance(bundle.record.get(part), dict):
            yield Finding("record", "plan.json", "error", f"has no {part!r}")


def parse(bundle: Bundle) -> Problems:
    """Every YAML file can be read, and names no key twice."""
    for file, found in bundle.parsed.items():
        if isinstance(found, str):
            yield Finding("yaml", file, "error", found)


def names(bundle: Bundle) -> Problems:
    """Names are DNS labels, and no two objects of a kind share one."""
    seen: set[tuple[str, str]] = set()
    for found in bundle.objects:
        if found.kind == "Kustomization":
            continue
        if not LABEL.fullmatch(found.name) or len(found.name) > 63:
            yield Finding("names", found.file, "error", f"{found.kind} name {found.name!r} is not a DNS label")
        if (found.kind, found.name) in seen:
            yield Finding("names", found.file, "error", f"a second {found.kind} {found.name}")
        seen.add((found.kind, found.name))


def kustomization(bundle: Bundle) -> Problems:
    """The kustomization lists exactly the files beside it."""
    for found in bundle.of_kind("Kustomization"):
        folder = found.file.rpartition("/")[0]
        raw = found.body.get("resources")
        listed = {f"{folder}/{name}" for name in raw} if isinstance(raw, list) else set()
        beside = {name for name in bundle.parsed if name.rpartition("/")[0] == folder} - {found.file}
        for name in sorted(listed - beside):
            yield Finding("kustomization", found.file, "error", f"lists {name}, which is not in the bundle")
        for name in sorted(beside - listed):
            yield Finding("kustomization", found.file, "error", f"does not list {name}: it would not be applied")
    if bundle.objects and not bundle.of_kind("Kustomization"):
        yield Finding("kustomization", "k8s", "error", "no kustomization: nothing would be applied")


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


def gpu_requests(bundle: Bundle) -> Problems:
    """Accelerators are requested as limited, in whole numbers; devices cannot be overcommitted."""
    for found in bundle.workloads:
        asked = 0
        for container in containers(found):
            limits, requests = (mapping(dig(container, "resources", key)) for key in ("limits", "requests"))
            for name in sorted(GPU_RESOURCES & (set(limits) | set(requests))):
                asked += 1
                most, least = whole(limits.get(name)), whole(requests.get(name))
                if not most or most != least:
                    text = f"{name}: request {requests.get(name)} and limit {limits.get(name)} must be equal counts"
                    yield Finding("gpu-requests", found.file, "error", text)
        if not asked:
            yield Finding("gpu-requests", found.file, "error", "no container requests an accelerator")


def gpu_total(bundle: Bundle) -> Problems:
    """Pods times accelerators per pod is what the plan pays for."""
    total, each = bundle.number("gpus_total"), bundle.number("gpus_per_replica")
    found = sum(gpus_per_pod(w) * (whole(dig(w.body, "spec", "replicas")) or 0) for w in bundle.workloads)
    if total is not None and found != total:
        yield Finding("gpu-total", "k8s", "error", f"{found} accelerators requested, the plan has {total:g}")
    for workload in bundle.workloads:
        if each is not None and gpus_per_pod(workload) != each:
            text = f"{gpus_per_pod(workload)} accelerators per pod, a replica of the plan has {each:g}"
            yield Finding("gpu-total", workload.file, "error", text)


def parallel_sizes(bundle: Bundle) -> Problems:
    """The engine's parallel sizes multiply to the accelerators of the pod."""
    for found, given in _engines(bundle):
        spelled = [whole(options(given).get(name, "1")) for name in SIZES[bundle.engine]]
        product = 1
        for size in spelled:
            product *= size or 0
        if product != gpus_per_pod(found):
            sizes = ", ".join(f"{n}={s}" for n, s in zip(SIZES[bundle.engine], spelled, strict=True))
            text = f"{sizes} make {product}, the pod has {gpus_per_pod(found)} accelerators"
            yield Finding("parallel-sizes", found.file, "error", text)


def batch_limits(bundle: Bundle) -> Problems:
    """vLLM does not start with fewer tokens in a step than sequences (config/scheduler.py of 0.20)."""
    for found, given in _engines(bundle):
        values = options(given)
        tokens, sequences = whole(values.get("--max-num-batched-tokens")), whole(values.get("--max-num-seqs"))
        if tokens is not None and sequences is not None and tokens < sequences:
            text = f"--max-num-batched-tokens={tokens} is below --max-num-seqs={sequences}"
            yield Finding("batch-limits", found.file, "error", text)


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


def remote_code(bundle: Bundle) -> Problems:
    """No engine runs code that comes with the weights."""
    pattern = re.compile(rb"(?<![\w-])--?trust[-_]remote|trust_remote_code:\s*true", re.IGNORECASE)
    for file, content in sorted(bundle.files.items()):
        if file.startswith(("k8s/", "engine/")) and pattern.search(content):
            yield Finding("remote-code", file, "error", "trust-remote-code runs whatever the repository holds")


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


def engine_arguments(bundle: Bundle) -> Problems:
    """The pinned engine knows every argument, and the file in engine/ says the same as the pod."""
    if bundle.engine not in SIZES:
        yield Finding("engine-arguments", "plan.json", "not_checked", f"no list of arguments for {bundle.engine!r}")
        return
    version, known = known_arguments(bundle.engine)
    pinned = dig(bundle.record, "engine", "version")
    if pinned != version:
        text = f"the list of arguments is of {bundle.engine} {version}, the bundle has {pinned}"
        yield Finding("engine-arguments", "plan.json", "not_checked", text)
    files = {name: content for name, content in bundle.files.items() if name.startswith("engine/")}
    written = [c.decode(errors="replace").splitlines() for n, c in files.items() if n.endswith(".args")]
    for found, given in _engines(bundle):
        for name in sorted(_unknown(given, known)):
            yield Finding("engine-arguments", found.file, "error", f"{bundle.engine} {version} does not know {name}")
        if given not in written:
            yield Finding("engine-arguments", found.file, "error", "other arguments than in engine/*.args")
    for file in sorted(name for name in files if name.endswith(".yaml")):
        for key in sorted(_option_keys(bundle, file) - known):
            yield Finding("engine-arguments", file, "error", f"{bundle.engine} {version}: unknown {key}")


RULES: dict[str, Rule] = {
    "record": record,
    "yaml": parse,
    "names": names,
    "kustomization": kustomization,
    "selectors": selectors,
    "ports": ports,
    "volumes": volumes,
    "references": references,
    "gpu-requests": gpu_requests,
    "gpu-total": gpu_total,
    "parallel-sizes": parallel_sizes,
    "batch-limits": batch_limits,
    "probes": probes,
    "images": images,
    "remote-code": remote_code,
    "disruption": disruption,
    "drain": drain,
    "engine-arguments": engine_arguments,
    "as-planned": as_planned,
}


def known_arguments(engine: str) -> tuple[str, set[str]]:
    """Version and argument names of a vendored list in `flags/`."""
    lines = (resources.files("planner.bundle") / "flags" / f"{engine}.txt").read_text("utf-8").splitlines()
    version = next(line.partition(":")[2].strip() for line in lines if line.startswith("# version:"))
    return version, {line for line in lines if line and not line.startswith("#")}


def gpus_per_pod(found: Object) -> int:
    """Accelerators that the limits of a pod add up to."""
    limits = [mapping(dig(container, "resources", "limits")) for container in containers(found)]
    return sum(whole(limit[name]) or 0 for limit in limits for name in GPU_RESOURCES & set(limit))


def _engines(bundle: Bundle) -> list[tuple[Object, list[str]]]:
    """Workloads with the arguments of the container that holds accelerators."""
    if bundle.engine not in SIZES:
        return []
    return [
        (found, arguments(container))
        for found in bundle.workloads
        for container in containers(found)
        if GPU_RESOURCES & set(mapping(dig(container, "resources", "limits")))
    ]


def _unknown(given: list[str], known: set[str]) -> set[str]:
    """Options that are not in the list; a value after an option is none."""
    flags = {argument.partition("=")[0] for argument in given if FLAG.match(argument)}
    return flags - known


def _option_keys(bundle: Bundle, file: str) -> set[str]:
    documents = bundle.parsed.get(file)
    body = documents[0] if isinstance(documents, list) and documents else {}
    return {f"yaml:{key}" for key in mapping(body)}


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
