"""Files as editors and shells of Windows write them: with a byte-order mark, or in UTF-16."""

from __future__ import annotations

import codecs
import json
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import pytest

from planner.audit import read_claims, template
from planner.audit.claims import Claims
from planner.bundle.saved import read_plans
from planner.calibration.benchmarks import read_benchmark
from planner.calibration.measured import read_measured
from planner.catalog import Catalog, load_catalog
from planner.encoding import decoded
from planner.errors import PlannerError
from planner.huggingface import read_config
from planner.search.change import Question
from planner.search.load_curve import load_curve
from planner.search.scenarios import read_scenario, uploaded_scenario
from planner.tabular import csv_rows
from planner.ui import audit_page, catalogs_page
from planner.workloads import load_workload, presets
from tests.golden.refresh import plan_file

HERE = Path(__file__).resolve().parent
HEAD = {"schema": "planner-measure/1", "source": "a test", "measured_on": "2026-11-24"}
MEASURED = HEAD | {"device": {"name": "NVIDIA H200", "count": 1}, "idle": {"power_w": 80.0}}
SCENARIO = 'name = "Teuer – 贵"\n[set]\n"traffic.rate_per_s" = "+20%"\n'
CONFIG = (HERE / "data" / "hf" / "llama-3.1-70b.json").read_text("utf-8")
CATALOG: Catalog = load_catalog()
ASKED = Question(load_workload(), CATALOG)

# Text, and what reads a file of it.
READ: dict[str, tuple[str, Callable[[Path], object]]] = {
    "claims": (template(), read_claims),
    "uploaded claims": (template(), lambda path: audit_page._uploaded(path.read_bytes(), "a.toml").claims),
    "workload": (presets()["default"].read_text("utf-8"), lambda path: load_workload(str(path))),
    "plans": (plan_file("r1-h200-vllm").read_text("utf-8"), lambda path: read_plans(path, CATALOG)),
    "config.json": (CONFIG, read_config),
    "uploaded config.json": (CONFIG, lambda path: catalogs_page._config(path.read_bytes())),
    "measured": (json.dumps(MEASURED), read_measured),
    "benchmark": (
        (HERE / "data" / "benchmarks" / "vllm-r1-h200-32.json").read_text("utf-8"),
        lambda path: read_benchmark(path).runs,
    ),
    "scenario": (SCENARIO, lambda path: read_scenario(path, ASKED)[::2]),
    "uploaded scenario": (SCENARIO, lambda path: uploaded_scenario(path.read_bytes(), "a.toml", ASKED)[::2]),
    "table": ("id,usd\na,1\n", lambda path: [list(one) for one in csv_rows(path)]),
    "load curve": ("rate_per_s\n1\n3\n", lambda path: load_curve(str(path), CATALOG).factors.tolist()),
}
MARKED: dict[str, Callable[[str], bytes]] = {
    "UTF-8": lambda text: codecs.BOM_UTF8 + text.encode(),
    "UTF-16-LE": lambda text: codecs.BOM_UTF16_LE + text.replace("\n", "\r\n").encode("utf-16-le"),
    "UTF-16-BE": lambda text: codecs.BOM_UTF16_BE + text.encode("utf-16-be"),
}


@pytest.mark.parametrize("code", MARKED)
@pytest.mark.parametrize("kind", READ)
def test_a_byte_order_mark_says_how_a_file_is_read(kind: str, code: str, tmp_path: Path) -> None:
    text, read = READ[kind]
    plain, marked = tmp_path / "plain" / "a.toml", tmp_path / "marked" / "a.toml"
    for path, content in ((plain, text.encode()), (marked, MARKED[code](text))):
        path.parent.mkdir()
        path.write_bytes(content)
    assert shown(read(marked)) == shown(read(plain))


def shown(found: object) -> str:
    """All but where it was read from."""
    return repr(replace(found, folder=None)) if isinstance(found, Claims) else repr(found)


@pytest.mark.parametrize("content", [b"\xff\xfe{", b"\xff\xfe\x00\xd8", b"\xef\xbb\xbf\xff", b"{\xff"])
def test_what_is_neither_is_refused(content: bytes, tmp_path: Path) -> None:
    path = tmp_path / "a.json"
    path.write_bytes(content)
    with pytest.raises(UnicodeDecodeError):
        decoded(content)
    for read in (read_plans_of_today, read_config, read_measured, read_claims, read_benchmark):
        with pytest.raises(PlannerError, match=r"a\.json"):
            read(path)


def read_plans_of_today(path: Path) -> object:
    return read_plans(path, CATALOG)
