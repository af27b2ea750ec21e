"""What a bundle says: the plan and nothing else, the same each time, and a reason where it cannot be written."""

from __future__ import annotations

import json
import re
import string
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any, Literal

import pytest
import yaml
from hypothesis import given, settings
from hypothesis import strategies as st

from planner.bundle.documents import naming, readme, variants
from planner.bundle.documents.draft import draft
from planner.bundle.documents.subject import NAME_LENGTH, describe, dns_label
from planner.bundle.documents.yaml import to_yaml
from planner.bundle.finding import Bundle, gpus_per_pod, options
from planner.bundle.lint import check
from planner.bundle.rules.engine import known_arguments
from planner.bundle.tools import TOOLS
from planner.bundle.write import bundle_name, documents
from planner.catalog import Catalog
from planner.errors import MissingFact, PlannerError
from planner.schema import PlanResult, Pool
from tests.bundle.clean import CATALOG, clean
from tests.golden.refresh import COMMAND, FOLDER, NAMES, frozen_catalog, frozen_result, settled

ROOT = Path(__file__).resolve().parents[2]
ENGINES = ("vllm", "sglang", "tensorrt-llm")
FROZEN = {name: frozen_result(name) for name in NAMES}


def changed(result: PlanResult, layout: dict[str, Any] | None = None, **plan: Any) -> PlanResult:
    """The frozen answer with another plan."""
    first = result.plans[0]
    plan["layout"] = first.layout.model_copy(update=layout or {})
    return result.model_copy(update={"plans": (first.model_copy(update=plan),)})


def manifest(files: dict[str, bytes], name: str) -> Any:
    return yaml.safe_load(files[f"k8s/base/{name}.yaml"])


def given_arguments(files: dict[str, bytes]) -> list[str]:
    engine = json.loads(files["plan.json"])["plan"]["engine"]
    stem = "trtllm" if engine == "tensorrt-llm" else engine
    return files[f"engine/{stem}.args"].decode().splitlines()


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
    fleet = Bundle(clean(name)).fleet
    assert sum(gpus_per_pod(found) * (found.count or 0) for found in fleet) == FROZEN[name].plans[0].gpus_total


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
    files = clean("r1-b200-tensorrt-llm")
    wanted = yaml.safe_load(files["engine/trtllm.yaml"])
    assert wanted["enable_attention_dp"] is True and wanted["moe_config"] == {"backend": "DEEPGEMM"}
    held = manifest(files, "engine-options")["data"]["trtllm.yaml"]
    assert held == files["engine/trtllm.yaml"].decode()
    with pytest.raises(PlannerError, match="either tensor-parallel or data-parallel"):
        documents(changed(FROZEN["r1-b200-tensorrt-llm"], {"tp": 4, "dp": 2}), 1, CATALOG)


def test_no_repository_is_invented() -> None:
    """A precision that nobody published needs a checkpoint that the operator names."""
    files = clean("r1-a100-int4")
    assert given_arguments(files)[0] == "$(MODEL)"
    names = [name for name in files if name.startswith(("k8s/", "engine/")) and "backup" not in name]
    text = b"".join(files[name] for name in names)
    assert b"deepseek-ai/" not in text and b"deepseek-r1-checkpoint" in text
    assert b"create configmap deepseek-r1-checkpoint" in files["README.md"]
    assert b"create configmap deepseek-r1-checkpoint" in files["README.zh.md"]


def test_spares_may_go() -> None:
    fleet = FROZEN["r1-a100-int4"]
    files = documents(changed(fleet, replicas=3, spares=2, gpus_total=40), 1, CATALOG)
    assert manifest(files, "disruption-budget")["spec"]["maxUnavailable"] == 2
    files = documents(changed(fleet, replicas=1, spares=0, gpus_total=8), 1, CATALOG)
    assert manifest(files, "disruption-budget")["spec"]["maxUnavailable"] == 1


@pytest.mark.parametrize(("vendor", "resource"), naming.GPU_RESOURCES.items())
def test_each_vendor_has_its_resource(vendor: str, resource: str) -> None:
    subject = describe(FROZEN["r1-h200-vllm"], 1, CATALOG)
    accelerator = subject.accelerator.model_copy(update={"vendor": vendor})
    other = type(subject)(**{**subject.__dict__, "accelerator": accelerator})
    assert naming.gpu_resource(other) == resource


# ---- what cannot be written


def test_more_than_a_server_holds_is_refused() -> None:
    result = changed(FROZEN["r1-h200-vllm"], {"pp": 2}, gpus_per_replica=16, nodes_per_replica=1)
    one = result.plans[0].model_copy(update={"rank": 2, "gpus_per_replica": 8, "nodes_per_replica": 1})
    result = result.model_copy(update={"plans": (result.plans[0], one)})
    with pytest.raises(PlannerError, match=r"its link joins(.|\n)*--plan 2, or set limits.max_gpus_per_replica = 8"):
        documents(result, 1, CATALOG)


@pytest.mark.parametrize("layout", [{"tp": 8, "pp": 2}, {"tp": 2, "dp": 8, "ep": 16}])
@pytest.mark.parametrize(("engine", "follows"), [("vllm", "--headless"), ("sglang", "--enable-metrics")])
def test_an_engine_on_two_servers(layout: dict[str, int], engine: str, follows: str) -> None:
    """Both start without Ray: the same arguments on each server, told apart by the rank that the group gives it."""
    result = changed(
        FROZEN["r1-h200-vllm"],
        {"pp": 1, "dp": 1, "ep": 1, **layout},
        engine=engine,
        gpus_per_replica=16,
        nodes_per_replica=2,
        replicas=3,
        spares=1,
        gpus_total=64,
    )
    files = documents(result, 1, CATALOG)
    spec = manifest(files, "leaderworkerset")["spec"]
    group = spec["leaderWorkerTemplate"]
    assert (spec["replicas"], group["size"], group["restartPolicy"]) == (4, 2, "RecreateGroupOnPodRestart")
    leader, worker = (group[key]["spec"]["containers"][0] for key in ("leaderTemplate", "workerTemplate"))
    assert leader["resources"]["limits"] == worker["resources"]["limits"] == {"nvidia.com/gpu": 8}
    values = options(worker["args"])
    assert (values["--nnodes"], values["--node-rank"]) == ("2", "$(LWS_WORKER_INDEX)")
    assert follows in worker["args"] and ("--headless" in leader["args"]) is False
    assert "startupProbe" in leader and "startupProbe" not in worker
    budget = manifest(files, "disruption-budget")["spec"]["selector"]["matchExpressions"][0]
    assert budget["values"] == ["serve", "serve-worker"]


def test_two_pools() -> None:
    """Each engine is reached by its own name, and only the router answers users."""
    files = clean("r1-h200-two-pools")
    router = manifest(files, "router")["spec"]["template"]["spec"]["containers"][0]
    given = router["args"]
    assert given[given.index("--prefill") + 1] == "http://deepseek-r1-prefill-0.deepseek-r1-prefill-pods:8000"
    assert manifest(files, "service")["spec"]["selector"]["app.kubernetes.io/component"] == "router"
    for role in ("prefill", "decode"):
        engine = manifest(files, f"{role}-statefulset")["spec"]["template"]["spec"]["containers"][0]
        transfer = json.loads(options(engine["args"])["--kv-transfer-config"])
        assert transfer == {"kv_connector": "NixlConnector", "kv_role": "kv_both"}
        host = next(v for v in engine["env"] if v["name"] == "VLLM_NIXL_SIDE_CHANNEL_HOST")
        assert host["valueFrom"] == {"fieldRef": {"fieldPath": "status.podIP"}}


def test_two_pools_of_sglang() -> None:
    """The router is told the port at which prefill engines offer their caches."""
    files = documents(changed(FROZEN["r1-h200-two-pools"], engine="sglang"), 1, CATALOG)
    given = manifest(files, "router")["spec"]["template"]["spec"]["containers"][0]["args"]
    at = given.index("--prefill")
    port = options(files["engine/sglang-prefill.args"].decode().splitlines())["--disaggregation-bootstrap-port"]
    assert given[at + 2] == port
    assert "--disaggregation-mode=decode" in files["engine/sglang-decode.args"].decode()


def told(files: dict[str, bytes]) -> list[str]:
    """Files that start an engine with the plan's layout."""
    return sorted(name for name in files if name.startswith("engine/") and "backup" not in name)


def test_other_engines_for_the_same_layout() -> None:
    """TensorRT-LLM has no words for tensor- and data-parallel attention at once; INT4 on A100 runs on all three."""
    files = clean("r1-h200-vllm")
    assert told(files) == ["engine/sglang.args", "engine/vllm.args"]
    given = options(files["engine/sglang.args"].decode().splitlines())
    assert (given["--tp-size"], given["--dp-size"], given["--mem-fraction-static"]) == ("8", "4", "0.88")
    files = clean("r1-a100-int4")
    names = ["engine/sglang.args", "engine/trtllm.args", "engine/trtllm.yaml", "engine/vllm.args"]
    assert told(files) == names
    nvfp4 = clean("r1-b200-fp4")
    assert "engine/sglang.args" in nvfp4  # both know it on Blackwell


@pytest.mark.parametrize("way", [{"gpus_per_replica": 16, "nodes_per_replica": 2}, {}])
def test_tensorrt_llm_stays_on_one_server(way: dict[str, int]) -> None:
    result = changed(FROZEN["r1-h200-vllm" if way else "r1-h200-two-pools"], {"dp": 1}, engine="tensorrt-llm", **way)
    with pytest.raises(PlannerError, match="starts there through MPI"):
        documents(result, 1, CATALOG)


def test_pools_have_to_be_two() -> None:
    with pytest.raises(PlannerError, match="a prefill and a decode pool"):
        documents(changed(FROZEN["r1-h200-two-pools"], pools=()), 1, CATALOG)


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


@settings(max_examples=8, deadline=None)
@given(TEXT)
def test_a_title_stays_in_the_record(title: str) -> None:
    """Whatever a user calls a workload: no manifest, argument or page shows it."""
    result = FROZEN["r1-h200-vllm"]
    named = result.model_copy(update={"workload": result.workload.model_copy(update={"name": title})})
    plain, files = clean("r1-h200-vllm"), documents(named, 1, CATALOG)
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


LAYOUTS = [(tp, dp, pp) for tp in (1, 2, 4, 8) for dp in (1, 2, 8, 16) for pp in (1, 2) if tp * dp * pp <= 32]


@st.composite
def feasible(draw: st.DrawFn) -> PlanResult:
    """Any engine, layout, number of servers, one pool or two, ways of buying, and size of the fleet."""
    tp, dp, pp = draw(st.sampled_from(LAYOUTS))
    gpus = tp * dp * pp
    engine = draw(st.sampled_from(ENGINES if gpus <= 8 and (tp == 1 or dp == 1) else ENGINES[:2]))
    apart = engine != "tensorrt-llm" and draw(st.booleans())
    kinds = {"weights": draw(st.sampled_from(["bf16", "fp8", "int4"])), "kv": draw(st.sampled_from(["bf16", "fp8"]))}
    sizes = {"tp": tp, "dp": dp, "pp": pp, "ep": tp * dp if draw(st.booleans()) else 1, "max_sequences": 64 * dp}
    fleet = {"replicas": draw(st.integers(1, 40)), "spares": draw(st.integers(0, 5))}
    first = FROZEN["r1-h200-vllm"].plans[0]
    layout = first.layout.model_copy(update={**sizes, **kinds, "mode": "disaggregated" if apart else "aggregated"})
    nodes, engines = -(-gpus // 8), [draw(st.integers(1, 3)) for _ in range(2 if apart else 1)]
    roles: tuple[Literal["prefill", "decode"], ...] = ("prefill", "decode") if apart else ()
    pools = tuple(
        Pool(role=role, layout=layout, replicas=count, gpus_per_replica=gpus, nodes_per_replica=nodes)
        for role, count in zip(roles, engines, strict=False)
    )
    each = sum(engines) if apart else 1
    options = draw(st.lists(st.sampled_from(["own", "commitment", "on_demand", "spot"]), min_size=1, max_size=3))
    supply = tuple(first.supply[0].model_copy(update={"option": o, "units": draw(st.integers(1, 9))}) for o in options)
    return changed(
        FROZEN["r1-h200-vllm"],
        layout.model_dump(),
        engine=engine,
        pools=pools,
        gpus_per_replica=gpus * each,
        nodes_per_replica=nodes * each,
        gpus_total=gpus * each * sum(fleet.values()),
        load_time_s=draw(st.floats(1, 5000)),
        supply=supply,
        **fleet,
    )


@settings(max_examples=12, deadline=None)
@given(feasible())
def test_every_feasible_plan_makes_a_clean_bundle(result: PlanResult) -> None:
    files = documents(result, 1, CATALOG)
    findings = check(files)
    assert not [f for f in findings if f.severity == "error"]
    waits = {f.rule for f in findings if f.severity == "not_checked"}
    assert waits == (set() if result.plans[0].layout.weights == "fp8" else {"references"})


@settings(max_examples=3, deadline=None)
@given(feasible())
def test_every_feasible_plan_pleases_the_tools(result: PlanResult) -> None:
    bundle = Bundle(documents(result, 1, CATALOG))
    for rule in ("custom-schema", "custom-rules", "yamllint", "terraform", "compose"):
        assert list(TOOLS[rule].check(bundle, Path())) == []


@pytest.mark.parametrize("engine", ENGINES)
def test_lists_of_arguments_are_of_the_pinned_version(engine: str, catalog: Catalog) -> None:
    """A new engine in the catalogs needs its list: planner/bundle/flags."""
    version, names = known_arguments(engine)
    assert version == catalog.engines[engine].version
    assert len(names) > 20 and all(re.fullmatch(r"(--|yaml:)\w[\w-]*", name) for name in names)


def texts() -> Iterator[tuple[str, dict[str, str]]]:
    yield from variants.HOW.items()
    for name, value in (*vars(readme).items(), *vars(variants).items()):
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
    page = readme.readme(draft(subject, CATALOG), language)
    values = readme.figures(draft(subject, CATALOG), language)
    for figure in ("month", "million", "in_all", "image", "startup", "storage", "tpot_p99"):
        assert values[figure] in page
    assert not re.search(r"(?<!\$)\{\w+\}|None|nan", page)


def test_the_folder_has_a_name() -> None:
    assert bundle_name(FROZEN["r1-h200-vllm"], 1) == "deepseek-r1-h200-sxm-141gb"
