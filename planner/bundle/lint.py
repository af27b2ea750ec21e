"""Checks of a bundle: its own cross references, its checksums, and the Kubernetes schemas.

`check` needs no tool beyond the planner's own requirements and runs at every export; `lint` adds what reads a
folder or needs a package of the `dev` extra. A check that could not run says so.
"""

from __future__ import annotations

import hashlib
import re
from collections.abc import Callable, Mapping
from pathlib import Path

from planner.bundle.finding import Bundle, Finding, Object, Problems
from planner.bundle.rules import RULES
from planner.errors import PlannerError

__all__ = ["Finding", "check", "lint", "manifest"]

MANIFEST = "MANIFEST.sha256"
RULES_VERSION = "1"  # of the rules in rules.py, as validation.json records it
OLDEST_KUBERNETES = "1.25"
_LINE = re.compile(r"([0-9a-f]{64})  (.+)")


def lint(folder: Path) -> list[Finding]:
    """Every finding about a bundle on disk, at least one for each rule.

    Raises
    ------
    PlannerError
        If there is no such folder.
    """
    files = _read(folder)
    bundle = Bundle(files)
    rules: dict[str, Callable[[Bundle], Problems]] = {
        "manifest": _manifest,
        **RULES,
        "kubernetes-schema": _kubernetes_schema,
    }
    return [finding for name, rule in rules.items() for finding in _judge(name, rule, bundle)]


def check(files: Mapping[str, bytes]) -> list[Finding]:
    """Findings of the cross-reference rules about a bundle that is not on disk yet."""
    bundle = Bundle(files)
    return [finding for name, rule in RULES.items() for finding in _judge(name, rule, bundle)]


def manifest(files: Mapping[str, bytes]) -> bytes:
    """Checksums of all files as `sha256sum --check` reads them, sorted by path."""
    lines = [f"{hashlib.sha256(files[name]).hexdigest()}  {name}\n" for name in sorted(files) if name != MANIFEST]
    return "".join(lines).encode()


def _judge(name: str, rule: Callable[[Bundle], Problems], bundle: Bundle) -> list[Finding]:
    found = list(rule(bundle))
    summary = (rule.__doc__ or "").split("\n")[0]
    return found or [Finding(name, "", "ok", summary)]


def _read(folder: Path) -> dict[str, bytes]:
    """Regular files by relative path; a link could lead anywhere and is not followed."""
    if not folder.is_dir():
        raise PlannerError(f"no bundle to check: {folder} is not a folder.\n  Write one: planner export --out {folder}")
    try:
        paths = [path for path in sorted(folder.rglob("*")) if path.is_symlink() or not path.is_dir()]
        return {path.relative_to(folder).as_posix(): _content(path) for path in paths}
    except OSError as error:
        raise PlannerError(f"cannot read {error.filename or folder}: {error.strerror}.") from None


def _content(path: Path) -> bytes:
    if path.is_symlink() or not path.is_file():
        raise PlannerError(f"{path} is no regular file: a bundle holds nothing else.\n  Export the plan again.")
    return path.read_bytes()


def _manifest(bundle: Bundle) -> Problems:
    """Every file is in MANIFEST.sha256 with its checksum, and nothing else is."""
    if MANIFEST not in bundle.files:
        yield Finding("manifest", MANIFEST, "error", "missing: this is no bundle, or not a whole one")
        return
    stated: dict[str, str] = {}
    for number, line in enumerate(bundle.files[MANIFEST].decode(errors="replace").splitlines(), 1):
        found = _LINE.fullmatch(line)
        if found is None:
            yield Finding("manifest", MANIFEST, "error", f"line {number} is not 'checksum  path'")
        else:
            stated[found[2]] = found[1]
    present = bundle.files.keys() - {MANIFEST}
    for name in sorted(stated.keys() - present):
        yield Finding("manifest", name, "error", "in the manifest, but not in the bundle")
    for name in sorted(present - stated.keys()):
        yield Finding("manifest", name, "error", "not in the manifest")
    for name in sorted(present & stated.keys()):
        if hashlib.sha256(bundle.files[name]).hexdigest() != stated[name]:
            yield Finding("manifest", name, "error", "changed since the export: the checksum differs")


def _kubernetes_schema(bundle: Bundle) -> Problems:
    """Objects satisfy the strict schemas of the oldest and the newest Kubernetes known here."""
    try:
        import kubernetes_validate
    except ImportError:
        text = "kubernetes-validate is not installed: pip install 'llm-capacity-planner[dev]'"
        yield Finding("kubernetes-schema", "k8s", "not_checked", text)
        return
    versions = (OLDEST_KUBERNETES, kubernetes_validate.latest_version())
    for found in bundle.objects:
        if str(found.body.get("apiVersion", "")).startswith("kustomize."):
            continue  # read by kubectl, never by the API server
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
