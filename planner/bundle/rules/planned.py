"""What a bundle's engine is told, against the plan that the bundle is for."""

from __future__ import annotations

from planner.bundle.finding import (
    LEFT_OUT,
    Bundle,
    Finding,
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

# Argument of each engine -> field of the plan's layout that it must not fall short of.
LEAST = {
    "vllm": {"--max-model-len": "max_context_tokens", "--max-num-seqs": None},
    "sglang": {"--context-length": "max_context_tokens", "--max-running-requests": None},
}
SHARE = {"vllm": "--gpu-memory-utilization", "sglang": "--mem-fraction-static"}
CACHE = {"bf16": ("auto", "bf16", "bfloat16"), "fp8": ("fp8", "fp8_e4m3", "fp8_e5m2")}
SERVED = ("Service",)


def as_planned(bundle: Bundle) -> Problems:
    """Context, sequences, cache and memory share are those of the plan; a Service leads to the engine."""
    if bundle.lacks("k8s"):
        yield Finding("as-planned", "k8s", "not_checked", LEFT_OUT)
        return
    kinds = {found.kind for found in bundle.objects}
    for kind in SERVED:
        if kind not in kinds:
            yield Finding("as-planned", "k8s/base", "error", f"has no {kind}")
    for found in bundle.fleet:
        layout = _layout(bundle, found)
        for container in containers(found):
            given = options(arguments(container))
            for text in (*_limits(bundle.engine, given, layout), *_memory(bundle.engine, given, layout)):
                yield Finding("as-planned", found.file, "error", text)


def _layout(bundle: Bundle, found: Pods) -> dict[str, object]:
    """Layout of the pool that the pods belong to."""
    component = str(found.labels.get("app.kubernetes.io/component", "")).removesuffix("-worker")
    pools = items(dig(bundle.record, "plan", "pools"))
    own = [pool for pool in pools if pool.get("role") == component] or [mapping(bundle.record.get("plan"))]
    return mapping(own[0].get("layout"))


def _limits(engine: str, given: dict[str, str], layout: dict[str, object]) -> list[str]:
    found = []
    for name, field in LEAST.get(engine, {}).items():
        if name not in given:
            continue
        value, least = whole(given[name]), whole(layout.get(field)) if field else 1
        if value is None or value < 1:
            found.append(f"{name}={given[name]} is not a whole number above 0")
        elif field and least is not None and value != least:
            found.append(f"{name}={value}, but the plan says {least}")
    return found


def _memory(engine: str, given: dict[str, str], layout: dict[str, object]) -> list[str]:
    found, share = [], given.get(SHARE.get(engine, ""))
    if share is not None and not _is_share(share):
        found.append(f"{SHARE[engine]}={share} is no share above 0 and up to 1")
    cache = given.get("--kv-cache-dtype")
    wanted = CACHE.get(str(layout.get("kv")))
    if cache is not None and wanted is not None and cache not in wanted:
        found.append(f"--kv-cache-dtype={cache}, but the plan stores its cache in {layout.get('kv')}")
    return found


def _is_share(text: str) -> bool:
    try:
        return 0 < float(text) <= 1
    except ValueError:
        return False


RULES: dict[str, Rule] = {"as-planned": as_planned}
