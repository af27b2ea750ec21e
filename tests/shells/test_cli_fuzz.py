"""Anything at all as input: an answer or a refusal, never a traceback."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import click
from hypothesis import HealthCheck, Phase, given, settings
from hypothesis import strategies as st

from planner.cli import cli

Run = Callable[..., Any]  # tests/conftest.py
ROOT = Path(__file__).resolve().parent.parent.parent
QUICK = ("--accelerator", "h200-sxm-141gb", "--engine", "vllm", "--max-gpus", "8")
ESTIMATE = ("estimate", "--llm", "deepseek-r1", "--accelerator", "h200-sxm-141gb")


# The fixtures only set sys.argv and the folder, which examples may share. A command reads the catalogs each time, so
# that reducing a failure would take minutes: the example found is printed as it is.
FUZZ = settings(
    max_examples=40,
    phases=[Phase.explicit, Phase.reuse, Phase.generate],
    suppress_health_check=[HealthCheck.function_scoped_fixture, HealthCheck.too_slow],
)
VALUES = st.one_of(
    st.text(max_size=20),
    st.floats().map(repr),
    st.integers().map(str),
    st.recursive(st.none() | st.booleans() | st.integers() | st.text(max_size=5), st.lists, max_leaves=5).map(
        json.dumps
    ),
)
FIELDS = st.one_of(
    st.sampled_from(
        [
            *("llm", "site", "name", "traffic", "slo", "limits", "supply", "prices", "horizon_years", "discount_rate"),
            *(f"traffic.{f}" for f in ("rate_per_s", "concurrency", "input_tokens", "input_cv", "burst_factor")),
            *(f"slo.{f}" for f in ("ttft_p99_s", "tpot_p99_s", "e2e_p99_s", "availability")),
            *(f"limits.{f}" for f in ("accelerators", "engines", "weights", "kv", "max_gpus_per_replica")),
            *("supply.options", "supply.providers", "supply.regions", "prices.h200", "llm.x", ".", "a..b"),
        ]
    ),
    st.text(max_size=12),
)


def assert_handled(result: Any) -> None:
    assert result.exit_code in (0, 1, 2)
    if result.exit_code:
        assert result.stdout == ""
        assert result.stderr.startswith("planner: " if result.exit_code == 1 else ("Usage: ", "Error: "))
    assert "Traceback" not in result.stderr


@FUZZ
@given(field=FIELDS, value=VALUES)
def test_any_assignment(run_cli: Run, field: str, value: str) -> None:
    assert_handled(run_cli("plan", *QUICK, "--set", f"{field}={value}"))


@FUZZ
@given(assignment=st.text())
def test_any_text_as_an_assignment(run_cli: Run, assignment: str) -> None:
    assert_handled(run_cli("plan", *QUICK, "--set", assignment))


@FUZZ
@given(content=st.binary(max_size=200))
def test_any_bytes_as_a_workload(run_cli: Run, tmp_path: Path, content: bytes) -> None:
    file = tmp_path / "any.toml"
    file.write_bytes(content)
    result = run_cli("plan", str(file))
    assert result.exit_code == 1
    assert_handled(result)


SHIPPED = (ROOT / "catalogs" / "workloads" / "article.toml").read_bytes()


@FUZZ
@given(at=st.integers(0, len(SHIPPED)), removed=st.integers(0, 30), added=st.binary(max_size=10))
def test_any_damage_to_a_workload(run_cli: Run, tmp_path: Path, at: int, removed: int, added: bytes) -> None:
    file = tmp_path / "damaged.toml"
    file.write_bytes(SHIPPED[:at] + added + SHIPPED[at + removed :])
    assert_handled(run_cli("plan", str(file)))


def flags(name: str) -> list[str]:
    """Options of a command that take a value."""
    command = cli.commands[name]
    return [p.opts[0] for p in command.params if isinstance(p, click.Option) and not p.is_flag and p.name != "out"]


@FUZZ
@given(flag=st.sampled_from(flags("plan")), value=VALUES)
def test_any_option_of_plan(run_cli: Run, flag: str, value: str) -> None:
    assert_handled(run_cli("plan", *QUICK, f"{flag}={value}"))


@FUZZ
@given(given_=st.dictionaries(st.sampled_from(flags("estimate")), VALUES, max_size=3))
def test_any_options_of_estimate(run_cli: Run, given_: dict[str, str]) -> None:
    assert_handled(run_cli(*ESTIMATE, *(f"{flag}={value}" for flag, value in given_.items())))


@FUZZ
@given(sizes=st.tuples(*[st.integers(-1, 70)] * 5), users=st.integers(-1, 10**8))
def test_any_layout_of_estimate(run_cli: Run, sizes: tuple[int, ...], users: int) -> None:
    named = zip(("--gpus", "--tp", "--dp", "--pp", "--ep"), sizes, strict=True)
    arguments = [f"{flag}={size}" for flag, size in named]
    assert_handled(run_cli(*ESTIMATE, *arguments, f"--concurrency={users}"))


@FUZZ
@given(words=st.lists(st.text(min_size=1, max_size=10), max_size=3))
def test_any_words(run_cli: Run, words: list[str]) -> None:
    assert_handled(run_cli(*words))


@FUZZ
@given(
    content=st.binary(max_size=100)
    | st.recursive(
        st.none() | st.integers() | st.text(max_size=8),
        lambda inner: st.dictionaries(st.text(max_size=12), inner),
        max_leaves=6,
    ).map(lambda value: json.dumps(value).encode())
)
def test_any_file_as_a_config(run_cli: Run, tmp_path: Path, content: bytes) -> None:
    file = tmp_path / "config.json"
    file.write_bytes(content)
    result = run_cli("catalog", "import", str(file))
    assert result.exit_code == 1
    assert_handled(result)


@settings(FUZZ, max_examples=12)
@given(
    flag=st.sampled_from(flags("simulate")), value=VALUES, rows=st.lists(st.tuples(VALUES, VALUES, VALUES), max_size=3)
)
def test_any_option_and_trace_of_simulate(
    run_cli: Run, tmp_path: Path, flag: str, value: str, rows: list[tuple[str, str, str]]
) -> None:
    file = tmp_path / "any.csv"
    head = "arrival_s,input_tokens,output_tokens\n0,10,10\n1,10,10\n"
    file.write_text(head + "".join(",".join(row) + "\n" for row in rows), encoding="utf-8")
    assert_handled(run_cli("simulate", *QUICK, f"--trace={file}", f"{flag}={value}"))
