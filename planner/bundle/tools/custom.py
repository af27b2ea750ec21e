"""Custom resources against the schemas of their definitions, and against the CEL rules in them."""

from __future__ import annotations

import json
import re
from collections.abc import Iterator
from functools import cache
from importlib import resources
from pathlib import Path
from typing import Any

from planner.bundle.finding import Bundle, Finding, Object, Problems, mapping
from planner.bundle.tools.program import Tool, package_version

# Groups that the API server serves by itself; kubernetes-validate reads them.
BUILT_IN = re.compile(r"v1|(apps|batch|policy|autoscaling|(networking|rbac\.authorization|scheduling)\.k8s\.io)/v\d+")


def _schema(bundle: Bundle, folder: Path) -> Problems:
    """Custom resources satisfy the schemas of their definitions, unknown fields refused."""
    try:
        from jsonschema import Draft7Validator
    except ImportError:
        text = "jsonschema is not installed: pip install 'llm-capacity-planner[dev]'"
        yield Finding("custom-schema", "k8s", "not_checked", text)
        return
    for found, schema in _custom(bundle):
        if schema is None:
            text = f"no schema for {found.body.get('apiVersion')} {found.kind}"
            yield Finding("custom-schema", found.file, "not_checked", text)
            continue
        for error in sorted(Draft7Validator(schema).iter_errors(found.body), key=lambda e: str(list(e.path)))[:3]:
            where = ".".join(str(step) for step in error.path) or found.kind
            yield Finding("custom-schema", found.file, "error", f"{where}: {error.message[:200]}")


def _rules(bundle: Bundle, folder: Path) -> Problems:
    """Custom resources keep the CEL rules of their definitions."""
    try:
        import cel
    except ImportError:
        text = "common-expression-language is not installed: pip install 'llm-capacity-planner[dev]'"
        yield Finding("custom-rules", "k8s", "not_checked", text)
        return
    for found, schema in _custom(bundle):
        for where, rule, value in _due(schema or {}, found.body, found.kind):
            context = cel.Context()
            context.add_function("find", _find)
            context.add_variable("self", value)
            try:
                kept = cel.evaluate(rule["rule"], context)
            except (RuntimeError, TypeError, ValueError) as error:
                text = f"{where}: {rule['rule'][:80]}: {str(error)[:100]}"
                yield Finding("custom-rules", found.file, "not_checked", text)
                continue
            if kept is not True:
                text = f"{where}: {rule.get('message') or rule['rule']}"
                yield Finding("custom-rules", found.file, "error", text[:300])


def _custom(bundle: Bundle) -> Iterator[tuple[Object, dict[str, Any] | None]]:
    """Objects that Kubernetes itself does not define, with the schema of their definition."""
    for found in bundle.objects:
        api = str(found.body.get("apiVersion", ""))
        schema = definition(api, found.kind)
        if schema is not None or not (BUILT_IN.fullmatch(api) or api.startswith("kustomize.")):
            yield found, schema


@cache
def definition(api: str, kind: str) -> dict[str, Any] | None:
    """Vendored schema of a kind; None where there is none."""
    group, _, version = api.partition("/")
    if not all(re.fullmatch(r"[A-Za-z0-9.-]+", part) for part in (group, kind, version)):
        return None
    file = resources.files("planner.bundle") / "schemas" / group / f"{kind.lower()}_{version}.json"
    return json.loads(file.read_text("utf-8")) if file.is_file() else None


def _due(schema: dict[str, Any], value: Any, where: str) -> Iterator[tuple[str, dict[str, Any], Any]]:
    """Rules of a schema with the values that they are about; those on a change wait for one."""
    for rule in schema.get("x-kubernetes-validations", ()):
        if "oldSelf" not in rule["rule"]:
            yield where, rule, value
    if isinstance(value, dict):
        known, others = mapping(schema.get("properties")), schema.get("additionalProperties")
        for key, child in value.items():
            below = known.get(key, others)
            if isinstance(below, dict):
                yield from _due(below, child, f"{where}.{key}")
    elif isinstance(value, list) and isinstance(schema.get("items"), dict):
        for number, child in enumerate(value):
            yield from _due(schema["items"], child, f"{where}[{number}]")


def _find(text: str, pattern: str) -> str:
    """CEL's `find` of Kubernetes: the first match, or nothing."""
    found = re.search(pattern, text)
    return found[0] if found else ""


TOOLS: dict[str, Tool] = {
    "custom-schema": Tool("jsonschema", _schema, package_version("jsonschema")),
    "custom-rules": Tool("common-expression-language", _rules, package_version("common-expression-language")),
}
