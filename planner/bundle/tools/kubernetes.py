"""Kubernetes objects against published schemas."""

from __future__ import annotations

from pathlib import Path

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
    import kubernetes_validate

    try:
        kubernetes_validate.validate(found.body, version, strict=True)
    except kubernetes_validate.ValidationError as error:
        where = ".".join(str(step) for step in error.path) or found.kind
        text = f"Kubernetes {version}: {where}: {error.message[:200]}"
        return Finding("kubernetes-schema", found.file, "error", text)
    except kubernetes_validate.SchemaNotFoundError:
        text = f"no schema for {found.body.get('apiVersion')} {found.kind} in Kubernetes {version}"
        return Finding("kubernetes-schema", found.file, "not_checked", text)
    except (KeyError, AttributeError, TypeError, RecursionError) as error:
        text = f"no Kubernetes object: {type(error).__name__} {error}"[:200]
        return Finding("kubernetes-schema", found.file, "error", text)
    return None


TOOLS: dict[str, Tool] = {
    "kubernetes-schema": Tool("kubernetes-validate", _kubernetes_schema, package_version("kubernetes-validate"))
}
