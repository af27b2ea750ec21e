"""What watches a fleet, against what tells people about it."""

from __future__ import annotations

import re

from planner.bundle.finding import Bundle, Finding, Problems, Rule, dig, items

RULES_FILE = "monitoring/rules.yml"
COUNTERS_FILE = "monitoring/dcgm-counters.csv"
RUNBOOKS = ("RUNBOOK.md", "RUNBOOK.zh.md")
_FIELD = re.compile(rb"DCGM_FI_[A-Z0-9_]+")
_SECTION = re.compile(r"^### (\w+)$", re.MULTILINE)


def alerts_have_actions(bundle: Bundle) -> Problems:
    """Every alert has a section in both runbooks, and its annotation leads there."""
    found = _alerts(bundle)
    names = [str(alert.get("alert")) for alert in found]
    for alert in found:
        leads = dig(alert, "annotations", "runbook")
        if leads != f"{RUNBOOKS[0]}#{str(alert.get('alert')).lower()}":
            yield Finding("runbook", RULES_FILE, "error", f"{alert.get('alert')} leads to {leads!r}")
    for file in RUNBOOKS:
        told = _SECTION.findall(bundle.files.get(file, b"").decode(errors="replace")) if names else []
        for name in sorted(set(names) - set(told)):
            yield Finding("runbook", file, "error", f"has no section for the alert {name}")


def counters_are_read(bundle: Bundle) -> Problems:
    """Every counter of an accelerator that an alert or a chart asks for is in the exporter's list."""
    listed = set(_FIELD.findall(bundle.files.get(COUNTERS_FILE, b"")))
    for file, content in sorted(bundle.files.items()):
        if file.startswith("monitoring/") and file != COUNTERS_FILE:
            for field in sorted(set(_FIELD.findall(content)) - listed):
                yield Finding("device-counters", file, "error", f"{field.decode()} is not in {COUNTERS_FILE}")


def _alerts(bundle: Bundle) -> list[dict[str, object]]:
    documents = bundle.parsed.get(RULES_FILE)
    groups = items(dig(documents, 0, "groups")) if isinstance(documents, list) else []
    return [rule for group in groups for rule in items(group.get("rules")) if "alert" in rule]


RULES: dict[str, Rule] = {"runbook": alerts_have_actions, "device-counters": counters_are_read}
