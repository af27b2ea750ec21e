"""Requests at once by context: hand-worked, falling with context, and the inverse."""

from __future__ import annotations

import numpy as np
import pytest

from planner.catalog import Catalog
from planner.report import holding as told
from planner.report.charts import LIGHT
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


def texts(node: object) -> list[tuple[str, object]]:
    """Foot of every zone: its name and how high it stands."""
    if isinstance(node, list):
        return [found for one in node for found in texts(one)]
    if not isinstance(node, dict):
        return []
    mark, field = node.get("mark"), (node.get("encoding", {}).get("text") or {}).get("field")
    own = [(str(field), str(mark.get("y")))] if isinstance(mark, dict) and field == "zone" else []
    return own + texts(list(node.values()))


def test_names_of_zones_stand_on_lines_of_their_own(best: Plan, catalog: Catalog) -> None:
    """On a phone both would want the same width."""
    found = told.rows(best, load_workload(changes={"limits.accelerators": ["h200-sxm-141gb"]}), catalog)
    heights = {height for _, height in texts(told.chart(found, 3000, 100, LIGHT, str))}
    assert len(heights) == 2


def test_one_request_is_one(best: Plan, catalog: Catalog) -> None:
    assert told.finding(best, catalog, 1, str).startswith("With 1 request at once")
    assert told.finding(best, catalog, 1.2, str).startswith("With 1 request at once")
    assert told.finding(best, catalog, 2_000, str).startswith("With 2,000 requests at once")
