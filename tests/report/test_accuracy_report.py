"""The accuracy report: its tables, its sentences, charts that parse, and the same text twice."""

from __future__ import annotations

import itertools
import re
import shutil
import xml.etree.ElementTree as ET
from collections.abc import Callable
from pathlib import Path

import altair as alt
import numpy as np
import pytest

from planner.calibration.accuracy import Accuracy, accuracy
from planner.calibration.held_out import HeldOut, held_out_file, points_file, write_held_out
from planner.calibration.points import read_points
from planner.catalog import Catalog, load_catalog
from planner.report import accuracy as told
from planner.report import charts
from planner.report.accuracy_doc import documents
from planner.report.scatter import domain, scatter_chart
from planner.report.svg import Panel, scatter_svg

RATIOS = (1.1, 0.7, 1.0, 3.0)


@pytest.fixture(scope="module")
def scored(catalog: Catalog, tmp_path_factory: pytest.TempPathFactory) -> Catalog:
    """The catalogs with predictions of known errors: +10 %, -30 %, none and +200 % in turn."""
    folder = tmp_path_factory.mktemp("catalogs") / "all"
    shutil.copytree(catalog.folder, folder)
    found = load_catalog(folder)
    points = read_points(points_file(found), found)[0]
    guesses = {
        point.id: HeldOut(point.value * ratio, point.value * ratio / 2, point.value * ratio * 2)
        for point, ratio in zip(points, RATIOS * (len(points) // 4 + 1), strict=False)
    }
    guesses.pop(points[0].id)
    write_held_out(held_out_file(found), guesses)
    return found


@pytest.fixture(scope="module")
def found(scored: Catalog) -> Accuracy:
    return accuracy(scored)


def test_the_headline_says_what_the_score_says(found: Accuracy) -> None:
    sentence = told.headline(found, str)
    best = told.by_key(found)["tpot_silicon"].score
    assert f"{best.n:,}" in sentence and told.share(best.median_ape) in sentence
    assert told.by_key(found)["tpot_r1"].peer is not None


def test_every_answered_point_is_in_the_table(found: Accuracy, scored: Catalog) -> None:
    table = told.points(found.rows, scored)
    assert len(table) == len(found.rows) - 1
    assert sorted(table["error"].round(3).unique()) == [-0.3, 0.0, 0.1, 2.0]
    tpot = table[table["metric"] == "tpot"].iloc[0]
    assert tpot["unit"] == "ms" and 1 < tpot["measured"] < 1000
    assert set(told.generations(table)) >= {"Hopper", "Blackwell"}
    assert table["setup"].str.contains("GPU TP").all()


def test_group_tables_are_worst_first(found: Accuracy) -> None:
    table = told.group_table(found.groups)
    assert table["mape"].is_monotonic_decreasing and (table["n"] >= 8).all()
    assert told.share(table["mape"].iloc[0]) in told.worst_finding(found.groups, str)


def test_documents_are_complete_and_the_same_each_time(scored: Catalog) -> None:
    first = documents(scored)
    assert first == documents(load_catalog(scored.folder))
    page = first["docs/ACCURACY.md"]
    assert {f"docs/{name}" for name in re.findall(r"\(\./(accuracy-\w+\.svg)\)", page)} == set(first) - {
        "docs/ACCURACY.md"
    }
    assert page.index("## The worst 10 of") < page.index("## How it was scored") < page.index("## By engine")
    assert "**not** better than" in page  # predictions this bad must be said to be
    assert "runs with and without its sparse attention" in page


def test_tables_of_the_page_have_equal_rows(scored: Catalog) -> None:
    lines = documents(scored)["docs/ACCURACY.md"].splitlines()
    for above, line in itertools.pairwise(lines):
        if above.startswith("|") and line.startswith("|"):
            assert above.count("|") == line.count("|"), line


# ---- charts


def test_the_scatter_is_valid_vega(found: Accuracy, scored: Catalog) -> None:
    table = told.points(found.rows[:200], scored)
    rows = [{str(k): v for k, v in row.items()} for row in table.to_dict("records")]
    ends = domain(rows)
    spec = scatter_chart(rows, told.generations(table), ends, "ms", charts.LIGHT, str)
    alt.Chart.from_dict(spec).to_dict(validate=True)
    assert ends[0] < table["measured"].min() and ends[1] > table["predicted"].max()
    titles = {one["field"]: one["title"] for one in spec["layer"][-1]["encoding"]["tooltip"]}
    assert titles["measured"] == "measured, ms" and titles["predicted"] == "predicted, ms"


def test_points_of_the_svg_lie_where_the_numbers_say() -> None:
    """Axes from 10 / 1.2 to 1000 × 1.2: the middle of the panel is at 100."""
    values = np.array([10.0, 100.0, 1000.0])
    panel = Panel("engine <x>", "n = 3", values, np.array([10.0, 100.0, 1000.0]), np.array([False, False, True]))
    drawn = scatter_svg("All & sundry", "ms", [panel])
    root = ET.fromstring(drawn)
    space = {"s": "http://www.w3.org/2000/svg"}
    (group,) = root.findall("s:g", space)
    inside, outside = group.findall("s:path", space)[-2:]
    spots = re.findall(r"M([\d.]+) ([\d.]+)h0", inside.attrib["d"])
    assert [tuple(map(float, spot)) for spot in spots] == [(7.0, 183.0), (95.0, 95.0)]
    assert outside.attrib["d"].startswith("M183 4l")
    texts = [element.text for element in root.iter(f"{{{space['s']}}}text")]
    assert "All & sundry" in texts and "engine <x>" in texts
    assert {"10", "100", "1,000"} <= set(texts)


def test_lines_of_the_svg_stay_in_their_frame() -> None:
    values = np.array([1.0, 5.0])
    drawn = scatter_svg("t", "s", [Panel("a", "b", values, values, np.array([False, False]))] * 5)
    for x1, y1, x2, y2 in re.findall(r'd="M([\d.-]+) ([\d.-]+)L([\d.-]+) ([\d.-]+)"', drawn):
        assert all(-0.1 <= float(place) <= 190.1 for place in (x1, y1, x2, y2))


def test_a_readers_file_is_split_into_scored_and_refused(catalog: Catalog, write_points: Callable[..., Path]) -> None:
    from planner.calibration.score import validate

    result = validate(write_points("64", "0"), catalog)
    scored, refused = told.own_points(result)
    assert list(scored["row"]) == [2] and list(refused["row"]) == [3]
    assert scored["error"].iloc[0] == pytest.approx(scored["predicted"].iloc[0] / scored["measured"].iloc[0] - 1)
    assert told.validation_finding(result, str) == "1 of 2 rows are scored, 1 are refused"


@pytest.fixture
def write_points(tmp_path: Path) -> Callable[..., Path]:
    """Function that writes a file with one row for each load."""

    def write(*loads: str) -> Path:
        head = "id,model,precision_weights,framework,accelerator,tp,isl,osl,concurrency_or_qps,metric,value\n"
        rows = [f"p{n},llama-3.1-8b,fp8,vllm,h100,1,512,128,{load},tpot_ms_p50,12\n" for n, load in enumerate(loads)]
        (tmp_path / "mine.csv").write_text(head + "".join(rows))
        return tmp_path / "mine.csv"

    return write
