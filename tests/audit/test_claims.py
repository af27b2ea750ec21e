"""Files of claims: refused one by one, hostile text, documents."""

from __future__ import annotations

import contextlib
import io
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from openpyxl import load_workbook

from planner.audit import audit, read_claims, template, write
from planner.audit.claims import parse_claims
from planner.audit.document import as_markdown, as_workbook
from planner.audit.expressions import evaluate
from planner.audit.verdicts import CHECKERS
from planner.catalog import Catalog
from planner.errors import OutputError, PlannerError, WorkloadError
from planner.i18n import translator
from planner.schema import AuditResult

SPEC = {
    "id": "a", "kind": "spec", "text": "t", "item": "h200-sxm-141gb",
    "figures": [{"figure": "bandwidth_bytes_per_s", "stated": 4.8, "unit": "TB/s"}],
}  # fmt: skip


R1 = {"id": "b", "text": "t", "llm": "deepseek-r1", "accelerator": "h200", "gpus": 8}
SUM = {"id": "b", "kind": "arithmetic", "text": "t", "checks": [
    {"name": "all", "expression": "a + b", "stated": 3, "unit": "GB"}]}  # fmt: skip
BY = {"id": "b", "kind": "ratio", "text": "t", "expression": "a / b", "stated": 1.43,
      "a": {"item": "h200", "value": "bandwidth_bytes_per_s"},
      "b": {"item": "h100", "value": "bandwidth_bytes_per_s"}}  # fmt: skip


def audited(catalog: Catalog, *claims: dict[str, Any]) -> AuditResult:
    return audit(parse_claims({"title": "t", "claims": list(claims)}, "t"), catalog)


def changed(**figure: Any) -> dict[str, Any]:
    return {**SPEC, "figures": [{**SPEC["figures"][0], **figure}]}  # type: ignore[index,dict-item]


@pytest.mark.parametrize(
    ("claim", "said"),
    [
        ({**SPEC, "item": "h999"}, "unknown"),
        ({**SPEC, "item": ""}, "item missing"),
        (changed(unit="W"), "not measured in W"),
        (changed(unit="furlong"), "not known"),
        (changed(figure="speed"), "bandwidth_bytes_per_s"),
        ({"id": "b", "kind": "spec", "text": "t"}, "figures"),
        ({"id": "b", "kind": "wish", "text": "t"}, "wish"),
        ({"id": "b", "text": "t"}, "kind"),
        ({"id": "b", "kind": "fit", "text": "t", "llm": "deepseek-r1", "gpus": 8}, "accelerator"),
        ({"id": "b", "kind": "manifest", "text": "t", "file": "../../etc/passwd"}, "beside"),
        ({"id": "b", "kind": "practice", "text": "t", "practice": "health_check"}, "every_s"),
        ({"id": "b", "kind": "storage", "text": "t", "drive": "pm9a3", "drives": 2}, "stated_read"),
        ({**R1, "kind": "latency", "stated_low": 1, "stated_high": 2, "unit": "GB"}, "Give one of: ms"),
        ({**R1, "kind": "latency", "stated_low": 2, "stated_high": 1, "unit": "s"}, "above"),
        ({**R1, "kind": "throughput", "stated": 100, "unit": "W"}, "Give one of: token/s"),
        ({**R1, "kind": "power", "stated": 100, "unit": "GB"}, "Give one of: W"),
        ({**R1, "kind": "load_time", "stated": 100, "unit": "GB"}, "Give one of: ms"),
        ({**R1, "kind": "load_time", "stated": 100, "weights": "int3"}, "has no int3"),
        ({**R1, "kind": "load_time", "stated": 100, "drive": "floppy"}, "planner catalog ls drives"),
        ({**R1, "kind": "fit", "accelerator": "h2000"}, "planner catalog ls accelerators"),
        ({"id": "b", "kind": "availability", "text": "t", "stated": 99.9}, "gpus"),
        ({"id": "b", "kind": "availability", "text": "t", "stated": 999, "gpus": 8}, "less than 100"),
        ({"id": "b", "kind": "host_memory", "text": "t", "llm": "r1", "stated": 1, "unit": "W"}, "Give one of: B"),
        (
            {"id": "b", "kind": "storage", "text": "t", "drive": "pm9a3", "drives": 2, "stated_read": 1, "unit": "W"},
            "MB/s",
        ),
        ({"id": "b", "kind": "speed_up", "text": "t", "option": "kernels", "stated": 2, "unit": "W"}, "Give one of: x"),
        ({"id": "b", "kind": "speed_up", "text": "t", "option": "kernels", "stated": 200, "unit": "%"}, "below 100"),
        ({**SUM, "figures": {"a": {"stated": 1, "unit": "W"}, "b": 2}}, "adds or subtracts"),
        ({**SUM, "figures": {"a": {"stated": 1, "unit": "W"}, "b": {"stated": 1, "unit": "kW"}}}, "measures W"),
        ({**SUM, "figures": {"a": float("nan"), "b": 2}}, "finite"),
        ({**R1, "kind": "concurrency", "stated": 9, "contexts": []}, "contexts: "),
        ({**R1, "kind": "load_time", "stated": 9, "gpus": 100_000}, "less than or equal to 1024"),
        ({**SPEC, "id": "a b"}, "[A-Za-z0-9]"),
        ({**BY, "unit": "GB"}, "measures count"),
    ],
)
def test_a_bad_claim_is_refused_and_the_others_stand(catalog: Catalog, claim: dict[str, Any], said: str) -> None:
    found = audited(catalog, claim, {**SPEC, "id": "good"})
    assert [one.id for one in found.claims] == ["good"]
    assert found.claims[0].verdict == "holds"
    assert len(found.refused) == 1
    assert said in found.refused[0].reason


def test_an_id_counts_once(catalog: Catalog) -> None:
    found = audited(catalog, SPEC, SPEC)
    assert len(found.claims) == 1
    assert "more than once" in found.refused[0].reason


def test_the_template_is_audited_whole(catalog: Catalog, tmp_path: Path) -> None:
    path = tmp_path / "quote.toml"
    path.write_text(template(), encoding="utf-8")
    found = audit(read_claims(path), catalog)
    assert not found.refused
    assert {one.kind for one in found.claims} == set(CHECKERS) - {"manifest"}  # which needs a file beside it
    assert {one.id: one.verdict for one in found.claims}["bandwidth"] == "holds"


def test_files_that_are_no_claims(tmp_path: Path) -> None:
    with pytest.raises(WorkloadError, match="ship"):
        read_claims("nothing-of-the-kind")
    for text in ("", "title = 3", "[[claims]", "title = 't'\nclaims = []"):
        (tmp_path / "c.toml").write_text(text, encoding="utf-8")
        with pytest.raises(WorkloadError, match=r"c\.toml"):
            read_claims(tmp_path / "c.toml")


@pytest.mark.parametrize(
    "text", ["__import__('os')", "a ** a", "a.b", "[a]", "b", "1 / 0", "a if a else a", "'a'", "("]
)
def test_expressions_are_arithmetic_only(text: str) -> None:
    with pytest.raises(WorkloadError):
        evaluate(text, {"a": 2.0})


@given(st.text(max_size=60))
@settings(max_examples=100)
def test_any_expression_is_a_number_or_refused(text: str) -> None:
    with contextlib.suppress(PlannerError):
        assert isinstance(evaluate(text, {"a": 2.0}), float)


@given(st.recursive(st.none() | st.booleans() | st.floats() | st.text(max_size=8),
                    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=8), inner, max_size=3),
                    max_leaves=8))  # fmt: skip
@settings(max_examples=60)
def test_any_field_is_read_or_refused(value: Any) -> None:
    for field in SPEC:
        found = parse_claims({"title": "t", "claims": [{**SPEC, field: value}]}, "t")
        assert len(found.claims) + len(found.refused) == 1


def test_hostile_text_stays_text(catalog: Catalog) -> None:
    found = audited(catalog, {**SPEC, "text": '=HYPERLINK("http://x") | <script>'})
    page = as_markdown(found, str)
    assert "\\<script\\>" in page
    assert "\\|" in page
    book = load_workbook(io.BytesIO(as_workbook(found, catalog.as_of, str)))
    cells = [cell for sheet in book for row in sheet.iter_rows() for cell in row]
    assert not [cell for cell in cells if cell.data_type == "f"]


def test_documents_are_the_same_each_time_and_never_half(catalog: Catalog, tmp_path: Path) -> None:
    found = audited(catalog, SPEC)
    assert as_workbook(found, catalog.as_of, str) == as_workbook(found, catalog.as_of, str)
    write(found, tmp_path / "a.md", catalog.as_of, str)
    assert (tmp_path / "a.md").read_text(encoding="utf-8") == as_markdown(found, str)
    with pytest.raises(OutputError, match="exists"):
        write(found, tmp_path / "a.md", catalog.as_of, str)
    for name in ("a.doc", "none/a.md"):
        with pytest.raises(OutputError):
            write(found, tmp_path / name, catalog.as_of, str)
    assert [path.name for path in tmp_path.iterdir()] == ["a.md"]


def test_a_document_in_chinese_has_the_claims_in_chinese(catalog: Catalog) -> None:
    """Every shipped claim has its words in both languages; a claim without Chinese keeps its own."""
    shipped = read_claims("article")
    assert shipped.title_zh and all(claim.text_zh for claim in shipped.claims)
    few = replace(shipped, claims=shipped.claims[:1])
    page = as_markdown(audit(few, catalog, translator("zh"), "zh"), translator("zh"))
    assert shipped.claims[0].text_zh in page and shipped.claims[0].text not in page
    own = parse_claims({"title": "t", "claims": [SPEC]}, "t")
    assert audit(own, catalog, translator("zh"), "zh").claims[0].text == "t"
