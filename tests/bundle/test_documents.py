"""What a bundle says: the plan and nothing else, the same each time, and a reason where it cannot be written."""

from __future__ import annotations

import json
import re
import string
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
import yaml
from hypothesis import given, settings
from hypothesis import strategies as st

from planner.bundle.documents import kubernetes, readme
from planner.bundle.documents.engine import launch
from planner.bundle.documents.subject import NAME_LENGTH, describe, dns_label
from planner.bundle.documents.yaml import to_yaml
from planner.bundle.finding import options
from planner.bundle.lint import check
from planner.bundle.rules.engine import known_arguments
from planner.bundle.write import bundle_name, documents
from planner.catalog import Catalog, load_catalog
from planner.errors import MissingFact, PlannerError
from planner.schema import PlanResult
from tests.golden.refresh import BUNDLE_PLANS, COMMAND, FOLDER, frozen_catalog, frozen_result, settled

ROOT = Path(__file__).resolve().parents[2]
ENGINES = ("vllm", "sglang", "tensorrt-llm")
FROZEN = {name: frozen_result(name) for name in BUNDLE_PLANS}
CATALOG = load_catalog()


def changed(result: PlanResult, layout: dict[str, Any] | None = None, **plan: Any) -> PlanResult:
    """The frozen answer with another plan."""
    first = result.plans[0]
    plan["layout"] = first.layout.model_copy(update=layout or {})
    return result.model_copy(update={"plans": (first.model_copy(update=plan),)})


def manifest(files: dict[str, bytes], name: str) -> Any:
    return yaml.safe_load(files[f"k8s/base/{name}.yaml"])


def given_arguments(files: dict[str, bytes]) -> list[str]:
    (name,) = [name for name in files if name.endswith(".args")]
    return files[name].decode().splitlines()


@pytest.mark.parametrize("name", FROZEN)
def test_bundles_are_as_they_were(name: str) -> None:
    result = FROZEN[name]
    found = settled(documents(result, 1, frozen_catalog(result)))
    folder = FOLDER / "bundles" / name
    golden = {p.relative_to(folder).as_posix(): p.read_bytes() for p in folder.rglob("*") if p.is_file()}
    different = [file for file in sorted(found.keys() | golden.keys()) if found.get(file) != golden.get(file)]
    assert not different, f"{name}: {', '.join(different)} changed. If that is meant: {COMMAND}"


def test_another_run_writes_the_same_bytes() -> None:
    code = (
        "import hashlib; from tests.golden.refresh import *; r = frozen_result('r1-h200-vllm');"
        "d = documents(r, 1, frozen_catalog(r)); print(hashlib.sha256(repr(d).encode()).hexdigest())"
    )
    hashes = {
        subprocess.run(
            [sys.executable, "-c", code],
            cwd=ROOT,
            env={"PYTHONHASHSEED": seed, "PYTHONPATH": str(ROOT), "TZ": zone},
            capture_output=True,
            text=True,
            check=True,
        ).stdout
        for seed, zone in (("1", "UTC"), ("2", "Asia/Shanghai"))
    }
    assert len(hashes) == 1


@pytest.mark.parametrize("name", FROZEN)
def test_accelerators_add_up_to_the_plan(name: str) -> None:
    result = FROZEN[name]
    fleet = manifest(documents(result, 1, CATALOG), "statefulset")["spec"]
    limits = fleet["template"]["spec"]["containers"][0]["resources"]["limits"]
    assert fleet["replicas"] * limits["nvidia.com/gpu"] == result.plans[0].gpus_total


def test_r1_on_h200_by_hand() -> None:
    """8 attention ranks: 2,152 sequences of the replica are 269 each; weights of 673 GB with 20 % are 753 GiB."""
    result = changed(FROZEN["r1-h200-vllm"], {"tp": 1, "dp": 8, "ep": 8, "max_sequences": 2152}, load_time_s=152.0)
    files = documents(result, 1, CATALOG)
    given = options(given_arguments(files))
    assert given["--max-num-seqs"] == "269" and given["--data-parallel-size"] == "8"
    assert "--enable-expert-parallel" in given
    fleet = manifest(files, "statefulset")["spec"]
    assert fleet["volumeClaimTemplates"][0]["spec"]["resources"]["requests"]["storage"] == "753Gi"
    engine = fleet["template"]["spec"]["containers"][0]
    assert engine["startupProbe"]["failureThreshold"] == 61  # 4 x 152 s in steps of 10 s
    assert engine["resources"]["requests"]["cpu"] == "50"  # 8 servers, 8 cores, 8 workers, 1 coordinator, two threads


@pytest.mark.parametrize(
    ("llm", "kv", "name"),
    [("deepseek-r1", "bf16", "auto"), ("deepseek-v3.2", "bf16", "bfloat16"), ("deepseek-v3.2", "fp8", "fp8")],
)
def test_the_cache_has_the_type_of_the_plan(llm: str, kv: str, name: str) -> None:
    """vLLM 0.20 takes bfloat16 only from models whose own default is fp8."""
    files = documents(changed(FROZEN["r1-h200-vllm"], {"kv": kv}, llm=llm), 1, CATALOG)
    assert options(given_arguments(files))["--kv-cache-dtype"] == name


def test_sglang_counts_ranks_together() -> None:
    result = changed(FROZEN["r1-h200-sglang"], {"tp": 4, "dp": 2, "ep": 8, "max_sequences": 100})
    given = options(given_arguments(documents(result, 1, CATALOG)))
    assert (given["--tp-size"], given["--dp-size"], given["--ep-size"]) == ("8", "2", "8")
    assert given["--max-running-requests"] == "100"
    assert given["--chunked-prefill-size"] == str(2 * result.plans[0].layout.max_batched_tokens)


def test_tensorrt_llm_takes_a_file() -> None:
    files = documents(FROZEN["r1-b200-tensorrt-llm"], 1, CATALOG)
    wanted = yaml.safe_load(files["engine/trtllm.yaml"])
    assert wanted["enable_attention_dp"] is True and wanted["moe_config"] == {"backend": "DEEPGEMM"}
    held = manifest(files, "engine-options")["data"]["trtllm.yaml"]
    assert held == files["engine/trtllm.yaml"].decode()
    with pytest.raises(PlannerError, match="either tensor-parallel or data-parallel"):
        documents(changed(FROZEN["r1-b200-tensorrt-llm"], {"tp": 4, "dp": 2}), 1, CATALOG)


def test_no_repository_is_invented() -> None:
    """A precision that nobody published needs a checkpoint that the operator names."""
    files = documents(FROZEN["r1-a100-int4"], 1, CATALOG)
    assert given_arguments(files)[0] == "$(MODEL)"
    text = b"".join(content for name, content in files.items() if name.startswith(("k8s/", "engine/")))
    assert b"deepseek-ai/" not in text and b"deepseek-r1-checkpoint" in text
    assert b"create configmap deepseek-r1-checkpoint" in files["README.md"]
    assert b"create configmap deepseek-r1-checkpoint" in files["README.zh.md"]


def test_spares_may_go() -> None:
    fleet = FROZEN["r1-a100-int4"]
    files = documents(changed(fleet, replicas=3, spares=2, gpus_total=40), 1, CATALOG)
    assert manifest(files, "disruption-budget")["spec"]["maxUnavailable"] == 2
    files = documents(changed(fleet, replicas=1, spares=0, gpus_total=8), 1, CATALOG)
    assert manifest(files, "disruption-budget")["spec"]["maxUnavailable"] == 1


@pytest.mark.parametrize(("vendor", "resource"), kubernetes.GPU_RESOURCES.items())
def test_each_vendor_has_its_resource(vendor: str, resource: str) -> None:
    subject = describe(FROZEN["r1-h200-vllm"], 1, CATALOG)
    accelerator = subject.accelerator.model_copy(update={"vendor": vendor})
    other = type(subject)(**{**subject.__dict__, "accelerator": accelerator})
    assert kubernetes.gpu_resource(other) == resource


# ---- what cannot be written


def test_several_servers_are_refused() -> None:
    result = changed(FROZEN["r1-h200-vllm"], {"pp": 2}, gpus_per_replica=16, nodes_per_replica=2)
    one = result.plans[0].model_copy(update={"rank": 2, "gpus_per_replica": 8, "nodes_per_replica": 1})
    result = result.model_copy(update={"plans": (result.plans[0], one)})
    with pytest.raises(PlannerError, match=r"several servers(.|\n)*--plan 2, or set limits.max_gpus_per_replica = 8"):
        documents(result, 1, CATALOG)


def test_a_rack_is_no_server() -> None:
    """An NVL72 rack is one link and 18 servers of 4 accelerators."""
    result = changed(FROZEN["r1-h200-vllm"], accelerator="gb200-192gb")
    with pytest.raises(PlannerError, match="up to 4 x gb200-192gb"):
        documents(result, 1, CATALOG)


def test_a_missing_image_is_named() -> None:
    with pytest.raises(MissingFact, match="image for Intel"):
        documents(changed(FROZEN["r1-h200-vllm"], accelerator="gaudi3-128gb"), 1, CATALOG)


def test_amd_gets_its_own_image() -> None:
    files = documents(changed(FROZEN["r1-h200-vllm"], accelerator="mi300x-192gb"), 1, CATALOG)
    manifest = files["k8s/base/statefulset.yaml"].decode()
    assert CATALOG.engines["vllm"].images["CDNA3"] in manifest
    assert "amd.com/gpu: 8" in manifest and "nvidia.com/gpu" not in manifest


def test_a_missing_load_time_is_named() -> None:
    with pytest.raises(MissingFact, match="load time"):
        documents(changed(FROZEN["r1-h200-vllm"], load_time_s=None), 1, CATALOG)


def test_an_unknown_rank_is_named() -> None:
    with pytest.raises(PlannerError, match="--plan 7: no plan has this rank"):
        documents(FROZEN["r1-h200-vllm"], 7, CATALOG)


def test_half_spread_experts_are_refused() -> None:
    with pytest.raises(PlannerError, match="tp x dp ranks, not 3"):
        documents(changed(FROZEN["r1-h200-vllm"], {"ep": 3}), 1, CATALOG)


def test_a_plan_that_contradicts_itself_is_not_written() -> None:
    more = FROZEN["r1-h200-vllm"].plans[0].gpus_total + 8
    with pytest.raises(PlannerError, match="no valid bundle"):
        documents(changed(FROZEN["r1-h200-vllm"], gpus_total=more), 1, CATALOG)


def test_other_catalogs_are_told() -> None:
    result = FROZEN["r1-h200-vllm"].model_copy(update={"catalog_sha256": "0" * 64})
    files = documents(result, 1, CATALOG)
    assert b"other catalogs" in files["README.md"] and "目录数据".encode() in files["README.zh.md"]
    assert json.loads(files["plan.json"])["catalogs"]["written_with_the_same"] is False


# ---- names, texts, arguments

TEXT = st.text(max_size=80) | st.sampled_from(
    [
        "'; rm -rf / #",
        "{{ .Values }}",
        "key: &a [*a]",
        "$(MODEL)",
        "a\n---\nb: c",
        "\u2028",
        "|>",
        "<script>",
        "${HOME}",
    ]
)


@given(TEXT)
def test_a_title_stays_in_the_record(title: str) -> None:
    """Whatever a user calls a workload: no manifest, argument or page shows it."""
    result = FROZEN["r1-h200-vllm"]
    named = result.model_copy(update={"workload": result.workload.model_copy(update={"name": title})})
    plain, files = documents(result, 1, CATALOG), documents(named, 1, CATALOG)
    assert json.loads(files["plan.json"])["workload"]["name"] == title
    outside = {"plan.json", "MANIFEST.sha256"}
    assert [n for n in files if files[n] != plain[n]] == [n for n in files if n in outside and files[n] != plain[n]]


@given(TEXT | st.from_regex(r"[a-z0-9.+-]{1,64}", fullmatch=True))
def test_names_are_dns_labels(text: str) -> None:
    assert re.fullmatch(r"[a-z]([a-z0-9-]*[a-z0-9])?", dns_label(text))
    assert len(dns_label(text)) <= NAME_LENGTH


def test_long_names_stay_apart() -> None:
    assert dns_label("a" * 60 + "-one") != dns_label("a" * 60 + "-two")


@given(TEXT)
def test_yaml_keeps_every_text(text: str) -> None:
    body = {"a": text, "b": [text, {"c": text}]}
    assert yaml.safe_load(to_yaml(body)) == body


LAYOUTS = [(tp, dp, pp) for tp in (1, 2, 4, 8) for dp in (1, 2, 8) for pp in (1, 2) if tp * dp * pp <= 8]


@settings(max_examples=60)
@given(
    st.sampled_from(LAYOUTS),
    st.sampled_from(ENGINES),
    st.booleans(),
    st.sampled_from(["bf16", "fp8", "int4"]),
    st.sampled_from(["bf16", "fp8"]),
    st.integers(1, 40),
    st.integers(0, 5),
    st.floats(1, 5000),
)
def test_every_one_node_plan_makes_a_clean_bundle(
    sizes: tuple[int, int, int],
    engine: str,
    spread: bool,
    weights: str,
    kv: str,
    replicas: int,
    spares: int,
    load_s: float,
) -> None:
    tp, dp, pp = sizes
    if engine == "tensorrt-llm" and tp > 1 and dp > 1:
        return
    layout = {"tp": tp, "dp": dp, "pp": pp, "ep": tp * dp if spread else 1, "weights": weights, "kv": kv}
    gpus = tp * dp * pp
    result = changed(
        FROZEN["r1-h200-vllm"],
        {**layout, "max_sequences": 64 * dp},
        engine=engine,
        gpus_per_replica=gpus,
        replicas=replicas,
        spares=spares,
        gpus_total=gpus * (replicas + spares),
        load_time_s=load_s,
    )
    findings = check(documents(result, 1, CATALOG))
    assert not [f for f in findings if f.severity == "error"]
    waits = {f.rule for f in findings if f.severity == "not_checked"}
    assert waits == (set() if weights == "fp8" else {"references"})


@pytest.mark.parametrize("engine", ENGINES)
def test_lists_of_arguments_are_of_the_pinned_version(engine: str, catalog: Catalog) -> None:
    """A new engine in the catalogs needs its list: planner/bundle/flags."""
    version, names = known_arguments(engine)
    assert version == catalog.engines[engine].version
    assert len(names) > 20 and all(re.fullmatch(r"(--|yaml:)\w[\w-]*", name) for name in names)


def texts() -> Iterator[tuple[str, dict[str, str]]]:
    for name, value in vars(readme).items():
        if isinstance(value, dict) and set(value) == set(readme.LANGUAGES):
            yield name, value


@pytest.mark.parametrize(("name", "languages"), list(texts()))
def test_both_languages_give_the_same_figures(name: str, languages: dict[str, str]) -> None:
    used = {
        language: {field for _, field, _, _ in string.Formatter().parse(text) if field}
        for language, text in languages.items()
    }
    assert used["en"] == used["zh"]


@pytest.mark.parametrize("name", FROZEN)
@pytest.mark.parametrize("language", readme.LANGUAGES)
def test_pages_show_the_plan(name: str, language: str) -> None:
    subject = describe(FROZEN[name], 1, CATALOG)
    page = readme.readme(subject, launch(subject), language)
    values = readme.figures(subject, launch(subject), language)
    for figure in ("month", "million", "gpus_total", "image", "startup", "storage", "tpot_p99"):
        assert values[figure] in page
    assert not re.search(r"(?<!\$)\{\w+\}|None|nan", page)


def test_the_folder_has_a_name() -> None:
    assert bundle_name(FROZEN["r1-h200-vllm"], 1) == "deepseek-r1-h200-sxm-141gb"
