"""Every row of every fact and price file: it validates, says where it comes from, and none has got lost."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Mapping

import pytest

from planner.catalog import Catalog
from planner.schema import Sourced

# Rows in the raw collection that the files were made from: a row may be added, never dropped unseen.
ROWS_AT_LEAST = {
    "accelerators": 32,
    "cpus": 15,
    "drives": 19,
    "network": 17,
    "servers": 91,
    "instances": 225,
    "prices": 2130,
    "owned_hours": 18,  # with the prices, the 2148 rows of the raw price table
    "purchases": 21,
    "api_prices": 675,
    "site_metrics": 134,
    "sites": 16,
    "spot": 34,
    "spot_pairs": 36,
    "spot_advice": 790,
    "traces": 9,
    "held_rates": 6,
}
KINDS = sorted(ROWS_AT_LEAST)

# (accelerator, column, figure): datasheet and driver figures copied by hand from the raw table.
MIB = 2**20
FROZEN = [
    ("a6000-48gb", "bandwidth_bytes_per_s", 768e9),
    ("a100-pcie-40gb", "bandwidth_bytes_per_s", 1.555e12),
    ("a100-sxm-80gb", "bandwidth_bytes_per_s", 2.039e12),
    ("a100-sxm-80gb", "memory_visible_bytes", 81_920 * MIB),
    ("a800-sxm-80gb", "scaleup_bytes_per_s", 200e9),
    ("l40s-48gb", "memory_visible_bytes", 46_068 * MIB),
    ("l4-24gb", "memory_visible_bytes", 23_034 * MIB),
    ("h20-96gb", "bandwidth_bytes_per_s", 4.0e12),
    ("h100-sxm-80gb", "memory_visible_bytes", 81_559 * MIB),
    ("h100-sxm-80gb", "bandwidth_bytes_per_s", 3.35e12),
    ("h100-sxm-80gb", "scaleup_bytes_per_s", 450e9),
    ("h100-sxm-80gb", "tdp_w", 700),
    ("h200-sxm-141gb", "memory_visible_bytes", 143_771 * MIB),
    ("h200-sxm-141gb", "bandwidth_bytes_per_s", 4.8e12),
    ("b200-sxm-180gb", "memory_visible_bytes", 183_359 * MIB),
    ("b200-sxm-180gb", "bandwidth_bytes_per_s", 7.7e12),
    ("b300-sxm-288gb", "memory_visible_bytes", 275_040 * MIB),
    ("gb200-192gb", "memory_visible_bytes", 189_471 * MIB),
    ("gb200-192gb", "scaleup_domain_gpus", 72),
    ("mi300x-192gb", "bandwidth_bytes_per_s", 5.3e12),
    ("mi300x-192gb", "scaleup_bytes_per_s", 448e9),
    ("ascend910c-128gb", "scaleup_domain_gpus", 384),
]
FROZEN_DENSE_PEAKS = [
    ("a100-sxm-80gb", "bf16", 312e12),
    ("h20-96gb", "bf16", 148e12),
    ("h100-sxm-80gb", "bf16", 989.4e12),
    ("h100-sxm-80gb", "fp8", 1978.9e12),  # 3958 is the sparse figure
    ("b200-sxm-180gb", "fp4", 9000e12),
    ("b300-sxm-288gb", "int8", 153.5e12),  # nearly removed, not a typing error
    ("gb300-288gb", "int8", 165e12),
    ("mi300x-192gb", "bf16", 1307e12),
    ("ascend910c-128gb", "bf16", 752e12),
]


def rows_of(catalog: Catalog, kind: str) -> Iterable[Sourced]:
    held = getattr(catalog, kind)
    return held.values() if isinstance(held, Mapping) else held


@pytest.mark.parametrize("kind", KINDS)
def test_no_row_is_lost(catalog: Catalog, kind: str) -> None:
    assert len(list(rows_of(catalog, kind))) >= ROWS_AT_LEAST[kind]


@pytest.mark.parametrize("kind", KINDS)
def test_every_row_names_source_date_and_confidence(catalog: Catalog, kind: str) -> None:
    for row in rows_of(catalog, kind):
        assert row.source and row.confidence in {"high", "medium", "low"}, row
        assert row.dated <= catalog.as_of, f"dated after the catalogs were closed: {row}"


@pytest.mark.parametrize("kind", KINDS)
def test_an_undated_or_unread_source_is_never_high(catalog: Catalog, kind: str) -> None:
    for row in rows_of(catalog, kind):
        if "not retrieved" in row.source:
            assert row.confidence == "low", row


@pytest.mark.parametrize(("id", "column", "figure"), FROZEN)
def test_datasheet_figures(catalog: Catalog, id: str, column: str, figure: float) -> None:
    assert getattr(catalog.accelerators[id], column) == pytest.approx(figure, rel=1e-12)


@pytest.mark.parametrize(("id", "dtype", "figure"), FROZEN_DENSE_PEAKS)
def test_dense_peaks(catalog: Catalog, id: str, dtype: str, figure: float) -> None:
    peaks = {str(name): value for name, value in catalog.accelerators[id].peak_flops_per_s.items()}
    assert peaks[dtype] == pytest.approx(figure, rel=1e-12)


def test_price_history_is_kept(catalog: Catalog) -> None:
    # Lambda's 8 x H100 rose from 27.52 to 31.92 USD/h in 2026: both rows stay, the later one is newer.
    rows = [row for row in catalog.prices if row.instance_type == "gpu_8x_h100_sxm5"]
    newest_first = sorted(rows, key=lambda row: row.dated, reverse=True)
    assert [row.price_usd_per_hour for row in newest_first] == [31.92, 27.52]


@pytest.mark.parametrize("kind", ["prices", "instances"])
def test_no_two_rows_say_the_same_thing(catalog: Catalog, kind: str) -> None:
    columns = ("provider", "instance_type", "region", "zone", "term", "source_date")
    used = columns if kind == "prices" else columns[:2]
    seen = Counter(tuple(getattr(row, column) for column in used) for row in rows_of(catalog, kind))
    assert [key for key, count in seen.items() if count > 1] == []


def test_each_purchase_is_one_row(catalog: Catalog) -> None:
    seen = Counter((row.item, row.kind) for row in catalog.purchases)
    assert [key for key, count in seen.items() if count > 1] == []


def test_an_accelerator_name_means_one_thing(catalog: Catalog) -> None:
    names = [*catalog.accelerators, *(a for row in catalog.accelerators.values() for a in row.aliases)]
    assert [name for name, count in Counter(names).items() if count > 1] == []


@pytest.mark.parametrize(
    ("asked", "id"),
    [
        ("a100", "a100-sxm-80gb"),
        ("H100", "h100-sxm-80gb"),
        ("RTX A6000", "a6000-48gb"),
        ("gb200_nvl72", "gb200-192gb"),
    ],
)
def test_synonyms(catalog: Catalog, asked: str, id: str) -> None:
    assert catalog.accelerator_id(asked) == id


def test_references_between_files_resolve(catalog: Catalog) -> None:
    known = set(catalog.accelerators)
    shapes = {(row.provider, row.instance_type) for row in catalog.instances}
    assert {row.accelerator for row in catalog.instances if row.accelerator} <= known
    assert {row.accelerator for row in catalog.servers.values() if row.accelerator} <= known
    assert {row.accelerator for row in catalog.owned_hours} <= known
    assert {row.item for row in catalog.purchases if row.kind == "accelerator"} <= known
    assert {(row.provider, row.instance_type) for row in catalog.prices} <= shapes
    assert {row.llm for row in catalog.api_prices if row.llm} <= set(catalog.llms)
