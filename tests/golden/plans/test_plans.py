"""The presets' plans as they were when somebody last looked."""

from __future__ import annotations

import json
from typing import Any

import pytest

from planner.workloads import presets
from tests.golden.refresh_plans import COMMAND, FOLDER, headlines


@pytest.mark.parametrize("preset", presets())
def test_plans_are_as_before(preset: str) -> None:
    before = json.loads((FOLDER / f"{preset}.json").read_text(encoding="utf-8"))
    moved = differences(before, headlines(preset))
    assert not moved, "\n".join([*moved, f"If this is meant: {COMMAND}, and read the difference."])


def differences(before: list[dict[str, Any]], now: list[dict[str, Any]]) -> list[str]:
    """Figures that moved by more than 1e-6 (floating point differs between processors) and words that changed."""
    found = [f"{len(before)} plans became {len(now)}"] if len(before) != len(now) else []
    for old, new in zip(before, now, strict=False):
        for name in old.keys() | new.keys():
            was, became = old.get(name), new.get(name)
            same = was == became
            if isinstance(was, float) and isinstance(became, float):
                same = became == pytest.approx(was, rel=1e-6)
            if not same:
                found.append(f"rank {old['rank']}: {name} was {was}, is {became}")
    return found


def test_every_golden_plan_has_its_preset() -> None:
    assert {file.stem for file in FOLDER.glob("*.json")} == set(presets())
