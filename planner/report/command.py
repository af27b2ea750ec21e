"""The command that reproduces what a page shows, to be copied into a terminal."""

from __future__ import annotations

import shlex
from collections.abc import Iterable, Mapping
from functools import lru_cache
from typing import Any

from planner.schema import FleetOptions, Plan, Workload
from planner.workloads import DEFAULT, RIVALS, dotted, field_text, load_workload, presets


def command(verb: str, workload: Workload, *options: str) -> str:
    """Command line of a question: a preset, what differs from it, and further options.

    Examples
    --------
    >>> from planner.workloads import load_workload
    >>> command("plan", load_workload("rag", {"traffic.rate_per_s": 4}), "--explain")
    'planner plan rag --set traffic.rate_per_s=4 --explain'
    """
    preset, changes = nearest_preset(workload)
    words = ["planner", verb, *([] if preset == DEFAULT else [preset])]
    for field, value in changes.items():
        words += ["--set", f"{field}={field_text(value)}"]
    return spelled([*words, *options])


def estimate_command(workload: Workload, plan: Plan) -> str:
    """Command line that estimates one replica of a plan at its load."""
    layout, traffic = plan.layout, workload.traffic
    given = {
        "--llm": plan.llm,
        "--accelerator": plan.accelerator,
        "--gpus": plan.gpus_per_replica,
        **{f"--{size}": getattr(layout, size) for size in ("tp", "dp", "pp", "ep")},
        "--weights": layout.weights,
        "--kv": layout.kv,
        "--engine": plan.engine,
        "--input": traffic.input_tokens,
        "--output": traffic.output_tokens,
        "--concurrency": max(round(plan.serving.running_sequences), 1),
        "--site": workload.site,
    }
    if traffic.prefix_hit_rate:
        given["--prefix-hit-rate"] = traffic.prefix_hit_rate
    return spelled(["planner", "estimate", *(str(word) for pair in given.items() for word in pair)])


def simulate_options(
    rank: int, replicas: int | None, drop_longer: bool, busiest_h: float | None, seed: int, fleet: FleetOptions
) -> list[str]:
    """Options of `planner simulate` beside the workload."""
    words = ["--plan", str(rank)] if rank > 1 else []
    words += ["--replicas", str(replicas)] if replicas else []
    words += ["--drop-longer"] if drop_longer else []
    words += ["--busiest", f"{busiest_h:g}"] if busiest_h else []
    words += ["--seed", str(seed)] if seed else []
    for section, fields in fleet.model_dump(mode="json", exclude_none=True).items():
        usual = type(getattr(fleet, section)).model_fields
        flags = {"autoscale": ["--autoscale", "all"], "surge": ["--surge", field_text(fields.get("factor"))]}
        words += flags.get(section, [f"--{section}"])
        own = {k: v for k, v in getattr(fleet, section).model_dump(mode="json").items() if v != usual[k].default}
        for name, value in own.items():
            if (section, name) != ("surge", "factor") and (section, name) != ("autoscale", "rules"):
                words += ["--fleet", f"{section}.{name}={field_text(value)}"]
    return words


def spelled(words: Iterable[str]) -> str:
    """Words as a shell takes them.

    Examples
    --------
    >>> spelled(["planner", "plan", "--set", "name=two words"])
    "planner plan --set 'name=two words'"
    """
    return " ".join(shlex.quote(word) for word in words)


def nearest_preset(workload: Workload) -> tuple[str, dict[str, Any]]:
    """The preset from which the fewest fields differ, and those, by dotted name."""
    now = dotted(workload.model_dump(mode="json"))
    found = [(name, _changes(before, now)) for name, before in _presets()]
    return min(found, key=lambda one: len(one[1]))


@lru_cache(maxsize=1)
def _presets() -> tuple[tuple[str, dict[str, Any]], ...]:
    return tuple((name, dotted(load_workload(name).model_dump(mode="json"))) for name in presets())


def _changes(before: Mapping[str, Any], now: Mapping[str, Any]) -> dict[str, Any]:
    changed = {name: value for name, value in now.items() if before.get(name) != value}
    return {name: value for name, value in changed.items() if value is not None or name not in RIVALS}
