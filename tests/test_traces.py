"""Traces that ship: as their rows say."""

from __future__ import annotations

import shutil
from pathlib import Path

import pytest

from planner.catalog import Catalog, load_catalog
from planner.errors import CatalogError, UnknownName
from planner.traces import check_files, load_profile, load_trace

REQUESTS = ["azure-conv", "azure-code", "mooncake", "servegen-r1"]
RATES = ["servegen-large", "servegen-mid", "servegen-small", "servegen-r1-day"]


def test_every_file_is_as_its_row_says(catalog: Catalog) -> None:
    assert check_files(catalog) == len(catalog.traces) == 9
    assert {row.file for row in catalog.traces.values()} == {p.name for p in (catalog.folder / "traces").iterdir()}


@pytest.mark.parametrize("name", REQUESTS)
def test_a_trace_is_as_its_row_says(catalog: Catalog, name: str) -> None:
    trace, row = load_trace(name, catalog), catalog.traces[name]
    assert len(trace) == row.rows
    assert trace.duration_s == pytest.approx(row.duration_s)
    assert trace.rate_per_s == pytest.approx(row.rate_per_s, rel=1e-4)


@pytest.mark.parametrize("name", RATES)
def test_a_profile_is_as_its_row_says(catalog: Catalog, name: str) -> None:
    profile, row = load_profile(name, catalog), catalog.traces[name]
    assert len(profile.rate_per_s) == row.rows
    assert profile.step_s * row.rows == row.duration_s
    assert profile.rate_per_s.mean() == pytest.approx(row.rate_per_s, rel=1e-4)


def test_an_unknown_trace_is_told_the_known_ones(catalog: Catalog) -> None:
    with pytest.raises(UnknownName, match=r"unknown trace 'azure-con'\. Nearest: 'azure-con"):
        load_trace("azure-con", catalog)
    with pytest.raises(UnknownName, match="unknown rate profile 'azure-conv'"):
        load_profile("azure-conv", catalog)


def test_a_changed_file_is_refused(tmp_path: Path) -> None:
    folder = shutil.copytree(load_catalog().folder, tmp_path / "catalogs")
    file = folder / "traces" / "azure-code.csv.gz"
    file.write_bytes(file.read_bytes()[:-1])
    with pytest.raises(CatalogError, match=r"\[azure-code\]: azure-code.csv.gz has the checksum"):
        check_files(load_catalog(folder))
    file.unlink()
    with pytest.raises(CatalogError, match="cannot read catalog file"):
        check_files(load_catalog(folder))
