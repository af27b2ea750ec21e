"""Prices from outside: what differs is shown, what is replaced is kept, and a failure changes nothing."""

from __future__ import annotations

import csv
import hashlib
import json
import shutil
import sys
from collections.abc import Callable
from dataclasses import replace
from datetime import date
from pathlib import Path
from typing import Any

import pytest

from planner.catalog import Catalog, load_catalog, newest
from planner.errors import CatalogError, PlannerError
from planner.market.compare import compare
from planner.market.offered import RECORDED, from_gpuhunt, from_quotes
from planner.market.write import history, write
from planner.search.plan import plan
from planner.workloads import load_workload

Run = Callable[..., Any]
TODAY = date(2026, 11, 26)
RECORDS = Path(__file__).resolve().parent.parent / "data" / "gpuhunt"
PROVIDERS = ("aws", "gcp", "nebius", "lambda")
HEAD = "accelerator,accelerators,term,price,currency,usd_per_unit,provider,region,source,source_date,notes\n"
QUOTES = (
    HEAD
    + "h200,8,rental_3y,12.8,,,acme,us-east-1,offer 17,2026-11-20,minimum 10 servers\n"
    + "b200,1,purchase,36000,EUR,1.1,acme,,offer 18,2026-11-21,\n"
)


@pytest.fixture
def recorded(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv(RECORDED, str(RECORDS))


@pytest.fixture
def folder(catalog: Catalog, tmp_path: Path) -> Path:
    """A copy of the catalogs that may be changed."""
    copied = tmp_path / "catalogs"
    shutil.copytree(catalog.folder, copied, ignore=shutil.ignore_patterns("measured"))
    return copied


def digest(folder: Path) -> str:
    files = sorted(path for path in folder.rglob("*") if path.is_file())
    parts = (path.relative_to(folder).as_posix().encode() + path.read_bytes() for path in files)
    return hashlib.sha256(b"".join(parts)).hexdigest()


def price(catalog: Catalog, item: str, region: str, term: str) -> float:
    rows = (p for p in newest(p for p in catalog.prices if p.usable))
    return next(
        p.price_usd_per_hour for p in rows if (p.instance_type, p.zone or p.region, p.term) == (item, region, term)
    )


def test_recorded_files_go_through_the_real_reader(recorded: None) -> None:
    found = from_gpuhunt(PROVIDERS, "2026-11-26")
    assert found.failed == () and found.left_out == {"no price, or zero": 1}
    assert {one.provider for one in found.offers} == set(PROVIDERS)
    assert all(one.source.startswith("gpuhunt 0.1.34, ") for one in found.offers)
    assert "gpu-h200-sxm_8gpu-128vcpu-1600gb" in {one.item for one in found.offers}


def test_differences_are_sorted_out(recorded: None, catalog: Catalog) -> None:
    found = compare(from_gpuhunt(PROVIDERS, "2026-11-26"), catalog)
    by = {(c.item, c.region, c.term): c for c, _ in found.changes}
    changed = by["p5.48xlarge", "us-east-1", "on_demand"]
    assert (changed.kind, changed.before_usd, changed.after_usd) == ("changed", 55.04, 49.536)
    assert changed.relative == pytest.approx(-0.1)
    assert by["p5.48xlarge", "us-west-2", "on_demand"].kind == "held back"
    assert by["p5.48xlarge", "us-east-1", "spot"].kind == "new"
    assert by["gpu-h200-sxm_8gpu-128vcpu-1600gb", "eu-north2", "on_demand"].kind == "new"
    assert by["a3-highgpu-8g", "us-central1", "spot"].after_usd == 40.0  # the cheaper of two zones
    confirmed = {(o.item, o.region) for o in found.confirmed}
    assert ("p5en.48xlarge", "us-east-2") in confirmed and ("a3-highgpu-8g", "us-central1") in confirmed
    assert found.left_out == {"no price, or zero": 1, "instance type that instances.csv does not have": 1}
    assert found.not_seen > 100


def test_written_prices_are_read_and_the_old_ones_kept(recorded: None, folder: Path) -> None:
    before = load_catalog(folder)
    found = compare(from_gpuhunt(PROVIDERS, TODAY.isoformat()), before)
    write(before, found, TODAY)
    after = load_catalog(folder)
    assert price(after, "p5.48xlarge", "us-east-1", "on_demand") == 49.536
    assert price(after, "p5.48xlarge", "us-west-2", "on_demand") == price(
        before, "p5.48xlarge", "us-west-2", "on_demand"
    )
    assert len(after.prices) == len(before.prices) + sum(c.kind == "new" for c, _ in found.changes)
    assert after.as_of == TODAY
    kept = history(folder)
    assert {"p5.48xlarge"} <= {row["instance_type"] for row in kept}
    old = next(row for row in kept if (row["instance_type"], row["region"]) == ("p5.48xlarge", "us-east-1"))
    assert old["price_usd_per_hour"] == "55.04" and old["replaced_on"] == "2026-11-26"
    dated = [p for p in after.prices if p.instance_type == "p5en.48xlarge" and p.region == "us-east-2" and not p.zone]
    assert dated[0].source_date == "2026-11-26"  # confirmed: the same price, seen today
    again = compare(from_gpuhunt(PROVIDERS, TODAY.isoformat()), after)
    assert {c.kind for c, _ in again.changes} == {"held back"}


def test_untouched_rows_keep_their_bytes(recorded: None, folder: Path) -> None:
    before = (folder / "prices.csv").read_text(encoding="utf-8").splitlines()
    catalog = load_catalog(folder)
    write(catalog, compare(from_gpuhunt(("nebius",), TODAY.isoformat()), catalog), TODAY)
    after = (folder / "prices.csv").read_text(encoding="utf-8").splitlines()
    moved = [line for line in before if line not in after]
    assert all(line.startswith("nebius,") for line in moved) and len(moved) == 1


def test_quotes_are_planned_with(folder: Path, tmp_path: Path) -> None:
    (tmp_path / "mine.csv").write_text(QUOTES, encoding="utf-8")
    before = load_catalog(folder)
    write(before, compare(from_quotes(tmp_path / "mine.csv", before), before), TODAY)
    after = load_catalog(folder)
    bought = next(p for p in after.purchases if p.item == "b200-sxm-180gb" and p.kind == "accelerator")
    assert bought.price_usd_low == bought.price_usd_high == pytest.approx(39_600)
    assert bought.source == "quote: offer 18" and "36,000 EUR" in bought.notes
    asked = {
        "supply.providers": ["acme"],
        "limits.accelerators": ["h200"],
        "limits.engines": ["vllm"],
        "supply.options": ["commitment"],
    }
    best = plan(load_workload("default", asked), after).plans[0]
    assert best.supply[0].provider == "acme" and best.supply[0].usd_per_hour == 12.8
    assert [row["item"] for row in history(folder)] == ["b200-sxm-180gb"]


@pytest.mark.parametrize(
    ("row", "part"),
    [
        ("h200,8,rental_3y,-1,,,acme,,o,2026-11-20,", "price"),
        ("h200,8,rental_3y,0,,,acme,,o,2026-11-20,", "price"),
        ("h200,8,rental_3y,9,EUR,,acme,,o,2026-11-20,", "usd_per_unit"),
        ("h200,8,purchase,9,,,acme,,o,2026-11-20,", "per accelerator"),
        ("h200,8,rental_3y,9,,,acme,,o,November,", "source_date"),
        ("h200,8,rental_3y,9,,,acme,,o,2026-13-45,", "source_date"),
        ("h299,8,rental_3y,9,,,acme,,o,2026-11-20,", "h299"),
        ("h200,8,for_ever,9,,,acme,,o,2026-11-20,", "term"),
        ("h200,8,rental_3y,9,,,,,o,2026-11-20,", "provider"),
    ],
)
def test_a_bad_quote_is_refused_by_line(catalog: Catalog, tmp_path: Path, row: str, part: str) -> None:
    (tmp_path / "mine.csv").write_text(f"{HEAD}{row}\n", encoding="utf-8")
    with pytest.raises(PlannerError, match=part) as refused:
        from_quotes(tmp_path / "mine.csv", catalog)
    assert "line 2" in str(refused.value)


@pytest.mark.parametrize("text", ["\ufeff" + QUOTES, QUOTES.replace(",", ";"), QUOTES.replace("\n", "\r\n")])
def test_quotes_as_spreadsheets_write_them(catalog: Catalog, tmp_path: Path, text: str) -> None:
    (tmp_path / "mine.csv").write_text(text, encoding="utf-8", newline="")
    (tmp_path / "plain.csv").write_text(QUOTES, encoding="utf-8")
    assert from_quotes(tmp_path / "mine.csv", catalog).offers == from_quotes(tmp_path / "plain.csv", catalog).offers


def test_columns_that_lack_are_named(catalog: Catalog, tmp_path: Path) -> None:
    (tmp_path / "mine.csv").write_text("accelerator,term\nh200,purchase\n", encoding="utf-8")
    with pytest.raises(CatalogError, match="no column price, provider, source, source_date"):
        from_quotes(tmp_path / "mine.csv", catalog)


def test_no_quotes_are_refused(catalog: Catalog, tmp_path: Path) -> None:
    (tmp_path / "mine.csv").write_text(HEAD, encoding="utf-8")
    with pytest.raises(PlannerError, match="no quotes"):
        from_quotes(tmp_path / "mine.csv", catalog)
    with pytest.raises(CatalogError):
        from_quotes(tmp_path / "none.csv", catalog)


def test_the_command_shows_and_changes_nothing(recorded: None, run_cli: Run, folder: Path) -> None:
    before = digest(folder)
    done = run_cli("catalog", "refresh", "--catalogs", str(folder))
    assert done.exit_code == 0, done.stderr
    for told in ("55.04", "49.54", "held back", "Nothing was replaced", "Not read: azure, oci"):
        assert told in done.stdout
    assert digest(folder) == before


def test_the_command_writes_and_tells_history(recorded: None, run_cli: Run, folder: Path) -> None:
    done = run_cli("catalog", "refresh", "--catalogs", str(folder), "--provider", "aws", "--write", "--json")
    assert json.loads(done.stdout)["written"] is True
    told = run_cli("catalog", "history", "p5.48xlarge", "--catalogs", str(folder))
    assert "55.04" in told.stdout
    assert "matches" in run_cli("catalog", "history", "nonsense", "--catalogs", str(folder)).stdout


def test_offline_says_so_and_changes_nothing(run_cli: Run, folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv(RECORDED, raising=False)
    monkeypatch.setenv("GPUHUNT_CATALOG_URL", "http://127.0.0.1:9/none")  # nobody listens there
    before = digest(folder)
    done = run_cli("catalog", "refresh", "--catalogs", str(folder), "--write")
    assert done.exit_code == 1 and done.stderr.startswith("planner: prices cannot be fetched")
    assert "Nothing was changed" in done.stderr and "Traceback" not in done.stderr
    assert digest(folder) == before


def test_without_gpuhunt_it_says_how_to_get_it(run_cli: Run, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "gpuhunt", None)
    done = run_cli("catalog", "refresh")
    assert done.exit_code == 1 and "[prices]" in done.stderr


def test_what_would_break_the_catalogs_is_not_written(recorded: None, folder: Path) -> None:
    catalog = load_catalog(folder)
    found = compare(from_gpuhunt(("aws",), "2026-11-26"), catalog)
    broken = tuple((change, replace(offer, source="")) for change, offer in found.changes)
    before = digest(folder)
    with pytest.raises(CatalogError, match="source"):
        write(catalog, replace(found, changes=broken), TODAY)
    assert digest(folder) == before


def test_providers_are_checked(recorded: None, run_cli: Run, tmp_path: Path) -> None:
    assert "aws" in run_cli("catalog", "refresh", "--provider", "awss").stderr
    (tmp_path / "mine.csv").write_text(QUOTES, encoding="utf-8")
    both = run_cli("catalog", "refresh", "--provider", "aws", "--quotes", str(tmp_path / "mine.csv"))
    assert both.exit_code == 1 and "one of them" in both.stderr


def test_the_recorded_files_have_the_published_columns() -> None:
    from gpuhunt._internal.storage import CATALOG_V2_FIELDS

    for file in RECORDS.glob("*.csv"):
        with file.open(encoding="utf-8", newline="") as stream:
            assert next(csv.reader(stream)) == CATALOG_V2_FIELDS
