"""Parameters: the shapes that the models take add up to what others computed and publishers state."""

from __future__ import annotations

import csv
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import pytest

from planner.catalog import Catalog
from planner.errors import MissingFact
from planner.models import shape
from planner.models.shape import LlmShape
from planner.shapes import llm_shape

ShapeOf = Callable[[str], LlmShape]
TABLE = Path(__file__).resolve().parent.parent / "published" / "llm_parameters.csv"
with TABLE.open(encoding="utf-8") as file:
    PUBLISHED = [row for row in csv.DictReader(file) if row["total"]]
INDEXERS = {"deepseek-v3.2", "glm-5"}  # the table leaves the indexer out, which is 0.2 to 0.5 %


@pytest.mark.parametrize("row", PUBLISHED, ids=lambda row: str(row["id"]))
def test_shape_counts_as_published(shape_of: ShapeOf, row: dict[str, str]) -> None:
    found = shape_of(row["id"])
    # 0.1 %: both sides leave norms and biases out; convolutions of hybrids are the largest rest.
    tolerance = 6e-3 if row["id"] in INDEXERS else 1e-3
    assert found.total_params == pytest.approx(float(row["total"]), rel=tolerance)
    if row["id"] not in INDEXERS:
        assert found.active_params == pytest.approx(float(row["active"]), rel=2e-3)


def test_r1_has_671_and_37_6_thousand_million(shape_of: ShapeOf) -> None:
    r1 = shape_of("deepseek-r1")
    # 58 layers x 256 experts x 3 x 7,168 x 2,048 = 653.9e9 routed; 8 of 256 are active
    assert r1.routed_expert_params == 58 * 256 * 3 * 7_168 * 2_048
    assert round(r1.total_params / 1e9, 1) == 671.0
    assert round(r1.active_params / 1e9, 1) == 37.6


def test_publishers_totals(catalog: Catalog, shape_of: ShapeOf) -> None:
    for id, llm in catalog.llms.items():
        if llm.params_total and llm.attention != "compressed":
            found = shape_of(id)
            # 5 %: publishers round, 7.25 to 7 thousand million at the coarsest.
            assert found.total_params + found.extra_params == pytest.approx(llm.params_total, rel=0.05), id


def test_attention_that_nobody_describes_is_refused(catalog: Catalog) -> None:
    with pytest.raises(MissingFact, match=r"deepseek-v4-flash.*attention geometry"):
        llm_shape("deepseek-v4-flash", catalog.llms["deepseek-v4-flash"])


def test_grouped_heads_by_hand() -> None:
    # 2 layers, width 10, 4 heads of 5, 2 key-value heads: q and o 10 x 20 each, k and v 10 x 10 each
    assert shape.gqa_attention_params(2, 10, 4, 2, 5, False) == (2 * 2 * 200, 2 * 2 * 100)
    assert shape.gqa_attention_params(2, 10, 4, 2, 5, True) == (2 * 3 * 200, 2 * 2 * 100)  # a gate as wide as q


def test_latent_without_a_compressed_query() -> None:
    # Width 10, 2 heads, latent 4, nope 3, rope 1, value 3. Query 10 x 2 x 4 = 80, up 4 x 2 x 6 = 48,
    # output 2 x 3 x 10 = 60; compression 10 x (4 + 1) = 50
    assert shape.mla_attention_params(1, 10, 2, None, 4, 3, 1, 3) == (188, 50)


def test_linear_attention_by_hand() -> None:
    # 1 layer, width 10, 2 key heads of 3, 4 value heads of 5: q, k 6 each; v, gate, output 20 each; 2 x 4 gates
    assert shape.linear_attention_params(1, 10, 2, 4, 3, 5) == 10 * (2 * 6 + 2 * 20 + 8 + 20)
    # State: 4 x 3 x 5 matrices and 3 earlier steps of 2 x 6 + 20 channels, 2 B each
    assert shape.linear_state_bytes(1, 2, 4, 3, 5, 4) == 2 * (60 + 3 * 32)
    assert shape.linear_state_bytes(1, 2, 4, 3, 5, 0) == 2 * 60


def test_a_tied_table_counts_once(small: LlmShape) -> None:
    assert small.total_params == 12e6
    assert replace(small, tied_embeddings=True).total_params == 11e6


def test_idle_experts_are_not_active(sparse: LlmShape) -> None:
    # 2 layers x 6 of 8 experts x 1 M rest
    assert sparse.total_params - sparse.active_params == 12e6
