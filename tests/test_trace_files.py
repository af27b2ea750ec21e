"""Traces and profiles of users: what is read, and what is said of what cannot be."""

from __future__ import annotations

import gzip
import json
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from planner.catalog import Catalog
from planner.errors import UnknownName, WorkloadError
from planner.traces import choose_profile, choose_trace, load_trace, read_profile, read_trace
from planner.traces.lines import Limits

HEAD = "arrival_s,input_tokens,output_tokens\n"
REQUESTS = st.lists(
    st.tuples(st.floats(0, 1e6), st.integers(1, 10_000_000), st.integers(1, 10_000_000)), min_size=1, max_size=20
)


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tmp_path_factory.mktemp("traces")


def written(folder: Path, text: str | bytes, name: str = "mine.csv") -> Path:
    file = folder / name
    file.write_bytes(text.encode() if isinstance(text, str) else text)
    return file


def test_columns_in_any_order_and_with_others(folder: Path) -> None:
    trace = read_trace(written(folder, "Model,Output_Tokens,arrival_s,prompt_tokens\nx,5,100,7\ny,6,102.5,8.0\n\n"))
    assert (trace.name, trace.arrivals_s.tolist()) == ("mine", [0.0, 2.5])
    assert (trace.input_tokens.tolist(), trace.output_tokens.tolist()) == ([7, 8], [5, 6])


def test_azure_as_published(folder: Path) -> None:
    head = "TIMESTAMP,ContextTokens,GeneratedTokens\n"
    rows = head + "2023-11-16 18:15:46.6805900,374,44\n2023-11-16 18:15:50.9951690,396,109\n"
    assert read_trace(written(folder, rows)).arrivals_s[1] == pytest.approx(4.314579, abs=2e-6)
    zoned = rows.replace("46.6805900", "46.680590+00:00").replace("50.9951690", "50.995169+00:00")
    assert read_trace(written(folder, "\ufeff" + zoned)).arrivals_s[1] == pytest.approx(4.314579, abs=2e-6)


def test_mooncake_as_published(folder: Path, catalog: Catalog) -> None:
    shipped = load_trace("mooncake", catalog)
    assert shipped.blocks is not None
    trace = read_trace(catalog.folder / "traces" / catalog.traces["mooncake"].file)
    assert np.array_equal(trace.arrivals_s, shipped.arrivals_s)
    assert trace.blocks is not None and np.array_equal(trace.blocks.starts, shipped.blocks.starts)
    # Blocks are numbered anew, in the order in which they first appear: equal where the recorded ones are.
    numbers = dict(zip(trace.blocks.ids.tolist(), shipped.blocks.ids.tolist(), strict=True))
    assert len(set(numbers.values())) == len(numbers)
    assert [numbers[id] for id in trace.blocks.ids.tolist()] == shipped.blocks.ids.tolist()


def test_gzip_is_seen_by_its_bytes(folder: Path) -> None:
    assert len(read_trace(written(folder, gzip.compress((HEAD + "0,1,1\n1,2,2\n").encode())))) == 2


@settings(max_examples=40)
@given(requests=REQUESTS, jsonl=st.booleans())
def test_what_is_written_is_read(folder: Path, requests: list[tuple[float, int, int]], jsonl: bool) -> None:
    requests.sort(key=lambda one: one[0])
    if jsonl:
        rows = [{"arrival_s": t, "input_length": i, "output_length": o} for t, i, o in requests]
        text = "\n".join(json.dumps(row) for row in rows)
    else:
        text = HEAD + "".join(f"{t!r},{i},{o}\n" for t, i, o in requests)
    trace = read_trace(written(folder, text))
    assert trace.arrivals_s.tolist() == [t - requests[0][0] for t, _, _ in requests]
    assert trace.input_tokens.tolist() == [i for _, i, _ in requests]
    assert trace.output_tokens.tolist() == [o for _, _, o in requests]


@settings(max_examples=60)
@given(content=st.binary(max_size=200) | st.text(max_size=200).map(str.encode))
def test_any_bytes_are_read_or_refused(folder: Path, content: bytes) -> None:
    for before in (b"", HEAD.encode(), b'{"timestamp": 1, '):
        for read in (read_trace, read_profile):
            try:
                read(written(folder, before + content))
            except WorkloadError as error:
                assert "mine.csv" in str(error)


BAD = {
    "out of order": (HEAD + "0,1,1\n9,1,1\n3,1,1\n", "line 4: the request at 3 s comes after the one at 9 s. Sort"),
    "no prompt": (HEAD + "0,0,1\n", "line 2: input tokens '0': give whole numbers from 1 to 10,000,000"),
    "negative answer": (HEAD + "0,1,-4\n", "line 2: output tokens '-4'"),
    "half a token": (HEAD + "0,1.5,4\n", "line 2: input tokens '1.5'"),
    "endless": (HEAD + "0,inf,4\n", "line 2: input tokens 'inf'"),
    "blank": (HEAD + "0,5,\n", "line 2: output tokens is blank"),
    "missing cell": (HEAD + "0,5\n", "line 2: output tokens is blank"),
    "no number": (HEAD + "soon,5,5\n", "line 2: 'soon' is no number"),
    "no unit": ("timestamp,input_tokens,output_tokens\n17,5,5\n", "seconds belongs in a column arrival_s"),
    "columns": ("a,b\n1,2\n", "line 1: no column for time and input and output; there: 'a', 'b'"),
    "nothing": ("", "holds no request"),
    "a head alone": (HEAD, "holds no request"),
    "no object": ('{"timestamp": 0, "input_length": 5, "output_length": 5}\n[1]\n', "line 2: '[1]' is no JSON object"),
    "some blocks": (
        '{"timestamp": 0, "input_length": 5, "output_length": 5, "hash_ids": [1]}\n'
        '{"timestamp": 0, "input_length": 5, "output_length": 5}\n',
        "1 of 2 requests have hash_ids",
    ),
    "blocks of blocks": ('{"timestamp": 0, "input_length": 5, "output_length": 5, "hash_ids": [[1]]}', "hash_ids"),
}


@pytest.mark.parametrize("case", BAD)
def test_bad_rows_are_named(folder: Path, case: str) -> None:
    text, expected = BAD[case]
    with pytest.raises(WorkloadError) as refused:
        read_trace(written(folder, text))
    assert expected in str(refused.value)


def test_limits_are_named(folder: Path) -> None:
    file = written(folder, HEAD + "0,1,1\n" * 50)
    with pytest.raises(WorkloadError, match=r"line 12: more than 10 requests"):
        read_trace(file, Limits(requests=10))
    with pytest.raises(WorkloadError, match=r"mine.csv: \d+ bytes. Allowed: 100 bytes and 2,000,000 requests"):
        read_trace(file, Limits(file_bytes=100))
    with pytest.raises(WorkloadError, match="more than 100 bytes when unpacked"):
        read_trace(written(folder, gzip.compress(file.read_bytes())), Limits(file_bytes=100))
    with pytest.raises(WorkloadError, match="line 1: longer than 20 bytes"):
        read_trace(file, Limits(line_bytes=20))
    with pytest.raises(WorkloadError, match="more than 1 prefix blocks"):
        blocks = '{"timestamp": 0, "input_length": 5, "output_length": 5, "hash_ids": [1, 2]}'
        read_trace(written(folder, blocks), Limits(blocks=1))


def test_a_profile_has_equal_steps(folder: Path) -> None:
    profile = read_profile(written(folder, "t_s,rate_per_s\n0,1\n600,0\n1200,2.5\n"))
    assert (profile.step_s, profile.rate_per_s.tolist()) == (600.0, [1.0, 0.0, 2.5])
    for text, expected in (
        ("t_s,rate_per_s\n0,1\n600,1\n1800,1\n", "line 4: a step of 1200 s among steps of 600 s: fill the gap"),
        ("t_s,rate_per_s\n0,1\n0,1\n", "line 3: t_s 0 does not follow 0"),
        ("t_s,rate_per_s\n0,-1\n", "line 2: rate -1"),
        ("t_s,rate_per_s\n0,0\n1,0\n", "a rate above zero"),
        ("a,b\n0,1\n", "columns t_s and rate_per_s"),
    ):
        with pytest.raises(WorkloadError, match=expected):
            read_profile(written(folder, text))


def test_a_name_or_a_file(folder: Path, catalog: Catalog) -> None:
    assert choose_trace("azure-code", catalog).name == "azure-code"
    assert len(choose_trace(str(written(folder, HEAD + "0,1,1\n")), catalog)) == 1
    assert choose_profile("servegen-r1-day", catalog).step_s == 600
    with pytest.raises(UnknownName, match="Nearest: 'azure-code"):
        choose_trace("azure-cod", catalog)
    with pytest.raises(WorkloadError, match=r"no file 'missing.csv'.\n  Give .* azure-conv"):
        choose_trace("missing.csv", catalog)
    with pytest.raises(WorkloadError, match="cannot read"):
        read_trace(folder)
