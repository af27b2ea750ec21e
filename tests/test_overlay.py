"""Own figures over the catalog: read as written, checked like the catalog's own, narrow in what they move."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import pytest

from planner.catalog import Catalog
from planner.errors import CatalogError, OutputError
from planner.overlay import COLUMNS, SCALARS, write_overlay
from planner.report.explain import explain
from planner.schema import Parameter, Plan, PlanResult
from planner.search.estimate import Question, estimate
from planner.search.plan import plan
from planner.workloads import load_workload

SCOPE, COUNTED = "h200-sxm-141gb|deepseek-r1|vllm", "h200-sxm-141gb|fp8|deepseek-r1|vllm"
R1 = Question("deepseek-r1", "h200-sxm-141gb")


def row(name: str, scope: str, value: float, catalog: Catalog) -> Parameter:
    return catalog.parameter("time_factor").model_copy(
        update={"name": name, "scope": scope, "value": value, "source": "own measurement: mine.json", "kind": "fitted"}
    )


@pytest.fixture
def own(tmp_path: Path, catalog: Catalog) -> Path:
    """Steps 1.3 times as long, first tokens later, on R1 with vLLM on H200."""
    file = tmp_path / "own.csv"
    figures = {"time_factor": 1.3, "ingest_s": 0.5, "prompt_overhead": 1.2}
    rows = [row(name, SCOPE, value, catalog) for name, value in figures.items()]
    write_overlay(file, [*rows, row("measured_points", COUNTED, 9, catalog)])
    return file


# ---- The file.


def test_round_trip(own: Path, catalog: Catalog) -> None:
    under = catalog.with_calibration(own)
    assert under.calibration[("time_factor", SCOPE)] == row("time_factor", SCOPE, 1.3, catalog)
    assert under.calibration[("time_factor", "")] == catalog.calibration[("time_factor", "")]
    assert len(under.calibration) == len(catalog.calibration) + 4
    assert under.sha256 != catalog.sha256
    assert catalog.with_calibration(own).sha256 == under.sha256
    assert (("time_factor", SCOPE) in catalog.calibration) is False


def test_columns_are_those_of_the_catalog(catalog: Catalog) -> None:
    header = (catalog.folder / "calibration.csv").read_text(encoding="utf-8").splitlines()[0]
    assert header.split(",") == list(COLUMNS)


def test_nothing_is_replaced_unasked(own: Path, catalog: Catalog) -> None:
    before = own.read_bytes()
    with pytest.raises(OutputError, match="--force"):
        write_overlay(own, [])
    assert own.read_bytes() == before
    write_overlay(own, [row("ingest_s", SCOPE, 0.1, catalog)], force=True)
    assert own.read_bytes() != before
    assert [path.name for path in own.parent.iterdir()] == ["own.csv"]


def test_a_folder_that_is_not_there(tmp_path: Path) -> None:
    with pytest.raises(OutputError, match="No such file"):
        write_overlay(tmp_path / "none" / "own.csv", [])


@pytest.mark.parametrize(
    ("old", "new", "words"),
    [
        (
            "ingest_s,",
            "ingest_hours,",
            ["line 3, column name", "'ingest_hours'", "time_factor, prompt_overhead, ingest_s"],
        ),
        (",1.3,", ",130,", ["line 2, column value", "0.5 and 10"]),
        (",1.3,", ",nan,", ["line 2, column value", "0.5 and 10"]),
        (",1.3,", ",fast,", ["line 2, column value", "'fast'"]),
        (",1.3,", ",,", ["line 2, column value"]),
        (f"time_factor,{SCOPE}", "time_factor,", ["line 2, column scope", "accelerator|llm|engine"]),
        (f"time_factor,{SCOPE}", "time_factor,h200|deepseek-r1|vllm", ["line 2", "unknown accelerator 'h200'"]),
        (COUNTED, SCOPE, ["line 5, column scope", "accelerator|weights|llm|engine"]),
        (COUNTED, COUNTED.replace("fp8", "fp7"), ["line 5", "unknown weights 'fp7'"]),
        ("ingest_s,", "time_factor,", ["line 3, column scope", "twice"]),
        (",fitted,", ",felt,", ["line 2, column kind", "'felt'"]),
        ("name,scope", "name,space", ["own.csv, line 2"]),
    ],
)
def test_errors_name_line_and_column(own: Path, catalog: Catalog, old: str, new: str, words: list[str]) -> None:
    text = own.read_text(encoding="utf-8")
    assert old in text
    own.write_text(text.replace(old, new, 1), encoding="utf-8")
    with pytest.raises(CatalogError) as caught:
        catalog.with_calibration(own)
    message = str(caught.value)
    assert message.startswith("own.csv, ") and all(word in message for word in words), message


def test_files_that_are_no_overlay(tmp_path: Path, catalog: Catalog) -> None:
    empty = tmp_path / "empty.csv"
    empty.write_text(",".join(COLUMNS) + "\n", encoding="utf-8")
    with pytest.raises(CatalogError, match="no rows"):
        catalog.with_calibration(empty)
    with pytest.raises(CatalogError, match="cannot read"):
        catalog.with_calibration(tmp_path / "none.csv")
    large = tmp_path / "large.csv"
    large.write_bytes(b"x" * 1_000_001)
    with pytest.raises(CatalogError, match="larger than 1,000,000 bytes"):
        catalog.with_calibration(large)


# ---- Estimates under it.


def test_the_measured_set_up_moves(own: Path, catalog: Catalog) -> None:
    before, after = estimate(catalog, R1), estimate(catalog.with_calibration(own), R1)
    assert after.serving.tpot_s == pytest.approx(1.3 * before.serving.tpot_s, rel=0.02)
    assert after.serving.ttft_s > before.serving.ttft_s + 0.4
    assert after.memory == before.memory
    sources = {a.name: a.source for a in after.assumptions if SCOPE in a.name}
    assert set(sources) == {f"{name} ({SCOPE})" for name in SCALARS}
    assert all("mine.json" in source for source in sources.values())


@pytest.mark.parametrize(
    "other",
    [
        replace(R1, accelerator="b200-sxm-180gb"),
        replace(R1, engine="sglang"),
        replace(R1, llm="deepseek-v3.1"),
        Question("qwen3-32b", "h200-sxm-141gb", gpus=2),
    ],
)
def test_nothing_else_moves(own: Path, catalog: Catalog, other: Question) -> None:
    assert estimate(catalog.with_calibration(own), other) == estimate(catalog, other)


def test_a_set_up_of_ones_own_is_measured(tmp_path: Path, catalog: Catalog) -> None:
    """INT4 on H200 has no points of others; three of one's own are enough for that very set-up, not for its FP8 kin."""
    asked = replace(R1, accelerator="a100-sxm-80gb", weights="int4")
    assert estimate(catalog, asked).basis == "roofline"
    file = tmp_path / "own.csv"
    write_overlay(file, [row("measured_points", "a100-sxm-80gb|int4|deepseek-r1|vllm", 3, catalog)])
    under = catalog.with_calibration(file)
    assert estimate(under, asked).basis == "measured"
    assert estimate(under, replace(asked, engine="sglang")).basis == "roofline"


# ---- Plans under it.

LIMITS = {"limits.accelerators": ["h200-sxm-141gb", "b200-sxm-180gb"], "limits.max_gpus_per_replica": 8}


def asked(catalog: Catalog, **more: object) -> PlanResult:
    fields = {**LIMITS, "limits.engines": ["vllm"], **{k.replace("__", "."): v for k, v in more.items()}}
    return plan(load_workload("default", fields), catalog, 50, confirmed=0)


def of(result: PlanResult, accelerator: str) -> list[Plan]:
    found = [p for p in result.plans if p.accelerator == accelerator]
    return [p.model_copy(update={"rank": 0, "pareto": False}) for p in found]


@pytest.mark.parametrize("load", [{}, {"traffic__rate_per_s": None, "traffic__concurrency": 200}])
def test_plans_of_other_accelerators_stay(own: Path, catalog: Catalog, load: dict[str, object]) -> None:
    before, after = asked(catalog, **load), asked(catalog.with_calibration(own), **load)
    kept = of(after, "b200-sxm-180gb")
    assert kept and all(plan in of(before, "b200-sxm-180gb") for plan in kept[:3])
    slow, fast = of(after, "h200-sxm-141gb"), of(before, "h200-sxm-141gb")
    assert min(p.cost.usd_per_million_output_tokens for p in slow) > min(
        p.cost.usd_per_million_output_tokens for p in fast
    )
    assert min(p.slo.ttft_p99_s for p in slow) > 0.5 + min(p.serving.tpot_s for p in slow)
    assert after.catalog_sha256 != before.catalog_sha256


def test_plans_name_the_file(own: Path, catalog: Catalog) -> None:
    under = catalog.with_calibration(own)
    result = asked(under, limits__accelerators=["h200-sxm-141gb"])
    named = [a for a in result.assumptions if "mine.json" in a.source]
    assert {a.name for a in named} == {f"{name} ({SCOPE})" for name in SCALARS}
    shown = {given.name for one in explain(result, under) for given in one.inputs}
    assert {f"time_factor ({SCOPE})", f"ingest_s ({SCOPE})"} <= shown


ONE = {"limits__accelerators": ["h200-sxm-141gb"]}


def cheapest(catalog: Catalog, *engines: str) -> float:
    return asked(catalog, **ONE, limits__engines=list(engines)).plans[0].cost.usd_per_million_output_tokens


@pytest.mark.parametrize(("measured", "other"), [("vllm", "sglang"), ("sglang", "vllm")])
def test_an_engine_that_was_not_measured_is_a_candidate_of_its_own(
    tmp_path: Path, catalog: Catalog, measured: str, other: str
) -> None:
    """Engines share one model until one is measured: a slow one must not hide those that were not."""
    file = tmp_path / "own.csv"
    write_overlay(file, [row("time_factor", SCOPE.replace("vllm", measured), 1.3, catalog)])
    under = catalog.with_calibration(file)
    assert cheapest(under, measured) > 1.1 * cheapest(under, other)
    assert cheapest(under, "vllm", "sglang") == pytest.approx(cheapest(under, other), rel=0.02)


def test_figures_stay_with_their_candidates(tmp_path: Path, catalog: Catalog) -> None:
    """A plan of the measured set-up is the same whatever else was considered."""
    file = tmp_path / "own.csv"
    figures = {"time_factor": 0.7, "ingest_s": 0.4, "prompt_overhead": 1.3}
    write_overlay(file, [row(name, SCOPE, value, catalog) for name, value in figures.items()])
    under = catalog.with_calibration(file)
    alone = {(p.title, p.supply): p for p in of(asked(under, **ONE), "h200-sxm-141gb")}
    among = asked(under, limits__engines=["tensorrt-llm", "sglang", "vllm"], limits__accelerators=[])
    shared = [p for p in of(among, "h200-sxm-141gb") if p.engine == "vllm" and (p.title, p.supply) in alone]
    assert shared
    for found in shared:
        same = alone[(found.title, found.supply)]
        assert (found.slo, found.serving) == (same.slo, same.serving)
