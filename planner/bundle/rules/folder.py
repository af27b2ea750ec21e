"""The folder as a whole: its record, its YAML, names, what would be applied."""

from __future__ import annotations

import posixpath
import re

from planner.bundle.finding import Bundle, Finding, Object, Problems, Rule, dig, items, mapping

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
    """Every kustomization lists the files beside it, and nothing that is not there."""
    folders = {found.file.rpartition("/")[0] for found in bundle.of_kind("Kustomization")}
    for found in bundle.of_kind("Kustomization"):
        folder = found.file.rpartition("/")[0]
        listed = {posixpath.normpath(f"{folder}/{name}") for name in _listed(found)}
        beside = {name for name in bundle.parsed if name.rpartition("/")[0] == folder} - {found.file}
        for name in sorted(listed - set(bundle.files) - folders):
            yield Finding("kustomization", found.file, "error", f"lists {name}, which is not in the bundle")
        for name in sorted(beside - listed):
            yield Finding("kustomization", found.file, "error", f"does not list {name}: it would not be applied")
    if bundle.objects and not bundle.of_kind("Kustomization"):
        yield Finding("kustomization", "k8s", "error", "no kustomization: nothing would be applied")


def patches(bundle: Bundle) -> Problems:
    """Every step of a patch finds its object in the bundle, and its place in that object."""
    for found in bundle.of_kind("Kustomization"):
        folder = found.file.rpartition("/")[0]
        for patch in items(found.body.get("patches")):
            file, target = posixpath.normpath(f"{folder}/{patch.get('path')}"), mapping(patch.get("target"))
            aims = [o for o in bundle.objects if (o.kind, o.name) == (target.get("kind"), target.get("name"))]
            if not aims:
                yield Finding("patches", found.file, "error", f"no {target.get('kind')} {target.get('name')} to patch")
            steps = bundle.parsed.get(file)
            for step in items(steps[0]) if isinstance(steps, list) and steps else []:
                missing = [aim for aim in aims if not _has(aim.body, str(step.get("path")), step.get("op"))]
                if missing:
                    yield Finding("patches", file, "error", f"{missing[0].name} has no {step.get('path')}")


def _has(body: object, pointer: str, operation: object) -> bool:
    """Whether a JSON pointer leads somewhere; to add, its parent is enough."""
    steps = [step.replace("~1", "/").replace("~0", "~") for step in pointer.split("/")[1:]]
    way: list[str | int] = [int(step) if step.isdigit() else step for step in steps]
    return dig(body, *(way[:-1] if operation == "add" else way)) is not None


def _listed(found: Object) -> list[str]:
    """Files and folders that a kustomization names; a generated map names `key=file` or `file`."""
    body = found.body
    plain = [name for key in ("resources", "components") for name in _texts(body.get(key))]
    patches = [str(patch["path"]) for patch in items(body.get("patches")) if "path" in patch]
    made = [name for one in items(body.get("configMapGenerator")) for name in _texts(one.get("files"))]
    return plain + patches + [name.rpartition("=")[2] for name in made]


def _texts(node: object) -> list[str]:
    return [str(item) for item in node] if isinstance(node, list) else []


RULES: dict[str, Rule] = {
    "record": record,
    "yaml": parse,
    "names": names,
    "kustomization": kustomization,
    "patches": patches,
}
