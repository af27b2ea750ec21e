"""The engine and its accelerators, against the plan and the names that the pinned version knows."""

from __future__ import annotations

import math
import re
from importlib import resources

from planner.bundle.finding import (
    GPU_RESOURCES,
    LEFT_OUT,
    Bundle,
    Finding,
    Pods,
    Problems,
    Rule,
    arguments,
    containers,
    dig,
    gpus_per_pod,
    items,
    mapping,
    options,
    whole,
)

FLAG = re.compile(r"--?[A-Za-z][\w.-]*")

# Options whose product is the number of accelerators of a replica.
SIZES = {
    "vllm": ("--tensor-parallel-size", "--pipeline-parallel-size", "--data-parallel-size"),
    "sglang": ("--tp-size", "--pp-size"),
    "tensorrt-llm": ("--tp_size", "--pp_size"),
}


# ResourceRequirements of core/v1.
RESOURCE_KEYS = {"claims", "limits", "requests"}
# Files in engine/ by the engine that reads them.
STEMS = {"vllm": "vllm", "sglang": "sglang", "trtllm": "tensorrt-llm"}


def gpu_requests(bundle: Bundle) -> Problems:
    """Accelerators are requested as limited, in whole numbers; devices cannot be overcommitted."""
    for found in bundle.pods:
        for container in containers(found) + containers(found, initial=True):
            limits, requests = (mapping(dig(container, "resources", key)) for key in ("limits", "requests"))
            for name in sorted(GPU_RESOURCES & (set(limits) | set(requests))):
                most, least = whole(limits.get(name)), whole(requests.get(name))
                if not most or most != least:
                    text = f"{name}: request {requests.get(name)} and limit {limits.get(name)} must be equal counts"
                    yield Finding("gpu-requests", found.file, "error", text)
    if bundle.lacks("k8s"):
        yield Finding("gpu-requests", "k8s", "not_checked", LEFT_OUT)
    elif not bundle.fleet:
        yield Finding("gpu-requests", "k8s", "error", "no container of the fleet has an accelerator")


def resource_keys(bundle: Bundle) -> Problems:
    """Resources hold requests, limits and claims; scaling is an object of its own."""
    for found in bundle.pods:
        for container in containers(found) + containers(found, initial=True):
            for name in sorted(map(str, set(mapping(container.get("resources"))) - RESOURCE_KEYS)):
                text = f"{name} under resources: the API server knows {', '.join(sorted(RESOURCE_KEYS))} only"
                yield Finding("resource-keys", found.file, "error", text)


def gpu_total(bundle: Bundle) -> Problems:
    """Pods times accelerators per pod is what the plan pays for; the backup has the few that plan.json tells."""
    if bundle.lacks("k8s"):
        yield Finding("gpu-total", "k8s", "not_checked", LEFT_OUT)
        return
    total = bundle.number("gpus_total")
    found, beside = (_accelerators(bundle, backup) for backup in (False, True))
    if total is not None and found != total:
        yield Finding("gpu-total", "k8s", "error", f"{found} accelerators requested, the plan has {total:g}")
    spare = whole(dig(bundle.record, "backup", "gpus")) or 0
    if beside != spare:
        yield Finding("gpu-total", "k8s", "error", f"{beside} accelerators for the backup, plan.json says {spare}")
    plan = mapping(bundle.record.get("plan"))
    sizes = [_per_server(pool) for pool in items(plan.get("pools")) or [plan]]
    for pods in bundle.fleet:
        if None not in sizes and gpus_per_pod(pods) not in sizes:
            text = f"{gpus_per_pod(pods)} accelerators per pod, a server of the plan has {sizes}"
            yield Finding("gpu-total", pods.file, "error", text)


def _accelerators(bundle: Bundle, backup: bool) -> int:
    """Requested by the fleet, or by its backup."""
    chosen = [pods for pods in bundle.engines if (pods not in bundle.fleet) == backup]
    return sum(gpus_per_pod(pods) * (pods.count or 0) for pods in chosen)


def parallel_sizes(bundle: Bundle) -> Problems:
    """The engine's parallel sizes multiply to the accelerators of its pods."""
    for found, given in _engines(bundle):
        values = options(given)
        spelled = [whole(values.get(name, "1")) for name in SIZES[bundle.engine]]
        product = math.prod(size or 0 for size in spelled)
        nodes = whole(values.get("--nnodes", "1")) or 0
        if product != gpus_per_pod(found) * nodes:
            sizes = ", ".join(f"{n}={s}" for n, s in zip(SIZES[bundle.engine], spelled, strict=True))
            text = f"{sizes} make {product}, {nodes} pods have {gpus_per_pod(found)} accelerators each"
            yield Finding("parallel-sizes", found.file, "error", text)
        group = whole(dig(found.owner.body, "spec", "leaderWorkerTemplate", "size")) or 1
        if nodes != group:
            text = f"--nnodes={nodes} in a group of {group}"
            yield Finding("parallel-sizes", found.file, "error", text)


def batch_limits(bundle: Bundle) -> Problems:
    """vLLM does not start with fewer tokens in a step than sequences (config/scheduler.py of 0.20)."""
    for found, given in _engines(bundle):
        values = options(given)
        tokens, sequences = whole(values.get("--max-num-batched-tokens")), whole(values.get("--max-num-seqs"))
        if tokens is not None and sequences is not None and tokens < sequences:
            text = f"--max-num-batched-tokens={tokens} is below --max-num-seqs={sequences}"
            yield Finding("batch-limits", found.file, "error", text)


def remote_code(bundle: Bundle) -> Problems:
    """No engine runs code that comes with the weights."""
    pattern = re.compile(rb"(?<![\w-])--?trust[-_]remote|trust_remote_code:\s*true", re.IGNORECASE)
    for file, content in sorted(bundle.files.items()):
        if file.startswith(("k8s/", "engine/")) and pattern.search(content):
            yield Finding("remote-code", file, "error", "trust-remote-code runs whatever the repository holds")


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
        if given not in written and not bundle.lacks("engine"):
            yield Finding("engine-arguments", found.file, "error", "other arguments than in engine/*.args")
    if bundle.lacks("engine"):
        yield Finding("engine-arguments", "engine", "not_checked", LEFT_OUT)
    for file, content in sorted(files.items()):
        engine = STEMS.get(file.removeprefix("engine/").partition(".")[0].partition("-")[0], bundle.engine)
        version, known = known_arguments(engine)
        lines = content.decode(errors="replace").splitlines() if file.endswith(".args") else []
        for name in sorted(_unknown(lines, known) | (_option_keys(bundle, file) - known)):
            yield Finding("engine-arguments", file, "error", f"{engine} {version} does not know {name}")


def known_arguments(engine: str) -> tuple[str, set[str]]:
    """Version and argument names of a vendored list in `flags/`."""
    lines = (resources.files("planner.bundle") / "flags" / f"{engine}.txt").read_text("utf-8").splitlines()
    version = next(line.partition(":")[2].strip() for line in lines if line.startswith("# version:"))
    return version, {line for line in lines if line and not line.startswith("#")}


def _engines(bundle: Bundle) -> list[tuple[Pods, list[str]]]:
    """Pods with the arguments of the container that holds accelerators."""
    if bundle.engine not in SIZES:
        return []
    return [
        (found, arguments(container))
        for found in bundle.engines
        for container in containers(found)
        if GPU_RESOURCES & set(mapping(dig(container, "resources", "limits")))
    ]


def _per_server(pool: dict[str, object]) -> float | None:
    gpus, nodes = whole(pool.get("gpus_per_replica")), whole(pool.get("nodes_per_replica"))
    return gpus / nodes if gpus and nodes else None


def _unknown(given: list[str], known: set[str]) -> set[str]:
    """Options that are not in the list; a value after an option is none."""
    flags = {argument.partition("=")[0] for argument in given if FLAG.match(argument)}
    return flags - known


def _option_keys(bundle: Bundle, file: str) -> set[str]:
    documents = bundle.parsed.get(file)
    body = documents[0] if isinstance(documents, list) and documents else {}
    return {f"yaml:{key}" for key in mapping(body)}


RULES: dict[str, Rule] = {
    "gpu-requests": gpu_requests,
    "resource-keys": resource_keys,
    "gpu-total": gpu_total,
    "parallel-sizes": parallel_sizes,
    "batch-limits": batch_limits,
    "remote-code": remote_code,
    "engine-arguments": engine_arguments,
}
