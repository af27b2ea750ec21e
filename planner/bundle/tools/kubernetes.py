"""Kubernetes objects against published schemas."""

from __future__ import annotations

import re
from functools import cache
from pathlib import Path
from typing import Any

from planner.bundle.finding import Bundle, Finding, Object, Problems
from planner.bundle.tools.custom import definition
from planner.bundle.tools.program import Tool, package_version

OLDEST_KUBERNETES = "1.25"


def _kubernetes_schema(bundle: Bundle, folder: Path) -> Problems:
    """Objects satisfy the strict schemas of the oldest and the newest Kubernetes known here."""
    try:
        import kubernetes_validate
    except ImportError:
        text = "kubernetes-validate is not installed: pip install 'llm-capacity-planner[dev]'"
        yield Finding("kubernetes-schema", "k8s", "not_checked", text)
        return
    versions = (OLDEST_KUBERNETES, kubernetes_validate.latest_version())
    for found in bundle.objects:
        api = str(found.body.get("apiVersion", ""))
        if api.startswith("kustomize.") or definition(api, found.kind) is not None:
            continue  # read by kubectl, or by a controller of its own
        for version in versions:
            problem = _validate(found, version)
            if problem:
                yield problem
                break


def _validate(found: Object, version: str) -> Finding | None:
    from jsonschema.exceptions import best_match

    api, kind = str(found.body.get("apiVersion", "")), found.kind
    validator = _validator(api, kind, version)
    try:
        error = None if validator is None else best_match(validator.iter_errors(found.body))
    except (AttributeError, TypeError, RecursionError) as broken:
        text = f"no Kubernetes object: {type(broken).__name__} {broken}"[:200]
        return Finding("kubernetes-schema", found.file, "error", text)
    if not api or not kind:
        return Finding("kubernetes-schema", found.file, "error", "no Kubernetes object: names no apiVersion or no kind")
    if validator is None:
        text = f"no schema for {api} {kind} in Kubernetes {version}"
        return Finding("kubernetes-schema", found.file, "not_checked", text)
    if error is not None:
        where = ".".join(str(step) for step in error.path) or kind
        text = f"Kubernetes {version}: {where}: {error.message[:200]}"
        return Finding("kubernetes-schema", found.file, "error", text)
    return None


@cache
def _validator(api: str, kind: str, version: str) -> Any:
    """Validator of a kind with kubernetes-validate's strict schema; None where it has none.

    Its own `validate` reads two megabytes of definitions at each call.
    """
    from jsonschema import Draft202012Validator
    from kubernetes_validate.utils import schema_contents
    from referencing import Resource

    group, slash, number = api.rpartition("/")  # only the first label of a group: rbac.authorization.k8s.io -> rbac
    name = f"{kind}-{group.partition('.')[0]}{slash and '-'}{number}".lower()
    if not re.fullmatch(r"[a-z0-9-]+", name):
        return None
    try:
        schema = schema_contents(f"{_folder(version)}/{name}.json", version)
    except FileNotFoundError:
        return None
    return Draft202012Validator(schema, registry=Resource.from_contents(schema) @ _definitions(version))


@cache
def _definitions(version: str) -> Any:
    from kubernetes_validate.utils import schema_contents
    from referencing import Registry, Resource

    return Resource.from_contents(schema_contents(f"{_folder(version)}/_definitions.json", version)) @ Registry()


@cache
def _folder(version: str) -> str:
    """Folder of the strict schemas of a version, `1.25` or `1.25.16`."""
    from kubernetes_validate.utils import all_versions

    full = next(v for v in reversed(all_versions()) if v == version or v.startswith(f"{version}."))
    return f"kubernetes-json-schema/v{full}-local-strict"


TOOLS: dict[str, Tool] = {
    "kubernetes-schema": Tool("kubernetes-validate", _kubernetes_schema, package_version("kubernetes-validate"))
}
