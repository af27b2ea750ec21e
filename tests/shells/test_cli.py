"""Every command as a shell sees it: help, JSON contracts, and bad input, which is one message and never a traceback."""

from __future__ import annotations

import json
import os
import shutil
import subprocess
import sys
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import click
import jsonschema
import pytest

from planner.cli import cli
from planner.schema import Estimate, PlanResult

Run = Callable[..., Any]  # tests/conftest.py
ROOT = Path(__file__).resolve().parent.parent.parent
QUICK = ("--accelerator", "h200-sxm-141gb", "--engine", "vllm", "--max-gpus", "8")
ESTIMATE = ("estimate", "--llm", "deepseek-r1", "--accelerator", "h200-sxm-141gb")


def commands(group: click.Group, path: tuple[str, ...] = ()) -> Iterator[tuple[tuple[str, ...], click.Command]]:
    """Every command with the words that call it."""
    yield path, group
    for name, command in group.commands.items():
        if isinstance(command, click.Group):
            yield from commands(command, (*path, name))
        else:
            yield (*path, name), command


COMMANDS = list(commands(cli))


@pytest.mark.parametrize(
    ("path", "command"), COMMANDS, ids=lambda value: " ".join(value) if type(value) is tuple else ""
)
def test_help(run_cli: Run, path: tuple[str, ...], command: click.Command) -> None:
    result = run_cli(*path, "--help")
    assert (result.exit_code, result.stderr) == (0, "")
    assert result.stdout.startswith(f"Usage: {' '.join(('planner', *path))}")
    for parameter in command.params:
        if isinstance(parameter, click.Option):
            assert parameter.opts[0] in result.stdout
            assert parameter.help, f"{parameter.opts[0]} says nothing"


def test_the_commands_of_the_design_are_there() -> None:
    paths = {" ".join(path) for path, _ in COMMANDS}
    assert paths >= {"plan", "estimate", "export", "lint", "schema", "app"}
    assert paths >= {f"catalog {verb}" for verb in ("ls", "show", "check", "import")}


# ---- JSON contracts: these keys stay (DESIGN).

PLAN_KEYS = {"workload", "catalog_sha256", "plans", "rejections", "wall_s", "candidates_evaluated"}
ONE_PLAN = """rank llm accelerator engine layout gpus_per_replica nodes_per_replica replicas spares gpus_total supply
memory serving slo power cost availability load_time_s basis band"""
PARTS = {
    "layout": "weights kv tp pp dp ep mode",
    "slo": "ttft_p99_s tpot_p99_s met",
    "cost": "usd_per_month usd_per_million_output_tokens npv_usd horizon_years",
    "memory": """fits weights_bytes_per_gpu kv_bytes_per_token kv_bytes_per_token_per_gpu activation_bytes_per_gpu
    reserve_bytes_per_gpu kv_capacity_tokens max_sequences""",
    "serving": "ttft_s tpot_s e2e_s output_tokens_per_s output_tokens_per_s_per_gpu bound",
    "power": "gpu_w node_w facility_w energy_j_per_output_token",
    "band": "ttft_s tpot_s output_tokens_per_s",
}


def assert_has(found: dict[str, Any], keys: str) -> None:
    assert found.keys() >= set(keys.split())


def test_plan_json(run_cli: Run) -> None:
    result = run_cli("plan", "--json", *QUICK)
    assert (result.exit_code, result.stderr) == (0, "")
    found = json.loads(result.stdout)
    assert found.keys() >= PLAN_KEYS
    for plan in found["plans"]:
        assert_has(plan, ONE_PLAN)
        for part, keys in PARTS.items():
            assert_has(plan[part], keys)
        for unit in plan["supply"]:
            assert_has(unit, "option term region units usd_per_hour")
        assert all(low <= high for low, high in plan["band"].values())
    for rejection in json.loads(run_cli("plan", "article", "--json").stdout)["rejections"]:
        assert_has(rejection, "candidate limit needed available message")
    assert PlanResult.model_validate_json(result.stdout).plans


def test_plan_json_fits_the_printed_schema(run_cli: Run) -> None:
    schema = json.loads(run_cli("schema", "plan").stdout)
    assert set(schema["required"]) >= PLAN_KEYS
    assert set(schema["$defs"]["Plan"]["required"]) >= set(ONE_PLAN.split())
    jsonschema.validate(json.loads(run_cli("plan", "--json", *QUICK).stdout), schema)


def test_estimate_json(run_cli: Run) -> None:
    result = run_cli(*ESTIMATE, "--json")
    assert (result.exit_code, result.stderr) == (0, "")
    found = json.loads(result.stdout)
    assert_has(found, "inputs memory serving power basis band assumptions")
    for part in ("memory", "serving", "power", "band"):
        assert_has(found[part], PARTS[part])
    for assumption in found["assumptions"]:
        assert_has(assumption, "name value unit source")
    jsonschema.validate(found, json.loads(run_cli("schema", "estimate").stdout))
    assert Estimate.model_validate_json(result.stdout).memory.fits


def test_the_workload_of_an_answer_is_a_workload(run_cli: Run) -> None:
    schema = json.loads(run_cli("schema", "workload").stdout)
    jsonschema.validate(json.loads(run_cli("plan", "--json", *QUICK).stdout)["workload"], schema)


def test_explanations(run_cli: Run) -> None:
    found = json.loads(run_cli("plan", "--explain", "--json", *QUICK).stdout)
    assert found
    for one in found:
        assert_has(one, "name value formula inputs band")
        assert all(given["source"] for given in one["inputs"])
    assert found[0]["formula"] in " ".join(run_cli("plan", "--explain", *QUICK).stdout.split())


@pytest.mark.parametrize("preset", ["article", "chat", "rag", "code", "reasoning", "2000-concurrent"])
def test_presets_have_an_answer_in_words(run_cli: Run, preset: str) -> None:
    result = run_cli("plan", preset)
    assert (result.exit_code, result.stderr) == (0, "")
    assert "Plans, cheapest first" in result.stdout
    assert "$" in result.stdout


# ---- The catalog from the shell.


def test_catalog_ls(run_cli: Run) -> None:
    kinds = [line.split()[0] for line in run_cli("catalog", "ls").stdout.splitlines()]
    assert {"accelerators", "llms", "engines", "prices", "sites"} <= set(kinds)
    for kind in kinds:
        result = run_cli("catalog", "ls", kind)
        assert result.exit_code == 0
        assert result.stdout.count("\n") >= 1
    assert "deepseek-r1 " in run_cli("catalog", "ls", "llms").stdout
    prices = run_cli("catalog", "ls", "prices").stdout
    assert "(2023-H2 !, low)" in prices and "(2026-07-20, high)" in prices  # 180 days before the catalogs' day


@pytest.mark.parametrize("name", ["h200-sxm-141gb", "h200", "deepseek-r1", "r1", "vllm", "us-average"])
def test_catalog_show(run_cli: Run, name: str) -> None:
    result = run_cli("catalog", "show", name)
    assert result.exit_code == 0
    assert "source:" in result.stdout
    assert json.loads(run_cli("catalog", "show", name, "--json").stdout)["source"]


def test_catalog_check(run_cli: Run, tmp_path: Path) -> None:
    shipped = run_cli("catalog", "check")
    assert shipped.exit_code == 0
    assert "all with source, date and confidence" in shipped.stdout
    copy = shutil.copytree(ROOT / "catalogs", tmp_path / "catalogs")
    assert run_cli("catalog", "check", str(copy)).stdout == shipped.stdout


def test_catalog_import(run_cli: Run, tmp_path: Path) -> None:
    config = ROOT / "tests" / "data" / "hf" / "llama-3.1-70b.json"
    printed = run_cli("catalog", "import", str(config), "--id", "My Llama")
    assert printed.exit_code == 0
    assert printed.stdout.startswith("[my-llama]")
    file = tmp_path / "llms.toml"
    assert run_cli("catalog", "import", str(config), "--out", str(file)).exit_code == 0
    before = file.read_text(encoding="utf-8")
    again = run_cli("catalog", "import", str(config), "--out", str(file))  # the same id twice is no TOML
    assert_refused(again)
    assert file.read_text(encoding="utf-8") == before
    assert [file.name for file in tmp_path.iterdir()] == ["llms.toml"]


# ---- Bad input: exit 1, what was asked, what is allowed, what next; nothing on stdout.

BAD: dict[str, tuple[tuple[str, ...], tuple[str, ...]]] = {
    "llm": (("plan", "--llm", "deepseek-r11"), ("'deepseek-r11'", "Nearest: 'deepseek-r1'", "planner catalog ls llms")),
    "accelerator": (
        ("plan", "--accelerator", "h100-smx"),
        ("'h100-smx'", "'h100-sxm'", "planner catalog ls accelerators"),
    ),
    "engine": (("plan", "--engine", "vlm"), ("'vlm'", "Nearest: 'vllm'", "planner catalog ls engines")),
    "site": (("plan", "--site", "us-averag"), ("'us-averag'", "Nearest: 'us-average'", "planner catalog ls sites")),
    "provider": (("plan", "--provider", "nebiuss"), ("'nebiuss'", "'nebius'", "planner catalog ls")),
    "preset": (("plan", "defalt"), ("'defalt'", "Nearest: 'default'", "planner plan --help")),
    "price": (("plan", "--set", "prices.h2000=2"), ("'h2000'", "'h200'", "planner catalog ls accelerators")),
    "catalog": (("catalog", "ls", "llmz"), ("'llmz'", "Nearest: 'llms'", "planner catalog ls")),
    "row": (("catalog", "show", "deepseek-r11"), ("'deepseek-r11'", "'deepseek-r1'", "planner catalog ls")),
    "negative rate": (("plan", "--rate", "-1"), ("rate_per_s", "-1", "greater than 0", "planner schema workload")),
    "no rate": (("plan", "--rate", "0"), ("rate_per_s", "greater than 0")),
    "absurd rate": (("plan", "--rate", "1e9"), ("rate_per_s", "less than or equal to 1000000")),
    "not a number": (("plan", "--rate", "nan"), ("rate_per_s", "finite number")),
    "infinite rate": (("plan", "--rate", "inf"), ("rate_per_s", "finite number")),
    "infinite by assignment": (("plan", "--set", "traffic.rate_per_s=Infinity"), ("rate_per_s", "finite number")),
    "enormous by assignment": (("plan", "--set", f"traffic.rate_per_s={'9' * 5000}"), ("rate_per_s",)),
    "no users": (("plan", "--concurrency", "0"), ("concurrency", "greater than or equal to 1")),
    "both loads": (("plan", "--rate", "2", "--concurrency", "3"), ("--rate and --concurrency", "give one")),
    "empty prompt": (("plan", "--input", "0"), ("input_tokens", "greater than or equal to 1")),
    "certain hits": (("plan", "--prefix-hit-rate", "1"), ("prefix_hit_rate", "less than 1")),
    "certain availability": (("plan", "--availability", "1"), ("availability", "less than 1")),
    "no horizon": (("plan", "--horizon", "0"), ("horizon_years", "greater than 0")),
    "free": (("plan", "--set", "prices.h200=0"), ("prices.h200", "greater than 0")),
    "answer before its start": (("plan", "--set", "slo.e2e_p99_s=1"), ("e2e_p99_s 1 s", "ttft_p99_s 2 s", "begins")),
    "context": (("plan", "--input", "1000000"), ("1000000", "163840-token context", "deepseek-r1", "Shorten")),
    "too large": (("plan", "--max-gpus", "1"), ("no candidate serves deepseek-r1", "GB of weights", "Relax")),
    "too quick": (
        ("plan", *QUICK, "--tpot-p99", "0.0001"),
        ("no candidate serves", "P99 TPOT", "0.1 ms", "Relax", "Could be kept"),
    ),
    "precision": (("plan", "--weights", "fp4"), ("limits.weights", "'fp4'", "'nvfp4'", "planner schema workload")),
    "finer than published": (
        ("plan", "--llm", "gpt-oss-20b", "--weights", "bf16"),
        ("limits.weights", "published in mxfp4", "Possible:"),
    ),
    "supply": (("plan", "--supply", "lease"), ("supply.options", "'lease'", "'on_demand'")),
    "no such offer": (
        ("plan", "--supply", "commitment", "--accelerator", "gaudi3-128gb"),
        ("no price", "gaudi3-128gb", "commitment", "[prices]", "planner catalog ls prices"),
    ),
    "attention": (
        ("plan", "--llm", "deepseek-v4-flash"),
        ("deepseek-v4-flash", "attention geometry", "plan a relative such as deepseek-v3.2"),
    ),
    "blank fact": (
        ("estimate", "--llm", "qwen3-0.6b", "--accelerator", "ascend910b-64gb", "--gpus", "1"),
        ("ascend910b-64gb", "bandwidth_bytes_per_s", "accelerators.toml"),
    ),
    "unknown key": (("plan", "--set", "trafic.rate_per_s=3"), ("trafic", "no such field", "planner schema workload")),
    "no value": (("plan", "--set", "traffic.rate_per_s"), ("--set traffic.rate_per_s", "FIELD=VALUE")),
    "no field": (("plan", "--set", "=3"), ("--set =3", "FIELD=VALUE")),
    "field of a value": (("plan", "--set", "llm.name=x"), ("llm.name", "llm is a value", "planner schema workload")),
    "value of a table": (("plan", "--set", "traffic=5"), ("traffic", "planner schema workload")),
    "no file": (("plan", "missing.toml"), ("'missing.toml'", "TOML file or a preset: default")),
    "product": ((*ESTIMATE, "--tp", "3"), ("--tp 3", "--gpus says 8", "Make the product equal")),
    "heads": (
        ("estimate", "--llm", "llama-3.1-8b", "--accelerator", "h100", "--gpus", "3"),
        ("--tp 3", "32 attention heads", "Choose a divisor"),
    ),
    "no accelerators": ((*ESTIMATE, "--gpus", "0"), ("--gpus 0", "from 1 to")),
    "tp 0": ((*ESTIMATE, "--tp", "0"), ("--tp 0", "from 1 to")),
    "dp 0": ((*ESTIMATE, "--dp", "0"), ("--dp 0", "from 1 to")),
    "pp 0": ((*ESTIMATE, "--pp", "0"), ("--pp 0", "from 1 to")),
    "ep": ((*ESTIMATE, "--ep", "3"), ("--ep 3", "give 1, or tp x dp = 8")),
    "stages": (
        ("estimate", "--llm", "llama-3.1-8b", "--accelerator", "h100", "--gpus", "64", "--pp", "64"),
        ("--pp 64", "32 layers"),
    ),
    "attention ranks of a dense llm": (
        ("estimate", "--llm", "llama-3.1-8b", "--accelerator", "h100", "--gpus", "2", "--tp", "1", "--dp", "2"),
        ("mixture of experts", "more replicas"),
    ),
    "stored format": ((*ESTIMATE, "--kv", "fp4"), ("--kv fp4", "bf16, fp8")),
    "weights": ((*ESTIMATE, "--weights", "fp6"), ("--weights fp6", "bf16, fp8, int8, int4, nvfp4, mxfp4")),
    "arithmetic": (
        ("estimate", "--llm", "qwen3-0.6b", "--accelerator", "gaudi3", "--gpus", "1", "--weights", "int8"),
        ("gaudi3-128gb", "int8", "bf16, fp8", "--weights"),
    ),
    "share": ((*ESTIMATE, "--utilisation", "nan"), ("--utilisation nan", "above 0 and up to 1")),
    "does not fit": (
        (*ESTIMATE, "--gpus", "1"),
        ("673.1 GB of weights", "138.2 GB usable", "Use at least 8 of"),
    ),
    "long": ((*ESTIMATE, "--input", "200000"), ("200000", "163840-token context")),
    "rank": (
        ("export", *QUICK, "--plan", "50", "--out", "never-written"),
        ("--plan 50", "plans", "planner plan"),
    ),
    "no config": (("catalog", "import", "missing.json"), ("missing.json", "config.json")),
    "no catalogs": (("catalog", "check", "."), ("catalog.toml is missing",)),
}


def assert_refused(result: Any, *expected: str) -> None:
    assert result.exit_code == 1
    assert result.stdout == ""
    assert result.stderr.startswith("planner: ")
    assert "Traceback" not in result.stderr
    for part in expected:
        assert part in result.stderr


@pytest.mark.parametrize("case", BAD)
def test_bad_input(run_cli: Run, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, case: str) -> None:
    monkeypatch.chdir(tmp_path)
    arguments, expected = BAD[case]
    assert_refused(run_cli(*arguments), *expected)
    assert not list(tmp_path.iterdir())  # nothing is left behind


FILES: dict[str, tuple[bytes, str]] = {
    "broken.toml": (b'llm = "deepseek-r1"\n[traffic\n', "line 2"),
    "binary.toml": (b"\xff\x00\x01", "utf-8"),
    "nul.toml": (b"\x00" * 100, "not valid TOML"),
    "empty.toml": (b"", "llm: Field required"),
    "huge.toml": (b"#" * 1_000_001, "larger than 1,000,000 bytes"),
    "deep.toml": (b"a = " + b"[" * 100_000, "deep.toml"),
    "extra.toml": (b'llm = "deepseek-r1"\nlmm = 3\n', "lmm = '3': no such field"),
    "text.toml": (b'llm = "deepseek-r1"\ntraffic = "much"\nslo = 3\n', "traffic = 'much'"),
}


@pytest.mark.parametrize("name", FILES)
def test_bad_files(run_cli: Run, tmp_path: Path, name: str) -> None:
    content, expected = FILES[name]
    (tmp_path / name).write_bytes(content)
    assert_refused(run_cli("plan", str(tmp_path / name)), name, expected)


def test_a_folder_is_no_workload(run_cli: Run, tmp_path: Path) -> None:
    (tmp_path / "folder.toml").mkdir()
    assert_refused(run_cli("plan", str(tmp_path / "folder.toml")), "folder.toml", "TOML file or a preset")


def test_unreadable_output_leaves_nothing(run_cli: Run, tmp_path: Path) -> None:
    (tmp_path / "file").write_text("in the way")
    assert_refused(run_cli("export", *QUICK, "--out", str(tmp_path / "file" / "bundle")), "file")
    assert_refused(run_cli("catalog", "import", str(ROOT / "tests/data/hf/qwen3-30b-a3b.json"), "--out", str(tmp_path)))
    assert [file.name for file in tmp_path.iterdir()] == ["file"]


@pytest.mark.parametrize(
    "arguments",
    [
        ("plan", "--bogus"),
        ("plan", "one", "two"),
        ("plan", "--rate", "abc"),
        ("plan", "--top", "0"),
        ("plan", "--set"),
        ("estimate",),
        ("estimate", "--llm", "deepseek-r1"),
        ("export",),
        ("schema", "bundle"),
        ("catalog", "show"),
        ("app", "--port", "0"),
        ("nonsense",),
    ],
    ids=" ".join,
)
def test_wrong_usage(run_cli: Run, arguments: tuple[str, ...]) -> None:
    result = run_cli(*arguments)
    assert result.exit_code == 2
    assert result.stdout == ""
    assert "Error: " in result.stderr
    assert "Traceback" not in result.stderr


# ---- The real process, once each: exit status, empty stdout, no traceback; a reader that leaves early.


def shell(*arguments: str, **options: Any) -> subprocess.CompletedProcess[str]:
    environment = {**os.environ, "PYTHONPATH": str(ROOT)}
    command = [sys.executable, "-m", "planner", *arguments]
    return subprocess.run(command, env=environment, capture_output=True, text=True, timeout=120, **options)


def test_the_process_ends_as_the_function_does(tmp_path: Path) -> None:
    done = shell("plan", "--json", *QUICK, cwd=tmp_path)
    assert (done.returncode, done.stderr) == (0, "")
    assert json.loads(done.stdout)["plans"]
    refused = shell("plan", "--llm", "deepseek-r11", cwd=tmp_path)
    assert (refused.returncode, refused.stdout) == (1, "")
    assert refused.stderr.startswith("planner: unknown llm")
    wrong = shell("plan", "--bogus", cwd=tmp_path)
    assert (wrong.returncode, wrong.stdout) == (2, "")


def test_a_reader_that_leaves_is_no_error(tmp_path: Path) -> None:
    script = f'"{sys.executable}" -m planner catalog ls prices | head -1; exit "${{PIPESTATUS[0]}}"'
    environment = {**os.environ, "PYTHONPATH": str(ROOT)}
    done = subprocess.run(["bash", "-c", script], env=environment, cwd=tmp_path, capture_output=True, timeout=120)
    assert (done.returncode, done.stderr) == (0, b"")
