"""The article's claims: the verdicts that its figures must get, and that they move with catalog and claim."""

from __future__ import annotations

import re
import shutil
import sys
from dataclasses import replace
from pathlib import Path

import pytest

from planner.audit import audit, read_claims
from planner.audit.claims import parse_claims
from planner.catalog import Catalog, load_catalog
from planner.schema import Audited, AuditResult

# What must be found, and figures that the finding must show (hand-worked from datasheets and configs).
EXPECTED = {
    "A1": ("refuted", "1.935 TB/s", "1.555"),
    "A2": ("refuted", "768 GB/s", "2.52"),
    "A3": ("refuted", "156 TFLOPS", "bf16"),
    "A4": ("conditional", "300 GB/s", "2 cards, not 8"),
    "A5": ("refuted", "65.5 GB", "4.43 GB"),  # 64 layers x 2 x 8 heads x 128 x 2 B x 16,896 tokens
    "B1": ("refuted", "DDR4", "204.8 GB/s"),
    "B2": ("holds", "64; 128; 128; 4"),
    "B3": ("conditional", "35.2 %"),  # 1 - (280/64) / (270/40)
    "C1": ("holds", "28.8 GB/s", "PCIe 4.0"),
    "C2": ("conditional", "26.4 GB/s", "RAID 0 loses everything"),
    "D1": ("uncheckable", "No baseline", "cannot be time to first token"),
    "D2": ("holds", "44.4 %"),
    "D3": ("refuted", "NVLink"),
    "E1": ("refuted", "673 GB", "1.34 TB", "fits in INT4"),
    "E2": ("refuted", "206 GB", "deepseek-r1-distill-qwen-32b"),
    "E3": ("conditional", "352 GB", "stream"),
    "E4": ("refuted", "300 W", "400 W"),
    "E5": ("refuted", "3,600", "1,200"),
    "E6": ("refuted", "0.2 token/s/W", "100 %"),
    "E7": ("refuted", "As time to first token it cannot be", "As time per token it is possible"),
    "F1": ("refuted", "resource-keys: autoscaling", "request 2 and limit 4", "never scales"),
    "F2": ("refuted", "no training steps"),
    "F3": ("holds", "every 30 s, 5 in a row"),
    "G1": ("conditional", "of the hours on Spot", "99.9 %"),
    "G2": ("conditional", "cases reach it", "5 y from 95 % load", "against on demand at $3.50/h", "committed at"),
    "H1": ("conditional", "peak 2×"),
    "H2": ("conditional", "73.8 %"),
    "H3": ("refuted", "50 GB/s", "Bits were taken for bytes"),
    "H4": ("conditional", "fit (DP8 EP8)"),
}


@pytest.fixture(scope="module")
def article(catalog: Catalog) -> AuditResult:
    return audit(read_claims("article"), catalog)


def of(found: AuditResult, id: str) -> Audited:
    return next(one for one in found.claims if one.id == id)


def test_nothing_of_the_article_is_refused(article: AuditResult) -> None:
    assert not article.refused
    assert [one.id for one in article.claims] == list(EXPECTED)
    assert sum(article.counts().values()) == len(EXPECTED)


@pytest.mark.parametrize("id", EXPECTED)
def test_each_claim_gets_its_verdict(article: AuditResult, id: str) -> None:
    verdict, *figures = EXPECTED[id]
    one = of(article, id)
    assert one.verdict == verdict
    for figure in figures:
        assert figure in f"{one.computed} {one.reason}"


def test_a_manifest_is_judged_without_the_packages_of_the_checks(
    catalog: Catalog, monkeypatch: pytest.MonkeyPatch
) -> None:
    """As after `make run`: own rules find what is wrong, and what was not checked is said."""
    monkeypatch.setitem(sys.modules, "kubernetes_validate", None)
    shipped = read_claims("article")
    found = of(audit(replace(shipped, claims=tuple(c for c in shipped.claims if c.id == "F1")), catalog), "F1")
    assert found.verdict == "refuted"
    for text in ("resource-keys: autoscaling", "never scales", "Not checked: kubernetes-validate is not installed"):
        assert text in found.reason


def test_figures_lead_to_sources(article: AuditResult) -> None:
    """Every verdict on hardware names the row that it leans on, with source and date."""
    for one in article.claims:
        if one.kind in ("spec", "ratio", "storage", "fit", "saving"):
            assert any(some.source and some.source_date for some in one.evidence), one.id


def test_a_changed_catalog_row_moves_the_verdict(tmp_path: Path, catalog: Catalog) -> None:
    shutil.copytree(catalog.folder, tmp_path / "all")
    file = tmp_path / "all" / "accelerators.toml"
    text = file.read_text(encoding="utf-8")
    changed = re.sub(r"(\[a100-pcie-80gb\].*?bandwidth_bytes_per_s = )1\.935e12", r"\g<1>1.5e12", text, flags=re.S)
    assert changed != text
    file.write_text(changed, encoding="utf-8")
    claims = read_claims("article")
    only = parse_claims({"title": "t", "claims": [c.model_dump() for c in claims.claims if c.id == "A1"]}, "t")
    assert of(audit(only, load_catalog(tmp_path / "all")), "A1").verdict == "holds"


def only(id: str, catalog: Catalog, **changes: object) -> Audited:
    """One claim of the article, some of its fields changed, on other facts."""
    claim = next(c for c in read_claims("article").claims if c.id == id)
    fields = claim.model_dump() | changes
    return of(audit(parse_claims({"title": "t", "claims": [fields]}, "t"), catalog), id)


def test_prices_move_the_verdict_on_owning(catalog: Catalog) -> None:
    """Rent at half its price is nowhere so much dearer than owning; at ten times it is everywhere, at full load."""
    asked = {"accelerators": ("h200-sxm-141gb",), "tiers": ("on_demand",), "load_factor": 1.0}

    def rented(times: float) -> Catalog:
        changed = tuple(
            p.model_copy(update={"price_usd_per_hour": p.price_usd_per_hour * times}) for p in catalog.prices
        )
        return catalog.with_facts(f"rent times {times}", prices=changed)

    verdicts = [only("G2", rented(times), **asked).verdict for times in (0.5, 1.0, 10.0)]
    assert verdicts == ["refuted", "conditional", "holds"]


def test_a_fact_of_a_drive_moves_the_verdict_on_the_array(catalog: Catalog) -> None:
    row = catalog.drives["pm1743-15.36tb"].model_copy(update={"read_bytes_per_s": 3e9})
    other = catalog.with_facts("slow", drives={**catalog.drives, row.id: row})
    assert (only("C1", catalog).verdict, only("C1", other).verdict) == ("holds", "refuted")


def test_calibration_moves_the_verdict_on_kernels(catalog: Catalog) -> None:
    """Kernels that reach a third of the bandwidth leave a factor of two to gain."""
    claim = {"id": "k", "kind": "speed_up", "option": "kernels", "text": "t", "stated": 1.8, "concurrency": 1,
             "llm": "llama-3.1-8b", "accelerator": "h100-sxm-80gb", "gpus": 1}  # fmt: skip
    slow = catalog.calibrated({("gemm_memory_efficiency", "bf16"): 0.33})
    found = [of(audit(parse_claims({"title": "t", "claims": [claim]}, "t"), c), "k").verdict for c in (catalog, slow)]
    assert found == ["refuted", "conditional"]


def test_a_changed_claim_moves_the_verdict(catalog: Catalog) -> None:
    right = {"id": "D2", "kind": "arithmetic", "text": "x", "figures": {"old": 180, "new": 270},
             "checks": [{"name": "gain", "expression": "(new - old) / old", "stated": 44, "unit": "%"}]}  # fmt: skip
    found = audit(parse_claims({"title": "t", "claims": [right]}, "t"), catalog)
    assert (of(found, "D2").verdict, of(found, "D2").computed) == ("refuted", "gain 50 %")
