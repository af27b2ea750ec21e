"""Options of `planner estimate`: what they print, and what they refuse."""

from __future__ import annotations

import json
from collections.abc import Callable
from typing import Any

import jsonschema
import pytest

Run = Callable[..., Any]  # tests/conftest.py
R1 = ("estimate", "--llm", "deepseek-r1", "--accelerator", "h200")
DENSE = ("estimate", "--llm", "llama-3.1-8b", "--accelerator", "h100", "--gpus", "1")
HOST = ("--host", "xeon-platinum-8480")
POOLS = ("--mode", "disaggregated", "--prefill-gpus", "8", "--decode-gpus", "8")

ANSWERED = {
    "speculation": ((*R1, "--speculation", "mtp:3"), "Tokens per step"),
    "draft": ((*DENSE, "--speculation", "draft:qwen3-0.6b:2", "--acceptance", "0.6"), "Drafting in it"),
    "ngram": ((*DENSE, "--speculation", "ngram:2", "--acceptance", "0.3"), "Tokens per step"),
    "sparsity": ((*DENSE, "--sparsity", "2:4"), "Sparse matrix over dense"),
    "offload": ((*R1, "--offload", "experts:pcie:0.2", *HOST), "Host memory needed"),
    "layers": ((*DENSE, "--offload", "layers:pcie:0.5", *HOST), "Host in a step"),
    "disaggregation": ((*R1, *POOLS), "Pool that limits"),
    "both": ((*R1, *POOLS, "--speculation", "mtp:1"), "Cache sent"),
}

REFUSED = {
    "no drafts": ((*R1, "--speculation", "mtp:0"), ("mtp:0", "1 to 16 drafts")),
    "method": ((*R1, "--speculation", "magic:3"), ("magic:3", "mtp:K, ngram:K or draft:LLM:K")),
    "no module": ((*DENSE, "--speculation", "mtp:3"), ("no multi-token-prediction module", "deepseek-r1")),
    "acceptance of look-up": ((*R1, "--speculation", "ngram:3"), ("ngram:3", "--acceptance")),
    "acceptance": ((*R1, "--speculation", "mtp:3", "--acceptance", "1.2"), ("--acceptance 1.2", "from 0 to 1")),
    "large drafter": (
        (*DENSE, "--speculation", "draft:llama-3.1-70b:3", "--acceptance", "0.5"),
        ("llama-3.1-70b is no smaller",),
    ),
    "unknown drafter": ((*DENSE, "--speculation", "draft:lama-3.1-8b:3"), ("lama-3.1-8b", "Nearest")),
    "acceptance alone": ((*R1, "--acceptance", "0.5"), ("--acceptance", "--speculation")),
    "pattern": ((*DENSE, "--sparsity", "4:8"), ("4:8", "2:4")),
    "sparse experts": ((*R1, "--sparsity", "2:4"), ("routed experts",)),
    "sparse four bits": (
        (*DENSE, "--sparsity", "2:4", "--weights", "int4"),
        ("no kernels for int4", "bf16, fp8, int8"),
    ),
    "no sparse units": (
        ("estimate", "--llm", "llama-3.1-8b", "--accelerator", "mi250x", "--gpus", "1", "--sparsity", "2:4"),
        ("mi250x-128gb has sparse units for no weight precision",),
    ),
    "no fp8 units": (
        (*DENSE[:4], "a100-sxm-80gb", "--gpus", "1", "--sparsity", "2:4", "--weights", "fp8"),
        ("a100-sxm-80gb has sparse units for bf16, int8, not for fp8",),
    ),
    "part": ((*R1, "--offload", "heads:cpu", *HOST), ("heads:cpu", "experts:cpu, experts:pcie or layers:pcie")),
    "share": ((*R1, "--offload", "experts:cpu:1.5", *HOST), ("experts:cpu:1.5", "up to 1")),
    "no experts": ((*DENSE, "--offload", "experts:cpu", *HOST), ("no routed experts", "layers:pcie")),
    "no host": ((*R1, "--offload", "experts:cpu"), ("--host", "planner catalog ls cpus")),
    "unknown host": ((*R1, "--offload", "experts:cpu", "--host", "xeon-platinum-8481"), ("Nearest",)),
    "blank host": ((*R1, "--offload", "experts:cpu", "--host", "grace"), ("grace", "memory_bytes_per_s")),
    "sockets": ((*R1, "--offload", "experts:cpu", *HOST, "--sockets", "0"), ("--sockets 0", "from 1 to 8")),
    "host memory": (
        (*R1, "--offload", "experts:cpu", *HOST, "--host-memory-gb", "512"),
        ("654 GB of weights x 2 copies exceed the 512 GB", "--host-memory-gb"),
    ),
    "no host memory": (
        (*R1, "--offload", "experts:cpu", *HOST, "--host-memory-gb", "nan"),
        ("--host-memory-gb nan", "above 0"),
    ),
    "stages": ((*R1, "--offload", "experts:cpu", *HOST, "--tp", "4", "--pp", "2"), ("--pp 2", "--pp 1")),
    "host alone": ((*R1, *HOST), ("--host", "--offload")),
    "profile": ((*R1, "--profile", "new"), ("--profile new", "tuned, default, old")),
    "mode": ((*R1, "--mode", "split"), ("--mode split", "aggregated or disaggregated")),
    "no pools": ((*R1, "--mode", "disaggregated"), ("--prefill-gpus", "--decode-gpus")),
    "empty pool": ((*R1, *POOLS[:2], "--prefill-gpus", "0", "--decode-gpus", "8"), ("--prefill-gpus 0", "from 1")),
    "divided pool": ((*R1, *POOLS, "--prefill-tp", "3"), ("--prefill-tp 3", "divides 8")),
    "decode pool": ((*R1, *POOLS, "--tp", "-1"), ("--tp -1", "divides 8")),
    "gpus and pools": ((*R1, *POOLS, "--gpus", "16"), ("--gpus", "--prefill-gpus")),
    "pools alone": ((*R1, "--prefill-gpus", "8"), ("--mode disaggregated",)),
    "small pool": ((*R1, *POOLS[:2], "--prefill-gpus", "1", "--decode-gpus", "8"), ("673.1 GB of weights",)),
    "sparse pools": ((*R1, *POOLS, "--sparsity", "2:4"), ("disaggregated", "--sparsity")),
}


@pytest.mark.parametrize("name", ANSWERED)
def test_options_answer(run_cli: Run, name: str) -> None:
    arguments, row = ANSWERED[name]
    result = run_cli(*arguments)
    assert (result.exit_code, result.stderr) == (0, "")
    assert row in result.stdout
    found = json.loads(run_cli(*arguments, "--json").stdout)
    jsonschema.validate(found, json.loads(run_cli("schema", "estimate").stdout))
    assert found["basis"] == "roofline"  # no option is among the points that were fitted
    assert found["mode"] == ("disaggregated" if "--mode" in arguments else "aggregated")


def test_parameters_of_options_are_named(run_cli: Run) -> None:
    found = json.loads(run_cli(*R1, "--speculation", "mtp:3", "--json").stdout)
    names = {one["name"] for one in found["assumptions"]}
    assert {"speculation_acceptance (3)", "host_draft_s"} <= names
    sparse = json.loads(run_cli(*DENSE, "--sparsity", "2:4", "--json").stdout)
    assert any("measure quality" in one["source"] for one in sparse["assumptions"])


@pytest.mark.parametrize("name", REFUSED)
def test_options_refuse(run_cli: Run, name: str) -> None:
    arguments, expected = REFUSED[name]
    result = run_cli(*arguments)
    assert (result.exit_code, result.stdout) == (1, "")
    assert result.stderr.startswith("planner: ")
    for text in expected:
        assert text in " ".join(result.stderr.split()), result.stderr


# Too few, and the least that is enough: with sizes that divide 128 heads.
TOO_FEW: dict[str, tuple[tuple[str, ...], str]] = {
    "one": (("--gpus", "1"), "8 of them as TP8"),
    "more than a server": (("--accelerator", "h100"), "16 of them as TP16"),
    "attention ranks": (("--gpus", "4", "--tp", "1", "--dp", "4", "--ep", "4"), "8 of them as TP2 DP4 EP8"),
    "stages": (("--gpus", "3", "--tp", "1", "--pp", "3"), "6 of them as TP2 PP3"),
    "drafts": (("--gpus", "1", "--speculation", "mtp:3"), "8 of them as TP8"),
}


@pytest.mark.parametrize("name", TOO_FEW)
def test_what_is_advised_is_answered(run_cli: Run, name: str) -> None:
    """Six H200 hold the weights, and no command would take six in one stage."""
    few, advice = TOO_FEW[name]
    assert f"Use at least {advice} (" in run_cli(*R1, *few).stderr
    gpus, _, layout = advice.partition(" of them as ")
    sizes = [word for size in layout.split() for word in (f"--{size[:2].lower()}", size[2:])]
    assert run_cli(*R1, *few, "--gpus", gpus, *sizes).exit_code == 0


def test_where_no_layout_is_enough(run_cli: Run) -> None:
    found = run_cli(*DENSE, "--accelerator", "h200", "--utilisation", "0.0135", "--input", "100000")
    assert found.exit_code == 1 and "No layout of more of them is enough" in found.stderr
