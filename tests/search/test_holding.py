"""Requests at once by context: hand-worked, falling with context, and the inverse."""

from __future__ import annotations

import numpy as np
import pytest

from planner.catalog import Catalog
from planner.schema import Plan
from planner.search.holding import held, longest_context
from planner.search.plan import plan
from planner.workloads import load_workload


@pytest.fixture(scope="module")
def best(catalog: Catalog) -> Plan:
    return plan(load_workload(changes={"limits.accelerators": ["h200-sxm-141gb"]}), catalog, 1).plans[0]


def test_hand_worked(best: Plan, catalog: Catalog) -> None:
    """DeepSeek-R1 keeps 61 x 576 values a token; a latent is whole on every tensor-parallel rank, layers are staged."""
    width = 1 if best.layout.kv == "fp8" else 2
    layers = -(-61 // best.layout.pp)  # of the fullest stage
    per_rank = np.floor(best.memory.kv_room_bytes_per_gpu / (layers * 576 * width * 8192))
    assert held(best, catalog, [8192])[0] == per_rank * best.layout.dp * best.replicas


def test_longer_contexts_never_hold_more(best: Plan, catalog: Catalog) -> None:
    found = held(best, catalog, [2.0**n for n in range(8, 18)])
    assert (np.diff(found) <= 0).all()


def test_the_longest_context_is_the_last_that_fits(best: Plan, catalog: Catalog) -> None:
    most = longest_context(best, catalog, 500)
    assert held(best, catalog, [most])[0] >= 500 > held(best, catalog, [most + 1])[0]
    assert longest_context(best, catalog, 1e9) == 0
    assert longest_context(best, catalog, 1) == catalog.llms["deepseek-r1"].max_context_tokens
