"""A user's own figures where they hold: on their set-up they replace the catalog's, elsewhere nothing changes."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from dataclasses import replace
from typing import Any

import numpy as np

from planner.catalog import Catalog
from planner.models.operators import Efficiency, Placement
from planner.overlay import KERNEL_RATIO, MEASURED, SCALARS, measured_scope, own_scope
from planner.schema import Parameter
from planner.search.columns import Array, Candidates, Index

OF_EFFICIENCY = ("prompt_overhead", "ingest_s")


def tune(
    catalog: Catalog, llm_id: str, candidates: Candidates, placed: Placement, eff: Efficiency
) -> tuple[Placement, Efficiency]:
    """Placement and scalars with own figures in the rows of set-ups that have them.

    Scalars of the efficiency become columns of length n where they do.
    """
    if not any(own(candidates, catalog, llm_id)):
        return placed, eff
    factor = _column(catalog, "time_factor", llm_id, candidates, placed.time_factor)
    one = np.ones(len(candidates))
    changed: dict[str, Any] = {
        name: _column(catalog, name, llm_id, candidates, one * getattr(eff, name)) for name in OF_EFFICIENCY
    }
    return replace(placed, time_factor=factor), replace(eff, **changed)


def own(candidates: Candidates, catalog: Catalog, llm_id: str) -> Index:
    """For each candidate 0 where the catalog's figures hold, else 1 + the position of its engine."""
    known = _by_setup(candidates, lambda accelerator, engine: bool(own_rows(catalog, accelerator, llm_id, engine)))
    return np.where(known > 0, 1 + candidates.engine, 0)


def own_rows(catalog: Catalog, accelerator_id: str, llm_id: str, engine_id: str) -> list[Parameter]:
    """Scalars that were measured on a set-up."""
    scope = own_scope(accelerator_id, llm_id, engine_id)
    found = (catalog.calibration.get((name, scope)) for name in SCALARS)
    return [row for row in found if row is not None]


def own_names(catalog: Catalog, setups: Iterable[tuple[str, str, str]]) -> tuple[tuple[str, str], ...]:
    """Names and scopes of own figures of some set-ups (accelerator, LLM, engine), each once."""
    asked = list(setups)
    rows = [(row.name, row.scope) for setup in asked for row in own_rows(catalog, *setup)]
    devices = {accelerator for accelerator, _, _ in asked}
    rows += [key for key in catalog.calibration if key[0] == KERNEL_RATIO and key[1].split("|")[0] in devices]
    return tuple(dict.fromkeys(rows))


def scope_for(catalog: Catalog, name: str, setup: tuple[str, str, str], otherwise: str = "") -> str:
    """Scope whose figure holds for a set-up (accelerator, LLM, engine): its own, else the one of the catalog."""
    scope = own_scope(*setup)
    return scope if (name, scope) in catalog.calibration else otherwise


def was_measured(catalog: Catalog, accelerator_id: str, weights: str, llm_id: str, engine_id: str) -> bool:
    """Did the user measure this very set-up in this precision?"""
    return (MEASURED, measured_scope(accelerator_id, weights, llm_id, engine_id)) in catalog.calibration


def _column(catalog: Catalog, name: str, llm_id: str, candidates: Candidates, otherwise: Array) -> Array:
    """A figure by accelerator and engine; `otherwise` where the user has none."""

    def value(accelerator: str, engine: str) -> float:
        row = catalog.calibration.get((name, own_scope(accelerator, llm_id, engine)))
        return np.nan if row is None else row.value

    column = _by_setup(candidates, value)
    return np.where(np.isnan(column), otherwise, column)


def _by_setup(candidates: Candidates, value: Callable[[str, str], float]) -> Array:
    """A figure of each accelerator and engine, as a column of candidates."""
    table = [[value(a, e) for e in candidates.engine_ids] for a in candidates.accelerator_ids]
    return np.array(table, float)[candidates.accelerator, candidates.engine]
