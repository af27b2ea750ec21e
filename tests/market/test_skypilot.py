"""Recorded files of SkyPilot's catalog go through the command: shown first, kept when replaced, refused when broken."""

from __future__ import annotations

import json
import shutil
from collections.abc import Callable
from datetime import date
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from planner.catalog import Catalog, load_catalog
from planner.errors import CatalogError, PlannerError, UnknownName
from planner.market.compare import OLDER, UNKNOWN_SHAPE, compare
from planner.market.offered import Fetched, refuse_future
from planner.market.skypilot import NO_SPOT, OTHER_COUNT, from_skypilot
from planner.market.write import history, write

Run = Callable[..., Any]
RECORDS = Path(__file__).resolve().parent.parent / "data" / "skypilot"
DAY = "2026-10-01"  # the recordings carry no date: taken to be of this day
TODAY = date(2026, 11, 26)
HEAD = "InstanceType,AcceleratorName,AcceleratorCount,Price,SpotPrice,Region,AvailabilityZone\n"


@pytest.fixture
def folder(catalog: Catalog, tmp_path: Path) -> Path:
    copied = tmp_path / "catalogs"
    shutil.copytree(catalog.folder, copied, ignore=shutil.ignore_patterns("measured"))
    return copied


def recorded(cloud: str, catalog: Catalog, dated: str = DAY) -> Fetched:
    return from_skypilot(RECORDS / cloud / "vms.csv", "", dated, catalog)


def texts(folder: Path) -> dict[str, bytes]:
    return {path.relative_to(folder).as_posix(): path.read_bytes() for path in folder.rglob("*") if path.is_file()}


def test_amazons_recording(catalog: Catalog) -> None:
    """Counted in the file: 17 on-demand prices by region, 31 Spot prices by zone, 8 that equal on-demand."""
    fetched = recorded("aws", catalog)
    spot = {(o.item, o.zone): o.price_usd for o in fetched.offers if o.term == "spot"}
    rented = {(o.item, o.region): o.price_usd for o in fetched.offers if o.term == "on_demand"}
    assert len(spot) == 31 and fetched.left_out == {NO_SPOT: 8}
    assert len(rented) == 17 and all(not o.zone for o in fetched.offers if o.term == "on_demand")
    assert rented["p5.48xlarge", "us-east-1"] == 55.04 and spot["p5.48xlarge", "use1-az2"] == 19.2531
    assert "use1-az1" not in {zone for item, zone in spot if item == "p5.48xlarge"}  # 55.04 of 55.04


def test_spot_is_compared_by_zone(catalog: Catalog) -> None:
    found = compare(recorded("aws", catalog), catalog)
    by = {(c.item, c.region): c for c, _ in found.changes}
    moved = by["p5.48xlarge", "usw2-az2"]
    assert (moved.kind, moved.before_usd, moved.after_usd) == ("changed", 19.3455, 12.9785)
    assert moved.relative == pytest.approx(12.9785 / 19.3455 - 1)
    assert all(c.term == "spot" for c in by.values())  # AWS's list is as the catalogs have it, in 17 regions
    assert len([o for o in found.confirmed if o.term == "on_demand"]) == 17


def test_one_price_in_all_regions_is_one_row(catalog: Catalog) -> None:
    found = compare(recorded("lambda", catalog), catalog)
    assert found.changes == () and len(found.confirmed) == 4
    assert {o.region for o in found.confirmed} == {"all regions (flat)"}


def test_what_the_catalogs_do_not_know_is_left_out(catalog: Catalog) -> None:
    found = compare(recorded("oci", catalog), catalog)
    assert found.changes == () and found.left_out[UNKNOWN_SHAPE] == 20
    nebius = compare(recorded("nebius", catalog), catalog)
    assert {(c.kind, c.item, c.region) for c, _ in nebius.changes} == {
        ("new", "gpu-h200-sxm_1gpu-16vcpu-200gb", region) for region in ("eu-west1", "us-central1")
    }


def test_an_older_recording_replaces_nothing_newer(catalog: Catalog) -> None:
    """Amazon's list in the catalogs is of July 2026; a file of 2025 is older than every price."""
    found = compare(recorded("aws", catalog, "2026"), catalog)
    assert found.left_out[OLDER] == 2
    old = compare(recorded("aws", catalog, "2025-06"), catalog)
    assert not [c for c, _ in old.changes if c.kind != "new"] and old.confirmed == ()


def test_written_and_kept(folder: Path) -> None:
    before = load_catalog(folder)
    write(before, compare(recorded("aws", before), before), TODAY)
    after = load_catalog(folder)
    zone = next(p for p in after.prices if p.instance_type == "p5.48xlarge" and p.zone == "usw2-az2" and p.usable)
    assert (zone.region, zone.price_usd_per_hour, zone.source_date) == ("us-west-2", 12.9785, DAY)
    assert zone.price_usd_per_gpu_hour == pytest.approx(12.9785 / 8) and zone.confidence == "medium"
    fresh = next(p for p in after.prices if p.zone == "use1-az2" and p.instance_type == "p5.48xlarge" and p.usable)
    assert fresh.source == "skypilot-catalog, skypilot/aws/vms.csv"
    old = {(row["instance_type"], row["zone"]): row["price_usd_per_hour"] for row in history(folder)}
    assert old["p5.48xlarge", "usw2-az2"] == "19.3455" and len(old) == 28
    again = compare(recorded("aws", after), after)
    assert again.changes == ()


def test_the_command_shows_first_and_writes_when_told(run_cli: Run, folder: Path) -> None:
    file, before = str(RECORDS / "aws" / "vms.csv"), texts(folder)
    asked = ("catalog", "refresh", "--catalogs", str(folder), "--skypilot", file, "--dated", DAY)
    shown = run_cli(*asked)
    assert shown.exit_code == 0, shown.stderr
    assert "usw2-az2" in shown.stdout and "12.98" in shown.stdout and "Nothing was replaced" in shown.stdout
    assert texts(folder) == before
    written = json.loads(run_cli(*asked, "--write", "--json").stdout)
    assert written["written"] is True and written["left_out"] == {NO_SPOT: 8}
    changed = {name for name, text in texts(folder).items() if before.get(name) != text}
    assert changed == {"prices.csv", "catalog.toml", "history/prices.csv"}
    assert "19.3455" in run_cli("catalog", "history", "p5.48xlarge", "--catalogs", str(folder)).stdout


@pytest.mark.parametrize(
    ("options", "told"),
    [
        (("--dated", ""), "carry no date"),
        (("--dated", "last week"), "YYYY-MM-DD"),
        (("--dated", "2026-02-30"), "YYYY-MM-DD"),
        (("--dated", "2099"), "in the future"),
        (("--dated", DAY, "--provider", "awss"), "aws"),
        (("--dated", DAY, "--provider", "aws", "--provider", "oci"), "one --provider"),
        (("--dated", DAY, "--quotes", "mine.csv"), "one of them"),
    ],
)
def test_what_is_asked_wrongly_is_refused(run_cli: Run, folder: Path, options: tuple[str, ...], told: str) -> None:
    before = texts(folder)
    asked = ("catalog", "refresh", "--catalogs", str(folder), "--skypilot", str(RECORDS / "aws" / "vms.csv"))
    done = run_cli(*asked, *options, "--write")
    assert done.exit_code == 1 and told in done.stderr and "Traceback" not in done.stderr
    assert texts(folder) == before


def test_googles_file_is_refused(catalog: Catalog, run_cli: Run) -> None:
    """Its 5.48 USD for four H100s is the host's price alone."""
    with pytest.raises(PlannerError, match="host and accelerators apart"):
        recorded("gcp", catalog)
    assert "is the date of a --skypilot file" in run_cli("catalog", "refresh", "--dated", DAY).stderr


@pytest.mark.parametrize(
    ("row", "part"),
    [
        ("p5.48xlarge,H100,8,-1,,us-east-1,", "Price"),
        ("p5.48xlarge,H100,8,nan,,us-east-1,", "Price"),
        ("p5.48xlarge,H100,8,cheap,,us-east-1,", "Price"),
        ("p5.48xlarge,H100,0,55,,us-east-1,", "AcceleratorCount"),
        ("p5.48xlarge,H100,8,55,inf,us-east-1,", "SpotPrice"),
        ("p5.48xlarge,H100,8,55,,=cmd|calc,", "Region"),
        ("p5.48xlarge,H100,8,55,,,", "Region"),
        ("p5.48xlarge,H100,8,55,20,us-east-1,../../x", "AvailabilityZone"),
        ("p5.48xlarge,H100,8", "cells"),
        ('p5.48xlarge,H100,8,"55,,us-east-1,', "CSV"),
    ],
)
def test_a_broken_row_is_refused_by_line(catalog: Catalog, tmp_path: Path, row: str, part: str) -> None:
    file = tmp_path / "vms.csv"
    file.write_text(f"{HEAD}p5.48xlarge,H100,8,55,,us-east-1,\n{row}\n", encoding="utf-8")
    with pytest.raises(CatalogError, match=part) as refused:
        from_skypilot(file, "aws", DAY, catalog)
    assert "line 3" in str(refused.value)


@pytest.mark.parametrize("content", [b"", b"\xff\xfe\x00", b"PK\x03\x04", b"a,b\n1,2\n", HEAD.encode()])
def test_what_is_no_such_file_is_refused(catalog: Catalog, tmp_path: Path, content: bytes) -> None:
    (tmp_path / "vms.csv").write_bytes(content)
    with pytest.raises(PlannerError):
        from_skypilot(tmp_path / "vms.csv", "aws", DAY, catalog)
    with pytest.raises(CatalogError, match="cannot read"):
        from_skypilot(tmp_path / "none.csv", "aws", DAY, catalog)
    with pytest.raises(PlannerError, match="whose prices"):
        from_skypilot(tmp_path / "vms.csv", "", DAY, catalog)
    with pytest.raises(UnknownName):
        from_skypilot(tmp_path / "vms.csv", "acme", DAY, catalog)


def test_zero_is_no_price_and_counts_must_agree(catalog: Catalog, tmp_path: Path) -> None:
    rows = "p5.48xlarge,H100,8,0,0,us-east-1,\np5.48xlarge,H100,4,27,,us-east-1,\np5.4xlarge,H100,1,6.88,,us-east-1,\n"
    (tmp_path / "vms.csv").write_text(HEAD + rows, encoding="utf-8")
    found = from_skypilot(tmp_path / "vms.csv", "aws", DAY, catalog)
    assert found.left_out == {"no price, or zero": 2, OTHER_COUNT: 1}
    assert [(o.item, o.price_usd) for o in found.offers] == [("p5.4xlarge", 6.88)]
    with pytest.raises(PlannerError, match="in the future"):
        refuse_future(found, date(2026, 9, 30))


@settings(max_examples=60, deadline=None)
@given(st.lists(st.text(alphabet='p5.48xlargeH1,"\n=-0x', max_size=40), max_size=6))
def test_no_text_is_a_bug(catalog: Catalog, tmp_path_factory: pytest.TempPathFactory, lines: list[str]) -> None:
    file = tmp_path_factory.mktemp("vms") / "vms.csv"
    file.write_text(HEAD + "\n".join(lines), encoding="utf-8")
    try:
        found = from_skypilot(file, "aws", DAY, catalog)
    except PlannerError:
        return
    assert all(offer.price_usd > 0 for offer in found.offers)
