"""`planner validate`: every row of a file is scored, or refused with its line and its reason."""

from __future__ import annotations

import gzip
import json
from collections.abc import Callable
from pathlib import Path

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from planner.calibration.points import COLUMNS, NEEDED, read_points
from planner.calibration.score import validate
from planner.catalog import Catalog
from planner.errors import PlannerError, WorkloadError
from planner.schema import Validation

BAD = [
    ({"accelerator": "h100-smx"}, "unknown accelerator 'h100-smx'. Nearest:"),
    ({"model": "lama-3.1-8b"}, "unknown llm 'lama-3.1-8b'. Nearest:"),
    ({"framework": "vlllm"}, "unknown engine 'vlllm'"),
    ({"tp": ""}, "tp missing"),
    ({"tp": "0"}, "tp 0 is not a whole number"),
    ({"tp": "1.5"}, "tp 1.5 is not a whole number"),
    ({"tp": "3", "n_accelerators": "8"}, "not a multiple of tp"),
    ({"concurrency_or_qps": "0"}, "concurrency_or_qps 0 must be above 0"),
    ({"concurrency_or_qps": "-4"}, "must be above 0"),
    ({"concurrency_or_qps": "inf(0)"}, "must be above 0"),
    ({"concurrency_or_qps": "qps=1.2.3"}, "is none of: users (64), qps=RATE"),
    ({"concurrency_or_qps": "lots"}, "is none of"),
    ({"value": "0.02"}, "tpot_ms_p50 0.02 is outside 0.2 to 10000: check its unit"),
    ({"value": "20000"}, "check its unit"),
    ({"metric": "ttft_ms_p50", "value": "0.4"}, "ttft_ms_p50 0.4 is outside 1 to 3.6e+06: check its unit"),
    ({"metric": "power_w_per_gpu", "value": "0.7"}, "check its unit"),
    ({"value": "fast"}, "value 'fast' is not a number"),
    ({"value": "nan"}, "value 'nan' is not a number"),
    ({"value": ""}, "value missing"),
    ({"metric": "goodput"}, "metric 'goodput' is not predicted; known:"),
    ({"precision_weights": "fp12"}, "precision_weights 'fp12' is not one of"),
    ({"precision_weights": "mxfp4"}, "llama-3.1-8b cannot be served in mxfp4"),
    ({"osl": ""}, "osl missing"),
    ({"isl": "0"}, "is not between 1 and 1e7"),
    ({"id": ""}, "id missing"),
]


@pytest.mark.parametrize(("change", "reason"), BAD, ids=[f"{c}" for c, _ in BAD])
def test_a_bad_row_is_refused_and_the_rest_scored(
    points_csv: Callable[..., Path], catalog: Catalog, change: dict[str, str], reason: str
) -> None:
    found = validate(points_csv({"id": "before"}, {"id": "bad", **change}, {"id": "after"}), catalog)
    before, bad, after = found.points
    assert (bad.row, bad.predicted) == (3, None) and reason in bad.reason
    assert (before.row, after.row) == (2, 4)
    assert before.predicted == after.predicted == pytest.approx(9.5, rel=1.0)
    assert not before.reason and not after.reason


def test_all_kinds_of_bad_rows_in_one_file(points_csv: Callable[..., Path], catalog: Catalog) -> None:
    changes = [{"id": f"bad{n}", **change} for n, (change, _) in enumerate(BAD)]
    found = validate(points_csv({}, *changes, {"id": "b"}), catalog)
    assert [point.row for point in found.points] == list(range(2, len(BAD) + 4))
    assert [point.id for point in found.points if not point.reason] == ["a", "b"]
    (refused,) = [group for group in found.summary if group.group == "refused"]
    assert refused.n == len(BAD)
    (tpot,) = [group for group in found.summary if group.group == "tpot"]
    assert tpot.n == 2


def test_of_a_duplicate_id_the_first_row_counts(points_csv: Callable[..., Path], catalog: Catalog) -> None:
    found = validate(points_csv({}, {"value": "8"}, {"id": "b"}), catalog)
    first, second, third = found.points
    assert first.measured == 9.5 and not first.reason and not third.reason
    assert "'a' stands more than once" in second.reason


def test_rows_without_id_are_each_named_by_their_line(points_csv: Callable[..., Path], catalog: Catalog) -> None:
    found = validate(points_csv({"id": ""}, {"id": ""}), catalog)
    assert [(point.row, point.reason) for point in found.points] == [(2, "id missing"), (3, "id missing")]


def test_the_command_shows_lines_as_json(points_csv: Callable[..., Path], run_cli: Callable[..., object]) -> None:
    result = run_cli("validate", "--json", str(points_csv({}, {"id": "b", "tp": ""})))
    points = json.loads(result.stdout)["points"]  # type: ignore[attr-defined]
    assert [(point["row"], point["reason"]) for point in points] == [(2, ""), (3, "tp missing")]


def test_a_file_from_a_spreadsheet_is_read(points_csv: Callable[..., Path], catalog: Catalog) -> None:
    """Spreadsheets put a byte-order mark before the header."""
    file = points_csv({})
    file.write_bytes(b"\xef\xbb\xbf" + file.read_bytes())
    assert not validate(file, catalog).points[0].reason


def test_a_file_that_is_no_table_is_refused_whole(tmp_path: Path, catalog: Catalog) -> None:
    file = tmp_path / "points.csv"
    for content in (b"", b"\xff\xfe\x00", b"id;model\n1;2\n", b"\0\0\0"):
        file.write_bytes(content)
        with pytest.raises(WorkloadError, match=r"points\.csv"):
            validate(file, catalog)
    with pytest.raises(WorkloadError, match="lacks the columns"):
        file.write_text("id,model\n1,2\n")
        validate(file, catalog)


@pytest.mark.parametrize("at", [5, 30, -6])
def test_a_damaged_archive_is_refused(
    points_csv: Callable[..., Path], catalog: Catalog, tmp_path: Path, at: int
) -> None:
    content = bytearray(gzip.compress(points_csv(*({"id": str(n)} for n in range(50))).read_bytes()))
    content[at] ^= 0xFF
    file = tmp_path / "points.csv.gz"
    for damaged in (bytes(content), bytes(content)[:40]):
        file.write_bytes(damaged)
        try:
            assert len(validate(file, catalog).points) == 50  # the time stamp in the head may be anything
        except WorkloadError as error:
            assert "cannot read" in str(error)


cells = st.one_of(
    st.sampled_from(
        ["", "0", "-1", "1", "8", "1e400", "nan", "inf", "inf(3)", "qps=", "qps=٣", "½", "64", "1e6", "'", '"']
    ),
    st.text(max_size=12),
)


@settings(max_examples=150, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(st.lists(st.dictionaries(st.sampled_from(COLUMNS), cells, max_size=4), min_size=1, max_size=5))
def test_any_cells_are_scored_or_refused(
    points_csv: Callable[..., Path], catalog: Catalog, changes: list[dict[str, str]]
) -> None:
    """Whatever stands in the cells, each row has a finite prediction or a reason."""
    file = points_csv(*({"id": str(n), **change} for n, change in enumerate(changes)))
    found = answered(file, catalog)
    if found is not None:
        assert len(found.points) == len(changes)
        assert all((point.predicted is None) == bool(point.reason) for point in found.points)
        assert all(point.predicted is None or point.predicted > 0 for point in found.points)


@settings(max_examples=100, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(st.text(max_size=300), st.booleans())
def test_any_text_is_scored_or_refused(tmp_path: Path, catalog: Catalog, text: str, header: bool) -> None:
    file = tmp_path / "points.csv"
    file.write_text((",".join(NEEDED) + "\n" if header else "") + text, encoding="utf-8", errors="surrogatepass")
    found = answered(file, catalog)
    assert found is None or all(point.reason for point in found.points)


def answered(file: Path, catalog: Catalog) -> Validation | None:
    """The validation, or None where the whole file is refused in the expected way."""
    try:
        return validate(file, catalog)
    except PlannerError:
        return None


def test_no_text_is_told_by_the_name_of_the_file(tmp_path: Path, catalog: Catalog) -> None:
    file = tmp_path / "POINTS.csv"
    file.write_bytes(b"\x89PNG\x00\xff")
    with pytest.raises(WorkloadError, match=r"^POINTS\.csv is not UTF-8 text\.$"):
        read_points(file, catalog)
