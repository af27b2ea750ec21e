"""Alerts, their tests and every expression of the dashboard against Prometheus's own tool."""

from __future__ import annotations

import json
import tempfile
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from planner.bundle.documents.dashboard import FILE as DASHBOARD
from planner.bundle.documents.monitoring import RULES, SCRAPES, TESTS
from planner.bundle.documents.yaml import to_yaml
from planner.bundle.finding import Bundle, Finding, Problems
from planner.bundle.tools.program import Tool, content_with

GET = "apt-get install prometheus"


def _rules(bundle: Bundle, folder: Path) -> Problems:
    """Prometheus accepts its configuration and the alerts."""
    if SCRAPES in bundle.files:
        yield from content_with("prometheus-rules", SCRAPES, ["promtool", "check", "config", SCRAPES], folder, GET)
    elif RULES in bundle.files:
        yield from content_with("prometheus-rules", RULES, ["promtool", "check", "rules", RULES], folder, GET)


def _tests(bundle: Bundle, folder: Path) -> Problems:
    """Every alert is raised by the samples that should raise it, and by no healthy fleet."""
    if TESTS in bundle.files:
        yield from content_with("prometheus-tests", TESTS, ["promtool", "test", "rules", TESTS], folder, GET)


def _dashboard(bundle: Bundle, folder: Path) -> Problems:
    """Prometheus can read every expression of the dashboard."""
    if DASHBOARD not in bundle.files:
        return
    try:
        found = sorted(set(_expressions(json.loads(bundle.files[DASHBOARD]))))
    except (ValueError, RecursionError):
        yield Finding("dashboard", DASHBOARD, "error", "cannot be read as JSON")
        return
    if not found:
        yield Finding("dashboard", DASHBOARD, "error", "asks Prometheus for nothing")
        return
    recorded = [{"record": f"panel:{number}", "expr": expression} for number, expression in enumerate(found)]
    with tempfile.TemporaryDirectory() as place:
        path = Path(place) / "expressions.yml"
        path.write_text(to_yaml({"groups": [{"name": "dashboard", "rules": recorded}]}), encoding="utf-8")
        yield from content_with("dashboard", DASHBOARD, ["promtool", "check", "rules", str(path)], folder, GET)


def _expressions(node: Any) -> Iterator[str]:
    """Every `expr` below a node."""
    if isinstance(node, dict):
        if isinstance(node.get("expr"), str):
            yield node["expr"]
        for child in node.values():
            yield from _expressions(child)
    elif isinstance(node, list):
        for child in node:
            yield from _expressions(child)


TOOLS: dict[str, Tool] = {
    "prometheus-rules": Tool("promtool check", _rules),
    "prometheus-tests": Tool("promtool test", _tests),
    "dashboard": Tool("promtool check", _dashboard),
}
