"""Checks of a bundle: its own cross references, its checksums, and other people's tools.

`check` needs no tool beyond the planner's own requirements and runs at every export; `lint` adds what reads a
folder or needs a program or package of its own. A check that could not run says so.
"""

from __future__ import annotations

import hashlib
import re
from collections.abc import Mapping
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from pathlib import Path

from planner.bundle.finding import Bundle, Finding, Problems, Rule
from planner.bundle.rules import RULES
from planner.bundle.tools import TOOLS
from planner.bundle.tools.program import Tool
from planner.errors import PlannerError

__all__ = ["Finding", "check", "lint", "manifest"]

MANIFEST = "MANIFEST.sha256"
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
    rules: dict[str, Rule] = {"manifest": _manifest, **RULES}
    own = [finding for name, rule in rules.items() for finding in _judge(name, rule.__doc__, rule(bundle))]
    with ThreadPoolExecutor() as pool:  # most of them wait for a program
        others = pool.map(lambda named: _asked(named[0], named[1], bundle, folder), TOOLS.items())
        return own + [finding for found in others for finding in found]


def check(files: Mapping[str, bytes]) -> list[Finding]:
    """Findings of the cross-reference rules about a bundle that is not on disk yet."""
    bundle = Bundle(files)
    return [finding for name, rule in RULES.items() for finding in _judge(name, rule.__doc__, rule(bundle))]


def manifest(files: Mapping[str, bytes]) -> bytes:
    """Checksums of all files as `sha256sum --check` reads them, sorted by path."""
    lines = [f"{hashlib.sha256(files[name]).hexdigest()}  {name}\n" for name in sorted(files) if name != MANIFEST]
    return "".join(lines).encode()


def _judge(name: str, about: str | None, problems: Problems) -> list[Finding]:
    return list(problems) or [Finding(name, "", "ok", (about or "").split("\n")[0])]


def _asked(name: str, tool: Tool, bundle: Bundle, folder: Path) -> list[Finding]:
    version = tool.version()
    found = _judge(name, tool.check.__doc__, tool.check(bundle, folder))
    return [replace(finding, tool=tool.name, version=version) for finding in found]


def _read(folder: Path) -> dict[str, bytes]:
    """Regular files by relative path; a link could lead anywhere and is not followed."""
    if not folder.is_dir():
        raise PlannerError(
            "no bundle to check: {folder} is not a folder.\n  Write one: planner export --out {folder}", folder=folder
        )
    try:
        paths = [path for path in sorted(folder.rglob("*")) if path.is_symlink() or not path.is_dir()]
        return {path.relative_to(folder).as_posix(): _content(path) for path in paths}
    except OSError as error:
        raise PlannerError("cannot read {path}: {reason}.", path=error.filename or folder, reason=error) from None


def _content(path: Path) -> bytes:
    if path.is_symlink() or not path.is_file():
        raise PlannerError(
            "{path} is no regular file: a bundle holds nothing else.\n  Export the plan again.", path=path
        )
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
