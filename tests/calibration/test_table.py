"""Rows of calibration.csv as a fit changes them."""

from __future__ import annotations

import shutil
from pathlib import Path

import pytest

from planner.calibration.bands import Interval
from planner.calibration.table import band_row, read_rows, replace_rows, set_values, stamp
from planner.catalog import Catalog, load_catalog


@pytest.fixture
def own(tmp_path: Path, catalog: Catalog) -> Catalog:
    """A copy of the catalogs that may be written."""
    shutil.copytree(catalog.folder, tmp_path / "catalogs")
    return load_catalog(tmp_path / "catalogs")


def test_unchanged_rows_are_written_as_they_were(own: Catalog) -> None:
    before = (own.folder / "calibration.csv").read_bytes()
    replace_rows(own, read_rows(own))
    assert (own.folder / "calibration.csv").read_bytes() == before
    assert not list(own.folder.glob("*.new"))


def test_only_named_rows_change(own: Catalog) -> None:
    then, rows = own.calibration, read_rows(own)
    set_values(rows, {("host_step_s", ""): 1.23456e-3}, {"source": "here", "n": "7"})
    replace_rows(own, rows)
    now = load_catalog(own.folder).calibration
    changed = [key for key in now if now[key] != then[key]]
    assert changed == [("host_step_s", "")]
    row = now["host_step_s", ""]
    assert (row.value, row.source, row.n) == (1.235e-3, "here", 7)


def test_an_interval_is_a_valid_row(own: Catalog) -> None:
    rows = [r for r in read_rows(own) if not r["name"].startswith("band_")]
    about = stamp(own, [own.folder / "measured" / "points.csv.gz"])
    replace_rows(own, [*rows, band_row("band_tpot", "calibrated", Interval(0.8, 1.25, 99), "TPOT", "curves", about)])
    row = load_catalog(own.folder).parameter("band_tpot", "calibrated")
    assert (row.low, row.high, row.n) == (0.8, 1.25, 99)
    assert about["dataset"].startswith("measured/ points.csv.gz ")
