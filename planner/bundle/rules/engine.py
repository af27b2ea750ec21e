"""The engine and its accelerators, against the plan and the names that the pinned version knows."""

from __future__ import annotations

import re
from importlib import resources

from planner.bundle.finding import (
    GPU_RESOURCES,
    Bundle,
    Finding,
    Object,
    Problems,
    Rule,
    arguments,
    containers,
    dig,
    gpus_per_pod,
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
        if given not in written:
            yield Finding("engine-arguments", found.file, "error", "other arguments than in engine/*.args")
    for file in sorted(name for name in files if name.endswith(".yaml")):
        for key in sorted(_option_keys(bundle, file) - known):
            yield Finding("engine-arguments", file, "error", f"{bundle.engine} {version}: unknown {key}")


def known_arguments(engine: str) -> tuple[str, set[str]]:
    """Version and argument names of a vendored list in `flags/`."""
    lines = (resources.files("planner.bundle") / "flags" / f"{engine}.txt").read_text("utf-8").splitlines()
    version = next(line.partition(":")[2].strip() for line in lines if line.startswith("# version:"))
    return version, {line for line in lines if line and not line.startswith("#")}


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


RULES: dict[str, Rule] = {
    "gpu-requests": gpu_requests,
    "gpu-total": gpu_total,
    "parallel-sizes": parallel_sizes,
    "batch-limits": batch_limits,
    "remote-code": remote_code,
    "engine-arguments": engine_arguments,
}
