"""`planner audit` as a shell sees it."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import jsonschema
import pytest

Run = Callable[..., Any]  # tests/conftest.py
SMALL = """
title = "Quote"
[[claims]]
id = "right"
kind = "spec"
text = "4.8 TB/s"
item = "h200-sxm-141gb"
figures = [{ figure = "bandwidth_bytes_per_s", stated = 4.8, unit = "TB/s" }]
[[claims]]
id = "blank"
kind = "spec"
text = "no figure"
"""


@pytest.fixture
def quote(tmp_path: Path) -> str:
    path = tmp_path / "quote.toml"
    path.write_text(SMALL, encoding="utf-8")
    return str(path)


def test_a_quote_with_a_claim_that_lacks_its_figure(run_cli: Run, quote: str) -> None:
    result = run_cli("audit", quote)
    assert (result.exit_code, result.stderr) == (0, "")
    for text in ("1 claims: 1 hold", "✓ holds", "blank is not audited: figures: Field required"):
        assert text in result.stdout


def test_json_fits_the_printed_schema(run_cli: Run, quote: str) -> None:
    schema = json.loads(run_cli("schema", "audit").stdout)
    found = json.loads(run_cli("audit", quote, "--json").stdout)
    jsonschema.validate(found, schema)
    assert {"id", "stated", "unit", "computed", "verdict", "reason", "evidence"} <= set(found["claims"][0])


def test_documents(run_cli: Run, quote: str, tmp_path: Path) -> None:
    for name in ("a.md", "a.xlsx"):
        assert run_cli("audit", quote, "--out", str(tmp_path / name)).exit_code == 0
        again = run_cli("audit", quote, "--out", str(tmp_path / name))
        assert again.exit_code == 1
        assert "--force" in again.stderr
    assert run_cli("audit", quote, "--out", str(tmp_path / "a.doc")).exit_code == 1


def test_the_template_is_printed_and_read(run_cli: Run, tmp_path: Path) -> None:
    text = run_cli("audit", "--template").stdout
    (tmp_path / "t.toml").write_text(text, encoding="utf-8")
    assert run_cli("audit", str(tmp_path / "t.toml")).exit_code == 0


def test_no_such_file(run_cli: Run) -> None:
    result = run_cli("audit", "quoite.toml")
    assert result.exit_code == 1
    assert "planner audit --template" in result.stderr
