"""Measured runs of exported arguments beside their predictions."""

from __future__ import annotations

import shutil
from pathlib import Path

import pytest

from planner.catalog import Catalog, load_catalog
from planner.errors import CatalogError
from planner.report.exported import runs_file, section


def rows(text: str) -> list[list[str]]:
    lines = [line for line in text.splitlines() if line.startswith("| ") and "---" not in line]
    return [[cell.strip() for cell in line.strip("|").split("|")] for line in lines[1:]]


def test_every_measured_figure_has_its_prediction(catalog: Catalog) -> None:
    found = rows(section(catalog))
    measured = runs_file(catalog).read_text(encoding="utf-8").splitlines()[1:]
    assert len(found) == len(measured) == 18
    for cells in found:
        value, predicted = (float(cell.split()[0].replace(",", "")) for cell in cells[5:7])
        assert float(cells[7].rstrip("%")) / 100 == pytest.approx(predicted / value - 1, abs=0.006)


def test_a_dense_llm_is_predicted_within_a_tenth(catalog: Catalog) -> None:
    """TPOT of the 32B distill; repeats of one configuration differ by 6 %. Waves of prompts cost throughput more."""
    dense = [c for c in rows(section(catalog)) if "32b" in c[0]]
    tpot, output = (
        [abs(float(c[7].rstrip("%"))) for c in dense if c[4].startswith(name)] for name in ("TPOT", "output")
    )
    assert len(tpot) == len(output) == 4
    assert max(tpot) <= 10 and max(output) <= 15


def test_a_row_that_cannot_be_read_is_named(tmp_path: Path, catalog: Catalog) -> None:
    shutil.copytree(catalog.folder, tmp_path / "all")
    found = load_catalog(tmp_path / "all")
    text = runs_file(found).read_text(encoding="utf-8")
    runs_file(found).write_text(text.replace("H200-SXM-141GB", "H999"), encoding="utf-8")
    with pytest.raises(CatalogError, match="E013"):
        section(found)
