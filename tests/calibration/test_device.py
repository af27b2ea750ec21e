"""Learning from `planner measure`: ratios to the reference device, where they hold, and what is refused."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from planner.calibration.device import REFERENCE, learn_device
from planner.catalog import Catalog
from planner.errors import PlannerError
from planner.overlay import KERNEL_RATIO, write_overlay
from planner.search.estimate import Question, estimate


@pytest.fixture
def shipped(catalog: Catalog) -> Path:
    return catalog.folder / "measured" / "ceilings"


def slower(path: Path, out: Path, factor: float) -> Path:
    """The same measurements, every kernel `factor` times as long."""
    found = json.loads(path.read_text(encoding="utf-8"))
    for rows in (found["gemms"], found["grouped_gemms"], found["decode_attention"], found["prefill_attention"]):
        for row in rows:
            for key in ("time_s", "time_low_s", "time_high_s"):
                if row.get(key) is not None:
                    row[key] *= factor
    out.write_text(json.dumps(found), encoding="utf-8")
    return out


def test_the_reference_is_like_itself(shipped: Path, catalog: Catalog) -> None:
    answer, rows = learn_device([shipped / f"{REFERENCE}.json"], catalog)
    assert answer.setup == {"accelerator": REFERENCE}
    assert len(rows) >= 8
    for row in rows:
        assert row.name == KERNEL_RATIO and row.value == pytest.approx(1)
        assert f"{REFERENCE}.json" in row.source and row.n


def test_a_slower_board_is_slower_where_it_was_measured(shipped: Path, catalog: Catalog, tmp_path: Path) -> None:
    file = slower(shipped / f"{REFERENCE}.json", tmp_path / "mine.json", 1.25)
    _, rows = learn_device([file], catalog)
    ratios = {row.scope.split("|")[1]: row.value for row in rows}
    assert ratios["gemm_compute_efficiency"] == pytest.approx(0.8, rel=0.03)
    assert ratios["kv_memory_efficiency"] == pytest.approx(0.8, rel=0.03)
    overlay = tmp_path / "own.csv"
    write_overlay(overlay, rows)
    mine = catalog.with_calibration(overlay)
    question = Question("qwen3-32b", REFERENCE, gpus=2)
    before, after = (estimate(one, question) for one in (catalog, mine))
    assert after.serving.tpot_s > 1.1 * before.serving.tpot_s
    assert any("mine.json" in given.source for given in after.assumptions)
    other = Question("qwen3-32b", "h100-sxm-80gb", gpus=2)
    assert estimate(mine, other).serving == estimate(catalog, other).serving


def test_boards_of_one_accelerator_are_averaged(shipped: Path, catalog: Catalog, tmp_path: Path) -> None:
    file = slower(shipped / f"{REFERENCE}.json", tmp_path / "mine.json", 1.21)
    _, both = learn_device([shipped / f"{REFERENCE}.json", file], catalog)
    assert both[0].value == pytest.approx(1 / 1.1, rel=0.03)


def test_several_accelerators_are_refused(shipped: Path, catalog: Catalog) -> None:
    with pytest.raises(PlannerError, match="Give files of one accelerator"):
        learn_device([shipped / "h100-sxm-80gb.json", shipped / f"{REFERENCE}.json"], catalog)


@pytest.mark.parametrize(
    ("scope", "word"),
    [
        ("h300|gemm_compute_efficiency|fp8", "unknown accelerator"),
        ("h200-sxm-141gb|gemm_speed|fp8", "unknown kernel"),
        ("h200-sxm-141gb|gemm_compute_efficiency|fp5", "unknown precision"),
        ("h200-sxm-141gb", "give accelerator|kernel|precision"),
    ],
)
def test_a_hand_written_ratio_is_checked(
    shipped: Path, catalog: Catalog, tmp_path: Path, scope: str, word: str
) -> None:
    _, rows = learn_device([shipped / f"{REFERENCE}.json"], catalog)
    overlay = tmp_path / "own.csv"
    write_overlay(overlay, [rows[0].model_copy(update={"scope": scope})])
    with pytest.raises(PlannerError, match="line 2") as caught:
        catalog.with_calibration(overlay)
    assert word in str(caught.value)


def test_a_broken_file_names_its_key(shipped: Path, catalog: Catalog, tmp_path: Path) -> None:
    file = tmp_path / "mine.json"
    text = (shipped / f"{REFERENCE}.json").read_text(encoding="utf-8")
    file.write_text(text.replace("planner-measure/1", "planner-measure/9"), encoding="utf-8")
    with pytest.raises(PlannerError, match="planner-measure/9"):
        learn_device([file], catalog)
