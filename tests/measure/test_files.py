"""The file of a measurement: whole or not at all, and never over another."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from planner.errors import OutputError
from planner.measure import files

DOCUMENT = {"schema": "planner-measure/1", "device": {"name": "é"}, "copies": [{"a": 1}, {"a": None}], "reads": []}


def test_text_is_json_with_a_row_a_line() -> None:
    text = files.text(DOCUMENT)
    assert json.loads(text) == DOCUMENT
    assert '\n{"a": 1},\n' in text


def test_a_file_is_written_whole(tmp_path: Path) -> None:
    out = tmp_path / "m.json"
    files.write(DOCUMENT, out)
    assert json.loads(out.read_text()) == DOCUMENT
    assert list(tmp_path.iterdir()) == [out]


def test_a_place_that_cannot_be_written_is_refused_first(tmp_path: Path) -> None:
    out = tmp_path / "m.json"
    files.check(out, False)
    out.write_text("{}")
    with pytest.raises(OutputError, match="exists"):
        files.check(out, False)
    files.check(out, True)
    with pytest.raises(OutputError, match="is a folder"):
        files.check(tmp_path, True)
    with pytest.raises(OutputError, match="not a folder"):
        files.check(tmp_path / "no" / "m.json", False)
    with pytest.raises(OutputError, match="cannot write"):
        files.write(DOCUMENT, tmp_path / "no" / "m.json")
