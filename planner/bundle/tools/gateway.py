"""The gateway's configuration against HAProxy's own parser."""

from __future__ import annotations

from pathlib import Path

from planner.bundle.documents.gateway import FILE
from planner.bundle.finding import Bundle, Problems
from planner.bundle.tools.program import Tool, content_with, program_version


def _haproxy(bundle: Bundle, folder: Path) -> Problems:
    """HAProxy accepts the gateway's configuration, without a warning."""
    if FILE in bundle.files:
        command = ["haproxy", "-c", "-q", "-f", FILE]
        yield from content_with("haproxy", FILE, command, folder, "apt-get install haproxy", stderr_fails=True)


TOOLS: dict[str, Tool] = {"haproxy": Tool("haproxy", _haproxy, program_version("haproxy", "-v"))}
