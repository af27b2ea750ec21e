"""The question in the address of the page: a preset and the fields that differ from it.

`?preset=rag&traffic.rate_per_s=4` asks what `planner plan rag --set traffic.rate_per_s=4` asks.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from typing import Any

from planner.workloads import DEFAULT, field_value, load_workload

PRESET, LANGUAGE = "preset", "lang"
TABLES = {"prices", "unit_prices", "commitment_discounts"}  # fields of a workload


def question_of(parameters: Mapping[str, str]) -> tuple[str, dict[str, Any]]:
    """Preset and workload table of a link.

    Raises
    ------
    UnknownName, WorkloadError
        For a preset that does not exist, or a field or value that a workload cannot have.
    """
    preset = parameters.get(PRESET, DEFAULT)
    fields = {name: field_value(text) for name, text in parameters.items() if name not in (PRESET, LANGUAGE)}
    return preset, load_workload(preset, fields).model_dump(mode="json")


def parameters_of(preset: str, table: Mapping[str, Any], language: str) -> dict[str, str]:
    """Link of a question: only what differs from the preset, so that the usual link is short."""
    before, now = _flat(load_workload(preset).model_dump(mode="json")), _flat(table)
    changed = {name: value for name, value in now.items() if value is not None and before.get(name) != value}
    head = {PRESET: preset} if preset != DEFAULT else {}
    tail = {LANGUAGE: language} if language != "en" else {}
    return {**head, **{name: _text(value) for name, value in changed.items()}, **tail}


def _flat(table: Mapping[str, Any], prefix: str = "") -> dict[str, Any]:
    """Dotted names of all values; tables whose keys are names, not fields, stay whole."""
    found: dict[str, Any] = {}
    for name, value in table.items():
        if isinstance(value, Mapping) and name not in TABLES:
            found |= _flat(value, f"{prefix}{name}.")
        else:
            found[f"{prefix}{name}"] = value
    return found


def _text(value: Any) -> str:
    if isinstance(value, float) and value.is_integer():
        value = int(value)
    return value if isinstance(value, str) else json.dumps(value, separators=(",", ":"))
