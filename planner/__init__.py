"""Capacity planning and cost modelling for serving large language models."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from planner.bundle.write import write_bundle
    from planner.catalog import Catalog, load_catalog
    from planner.schema import Workload
    from planner.search.estimate import Question, estimate
    from planner.search.plan import plan
    from planner.search.simulated import simulate
    from planner.traces import read_trace
    from planner.workloads import load_workload

__version__ = "0.1.0"

_HOMES = {
    "Catalog": "planner.catalog",
    "load_catalog": "planner.catalog",
    "Workload": "planner.schema",
    "load_workload": "planner.workloads",
    "plan": "planner.search.plan",
    "Question": "planner.search.estimate",
    "estimate": "planner.search.estimate",
    "read_trace": "planner.traces",
    "simulate": "planner.search.simulated",
    "write_bundle": "planner.bundle.write",
}
__all__ = [
    "Catalog",
    "Question",
    "Workload",
    "estimate",
    "load_catalog",
    "load_workload",
    "plan",
    "read_trace",
    "simulate",
    "write_bundle",
]


def __getattr__(name: str) -> Any:
    """Public names load their module when first used: nothing happens at import."""
    if name not in _HOMES:
        raise AttributeError(f"module 'planner' has no attribute {name!r}")
    from importlib import import_module

    return getattr(import_module(_HOMES[name]), name)
