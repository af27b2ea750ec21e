"""The folder as a whole: its record, its YAML, names, what would be applied."""

from __future__ import annotations

import re

from planner.bundle.finding import Bundle, Finding, Problems, Rule

LABEL = re.compile(r"[a-z0-9]([a-z0-9-]*[a-z0-9])?")


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


RULES: dict[str, Rule] = {
    "record": record,
    "yaml": parse,
    "names": names,
    "kustomization": kustomization,
}
