"""What was checked, with which tool in which version, and what was not: the bundle's validation.json."""

from __future__ import annotations

import hashlib
import json
import os
import tempfile
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from planner.bundle.finding import Finding
from planner.bundle.tools import TOOLS
from planner.errors import OutputError

FILE, MANIFEST = "validation.json", "MANIFEST.sha256"
RULES_VERSION = "2"  # of the rules in rules/

# What no machine without the cluster and the accelerators can say.
ELSEWHERE = (
    ("kubectl apply --dry-run=server", "admission by your cluster", "needs the cluster"),
    ("the engine", "a start with these arguments", "needs the accelerators"),
)


def at_export(findings: Sequence[Finding]) -> bytes:
    """Verdicts of the rules; an export runs no tool, as the same plan must give the same bytes on every machine."""
    left = [(tool.name, rule, "run planner lint --record on the folder") for rule, tool in TOOLS.items()]
    return _encoded([_row(finding) for finding in findings], [*left, *ELSEWHERE])


def record(folder: Path, findings: Sequence[Finding]) -> None:
    """Write the verdicts of `planner lint` into a bundle, and its new checksum into the manifest.

    Raises
    ------
    OutputError
        If the folder cannot be written, or has no manifest.
    """
    content = _encoded([_row(finding) for finding in findings], ELSEWHERE)
    try:
        lines = (folder / MANIFEST).read_text("utf-8").splitlines()
        kept = [line for line in lines if not line.endswith(f"  {FILE}")]
        own = f"{hashlib.sha256(content).hexdigest()}  {FILE}"
        manifest = "".join(f"{line}\n" for line in sorted([*kept, own], key=lambda line: line.partition("  ")[2]))
        _replace(folder / FILE, content)
        _replace(folder / MANIFEST, manifest.encode())
    except (OSError, UnicodeDecodeError) as error:
        raise OutputError(
            "cannot record the verdicts in {folder}: {error}.\n  Export the plan again.", folder=folder, error=error
        ) from None


def _row(finding: Finding) -> dict[str, Any]:
    return {
        "tool": finding.tool or "planner lint",
        "version": finding.version or (None if finding.tool else RULES_VERSION),
        "rule": finding.rule,
        "file": finding.file,
        "verdict": "passed" if finding.severity == "ok" else finding.severity,
        "detail": finding.message,
    }


def _encoded(rows: list[dict[str, Any]], left: Sequence[tuple[str, str, str]]) -> bytes:
    more = [
        {"tool": tool, "version": None, "rule": rule, "file": "", "verdict": "not_checked", "detail": detail}
        for tool, rule, detail in left
    ]
    return (json.dumps({"checks": [*rows, *more]}, indent=2, ensure_ascii=False, allow_nan=False) + "\n").encode()


def _replace(path: Path, content: bytes) -> None:
    """Write beside, then rename: never half a file."""
    handle, name = tempfile.mkstemp(prefix=".planner-", dir=path.parent)
    try:
        with os.fdopen(handle, "wb") as file:
            file.write(content)
        Path(name).chmod(0o644)
        Path(name).replace(path)
    finally:
        Path(name).unlink(missing_ok=True)
