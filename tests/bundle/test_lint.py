"""Every rule refuses a bad sample, and a clean export passes all of them."""

from __future__ import annotations

import json
import sys
from collections.abc import Callable
from importlib import metadata
from pathlib import Path
from typing import Any

import pytest
import yaml
from hypothesis import given, settings
from hypothesis import strategies as st

from planner.bundle.finding import Bundle, options, parse_yaml
from planner.bundle.lint import MANIFEST, _manifest, check, lint
from planner.bundle.rules import RULES
from planner.bundle.tools import TOOLS
from planner.bundle.validation import record
from planner.bundle.write import write_bundle
from planner.errors import OutputError, PlannerError
from tests.bundle import test_addons
from tests.bundle.clean import Files, clean, verdicts
from tests.golden.refresh import NAMES

Change = Callable[[Any], object]
Edit = Callable[[Files], object]

FLEET = "k8s/base/statefulset.yaml"
SERVICE = "k8s/base/service.yaml"
BUDGET = "k8s/base/disruption-budget.yaml"
SYSCTL = "host/sysctl.d/90-llm-serving.conf"
MEMLOCK = "host/systemd/containerd.service.d/90-llm-memlock.conf"
EMBEDDING = "triton/model_repository/embedding/config.pbtxt"
GENERATION = "triton/model_repository/deepseek-r1/config.pbtxt"


def body(file: str, change: Change) -> Edit:
    """Change of one YAML file."""

    def edit(files: Files) -> None:
        found = yaml.safe_load(files[file])
        change(found)
        files[file] = yaml.safe_dump(found).encode()

    return edit


def pod(change: Change) -> Edit:
    return body(FLEET, lambda fleet: change(fleet["spec"]["template"]["spec"]))


def engine(change: Change) -> Edit:
    return pod(lambda found: change(found["containers"][0]))


def argument(old: str, new: str) -> Edit:
    """Other argument in the pod and in engine/, so that only its meaning is wrong."""

    def edit(files: Files) -> None:
        for name in (FLEET, "engine/vllm.args"):
            assert old.encode() in files[name]
            files[name] = files[name].replace(old.encode(), new.encode())

    return edit


def plan(**values: Any) -> Edit:
    def edit(files: Files) -> None:
        record = json.loads(files["plan.json"])
        record["plan"].update(values)
        files["plan.json"] = json.dumps(record).encode()

    return edit


def text(file: str, content: bytes) -> Edit:
    return lambda files: files.__setitem__(file, content)


def swap(file: str, old: bytes, new: bytes) -> Edit:
    """Other words in a file."""

    def edit(files: Files) -> None:
        assert old in files[file]
        files[file] = files[file].replace(old, new)

    return edit


def gpus(container: dict[str, Any], kind: str, count: Any) -> None:
    container["resources"][kind]["nvidia.com/gpu"] = count


BAD: list[tuple[str, str, Edit]] = [
    ("record", "no plan", text("plan.json", b"[]")),
    ("record", "no JSON", text("plan.json", b"{")),
    ("record", "no workload", text("plan.json", b'{"plan": {}, "catalogs": {}, "engine": {}}')),
    ("yaml", "broken", text(SERVICE, b"a: [1\n")),
    ("yaml", "a key twice", text(SERVICE, b"kind: Service\nkind: Secret\n")),
    ("yaml", "a Python object", text(SERVICE, b"a: !!python/object/apply:os.system [id]\n")),
    ("yaml", "no UTF-8", text(SERVICE, b"a: \xff\n")),
    ("names", "upper case", body(SERVICE, lambda o: o["metadata"].update(name="DeepSeek_R1"))),
    ("names", "twice", body(SERVICE, lambda o: o["metadata"].update(name="deepseek-r1-pods"))),
    ("kustomization", "unlisted", text("k8s/base/extra.yaml", b"kind: Secret\n")),
    ("kustomization", "not there", lambda files: files.pop(BUDGET)),
    ("kustomization", "none", lambda files: files.pop("k8s/base/kustomization.yaml")),
    ("selectors", "Service", body(SERVICE, lambda o: o["spec"].update(selector={"app": "other"}))),
    ("selectors", "empty", body(SERVICE, lambda o: o["spec"].update(selector={}))),
    ("selectors", "budget", body(BUDGET, lambda o: o["spec"]["selector"].update(matchLabels={"app": "x"}))),
    ("selectors", "fleet", body(FLEET, lambda o: o["spec"]["template"]["metadata"].update(labels={"a": "b"}))),
    ("selectors", "head", body(FLEET, lambda o: o["spec"].update(serviceName="deepseek-r1"))),
    ("ports", "Service", body(SERVICE, lambda o: o["spec"]["ports"][0].update(targetPort="https"))),
    ("ports", "probe", engine(lambda c: c["livenessProbe"]["httpGet"].update(port=9000))),
    ("ports", "engine", argument("--port=8000", "--port=8001")),
    ("volumes", "mount", pod(lambda p: p.update(volumes=[]))),
    ("volumes", "claim", body(FLEET, lambda o: o["spec"]["volumeClaimTemplates"][0]["metadata"].update(name="x"))),
    ("volumes", "map", pod(lambda p: p["volumes"].append({"name": "m", "configMap": {"name": "nowhere"}}))),
    ("gpu-requests", "more than the limit", engine(lambda c: gpus(c, "requests", 16))),
    ("gpu-requests", "less than the limit", engine(lambda c: gpus(c, "requests", "1"))),
    (
        "gpu-requests",
        "a share",
        engine(lambda c: c.update(resources={key: {"nvidia.com/gpu": 0.5} for key in ("requests", "limits")})),
    ),
    (
        "resource-keys",
        "scaling beside the limits",
        engine(lambda c: c["resources"].update(autoscaling={"minReplicas": 2})),
    ),
    ("gpu-requests", "none", engine(lambda c: c.update(resources={}))),
    ("gpu-total", "a replica more", body(FLEET, lambda o: o["spec"].update(replicas=o["spec"]["replicas"] + 1))),
    ("gpu-total", "another plan", plan(gpus_total=128)),
    ("gpu-total", "per pod", plan(gpus_per_replica=4)),
    ("parallel-sizes", "too few", argument("--tensor-parallel-size=", "--tensor-parallel-size=3")),
    ("parallel-sizes", "no number", argument("--data-parallel-size=", "--data-parallel-size=x")),
    ("batch-limits", "sequences", argument("--max-num-batched-tokens=8192", "--max-num-batched-tokens=8")),
    ("as-planned", "another context", argument("--max-model-len=", "--max-model-len=1024")),
    ("as-planned", "no sequences", argument("--max-num-seqs=", "--max-num-seqs=-4")),
    ("as-planned", "another cache", argument("--kv-cache-dtype=", "--kv-cache-dtype=zzz")),
    ("as-planned", "more than all memory", argument("--gpu-memory-utilization=", "--gpu-memory-utilization=9")),
    ("probes", "too short", engine(lambda c: c["startupProbe"].update(failureThreshold=3))),
    ("probes", "no startup", engine(lambda c: c.pop("startupProbe"))),
    ("probes", "no readiness", engine(lambda c: c.pop("readinessProbe"))),
    ("images", "latest", engine(lambda c: c.update(image="vllm/vllm-openai:latest"))),
    ("images", "no tag", engine(lambda c: c.update(image="registry.example:5000/vllm-openai"))),
    ("images", "initial", pod(lambda p: p["initContainers"][0].update(image="python:latest-slim"))),
    ("remote-code", "argument", argument("--host=0.0.0.0", "--trust-remote-code")),
    ("remote-code", "shortened", argument("--host=0.0.0.0", "--trust-remote")),
    ("remote-code", "underscores", argument("--host=0.0.0.0", "--trust_remote_code")),
    ("remote-code", "options", text("engine/more.yaml", b"trust_remote_code: true\n")),
    ("disruption", "none may go", body(BUDGET, lambda o: o["spec"].update(maxUnavailable=0))),
    ("disruption", "all must stay", body(BUDGET, lambda o: o.update(spec={"minAvailable": "100%"}))),
    ("disruption", "all may go", body(BUDGET, lambda o: o["spec"].update(maxUnavailable="100%"))),
    ("disruption", "no budget", body(BUDGET, lambda o: o.update(kind="ConfigMap"))),
    ("drain", "killed first", pod(lambda p: p.update(terminationGracePeriodSeconds=5))),
    ("engine-arguments", "misspelt", argument("--max-num-seqs=", "--max-num-seq=")),
    ("engine-arguments", "of another engine", argument("--host=0.0.0.0", "--mem-fraction-static=0.9")),
    ("engine-arguments", "short", argument("--host=0.0.0.0", "-tp")),
    ("engine-arguments", "two opinions", text("engine/vllm.args", b"deepseek-ai/DeepSeek-R1\n")),
    ("engine-arguments", "another engine's file", text("engine/sglang.args", b"--max-num-seqs=4\n")),
    ("engine-arguments", "unknown option", text("engine/more.yaml", b"enable_magic: true\n")),
    ("manifest", "changed", lambda files: files.update({"README.md": files["README.md"] + b"\n"})),
    ("manifest", "added", text("notes.txt", b"mine\n")),
    ("manifest", "removed", lambda files: files.pop("README.zh.md")),
    ("manifest", "no manifest", lambda files: files.pop(MANIFEST)),
    ("manifest", "no checksum", text(MANIFEST, b"README.md\n")),
    ("kubernetes-schema", "autoscaling", engine(lambda c: c["resources"].update(autoscaling={"minReplicas": 1}))),
    ("references", "account", pod(lambda p: p.update(serviceAccountName="nobody"))),
    ("references", "priority", pod(lambda p: p.update(priorityClassName="highest"))),
    ("selectors", "not its own", body(FLEET, lambda o: o["spec"]["selector"].update(matchLabels={"app": "x"}))),
    ("rights", "privileged", engine(lambda c: c["securityContext"].update(privileged=True))),
    ("rights", "may gain", engine(lambda c: c.pop("securityContext"))),
    ("rights", "of the node", pod(lambda p: p.update(hostNetwork=True))),
    ("kubernetes-schema", "a word", body(FLEET, lambda o: o["spec"].update(replicas="two"))),
    ("kubernetes-schema", "no kind", body(SERVICE, lambda o: o.pop("kind"))),
    ("runbook", "no section", swap("RUNBOOK.zh.md", b"### TooHot", b"### Hot")),
    ("runbook", "leads nowhere", swap("monitoring/rules.yml", b"RUNBOOK.md#toohot", b"README.md")),
    ("device-counters", "not exported", swap("monitoring/dcgm-counters.csv", b"DCGM_FI_DEV_XID_ERRORS", b"# XID")),
    ("prometheus-rules", "no duration", swap("monitoring/rules.yml", b"for: 300s", b"for: soon")),
    (
        "prometheus-rules",
        "no expression",
        swap("monitoring/rules.yml", b"llm_probe_success == 0", b"llm_probe_success =="),
    ),
    ("prometheus-rules", "no port", swap("monitoring/prometheus.yml", b"port: 8000", b"port: many")),
    ("prometheus-tests", "other limit", swap("monitoring/rules.yml", b"0.0144", b"0.99")),
    (
        "prometheus-tests",
        "too eager",
        swap("monitoring/rules.yml", b"llm_probe_success == 0", b"llm_probe_success >= 0"),
    ),
    ("dashboard", "no expression", swap("monitoring/dashboard.json", b"avg(DCGM", b"avg((DCGM")),
    ("dashboard", "no JSON", text("monitoring/dashboard.json", b"{")),
    ("dashboard", "no chart", text("monitoring/dashboard.json", b"{}")),
    ("sysctl", "out of range", swap(SYSCTL, b"vm.swappiness = 1", b"vm.swappiness = 201")),
    ("sysctl", "unknown", swap(SYSCTL, b"vm.swappiness", b"vm.swapiness")),
    ("sysctl", "too few", swap(SYSCTL, b"4096 131072 67108864", b"4096 131072")),
    ("sysctl", "falls", swap(SYSCTL, b"4096 131072 67108864", b"4096 131072 64")),
    ("sysctl", "twice", swap(SYSCTL, b"net.core.wmem_max", b"net.core.rmem_max")),
    ("sysctl", "no number", swap(SYSCTL, b"vm.swappiness = 1", b"vm.swappiness = low")),
    ("systemd", "no section", text("host/systemd/llm-cpu-governor.service", b"ExecStart=/bin/true\n")),
    ("systemd", "unknown word", swap("host/systemd/llm-cpu-governor.service", b"Type=oneshot", b"Kind=oneshot")),
    ("systemd", "no program", swap("host/systemd/llm-cpu-governor.service", b"/bin/sh", b"/no/such/shell")),
    ("systemd", "another mount", swap("host/systemd/var-lib-models.mount", b"Where=/var/lib/models", b"Where=/mnt")),
    ("systemd", "no limit", text(MEMLOCK, b"[Service]\nLimitMEMLOCK=much\n")),
    ("triton", "no field", swap(EMBEDDING, b"max_batch_size", b"max_batch")),
    ("triton", "larger than the largest", swap(EMBEDDING, b"32, 64 ]", b"32, 128 ]")),
    ("triton", "another name", swap(EMBEDDING, b'name: "embedding"', b'name: "other"')),
    (
        "triton",
        "batches twice",
        text(GENERATION, b'name: "deepseek-r1" backend: "vllm" max_batch_size: 4 dynamic_batching {}'),
    ),
    ("triton", "no backend", text(GENERATION, b'name: "deepseek-r1"')),
    ("shellcheck", "unquoted", text("bench/aiperf.sh", b"#!/bin/bash\nrm -rf $1/*\n")),
    ("shellcheck", "broken", text("bench/calibrate.sh", b"#!/bin/bash\nif true; then\n")),
    ("haproxy", "unknown word", text("gateway/haproxy.cfg", b"global\n  breaker 5\n")),
    ("haproxy", "no backend", swap("gateway/haproxy.cfg", b"default_backend replicas", b"default_backend fleet")),
    ("haproxy", "no limit", swap("gateway/haproxy.cfg", b"timeout server 2000ms", b"timeout server never")),
]


GROUP = "k8s/base/leaderworkerset.yaml"


def group(change: Change) -> Edit:
    return body(GROUP, lambda found: change(found["spec"]["leaderWorkerTemplate"]))


BAD_GROUPS: list[tuple[str, str, Edit]] = [
    ("custom-schema", "a word", group(lambda g: g.update(size="two"))),
    ("custom-schema", "unknown field", group(lambda g: g.update(nodes=2))),
    ("parallel-sizes", "three servers", group(lambda g: g.update(size=3))),
    ("gpu-total", "half of a server", group(lambda g: _half(g["workerTemplate"]))),
    (
        "disruption",
        "followers",
        body(
            "k8s/base/disruption-budget.yaml",
            lambda o: (
                o["spec"]["selector"].pop("matchExpressions")
                and o["spec"]["selector"]["matchLabels"].update({"app.kubernetes.io/component": "serve"})
            ),
        ),
    ),
    ("custom-schema", "another version", body(GROUP, lambda o: o.update(apiVersion="leaderworkerset.x-k8s.io/v9"))),
]


def _half(template: dict[str, Any]) -> None:
    kinds = template["spec"]["containers"][0]["resources"]
    for kind in ("requests", "limits"):
        kinds[kind]["nvidia.com/gpu"] = 4


@pytest.mark.parametrize(("rule", "why", "edit"), BAD_GROUPS, ids=[f"{rule}: {why}" for rule, why, _ in BAD_GROUPS])
def test_a_bad_group_is_refused(rule: str, why: str, edit: Edit, tmp_path: Path) -> None:
    files = clean("r1-h100-two-servers")
    edit(files)
    assert judged(rule, files, tmp_path / "out"), f"{why} passed"


def judged(rule: str, files: Files, folder: Path) -> list[Any]:
    """Findings of a rule or a tool; every tool at every sample would take minutes to say nothing."""
    if rule == "manifest":
        return list(_manifest(Bundle(files)))
    if rule in RULES:
        return list(RULES[rule](Bundle(files)))
    write_bundle(files, folder)
    return list(TOOLS[rule].check(Bundle(files), folder))


@pytest.mark.parametrize("name", NAMES)
def test_a_clean_export_passes(name: str) -> None:
    findings = verdicts(name)
    assert [f for f in findings if f.severity == "error"] == []
    waits = [f.rule for f in findings if f.severity == "not_checked"]
    assert waits == (["references"] if name in ("r1-a100-int4", "r1-b200-fp4") else [])
    assert {f.rule for f in findings} == {"manifest", *RULES, *TOOLS}


def test_a_lint_asks_every_rule(tmp_path: Path) -> None:
    """The samples below ask their own rule alone; here a bundle is read from disk, and two of them speak."""
    files = clean("distill-32b-one-a100")
    files["k8s/base/extra.yaml"] = b"kind: [\n"
    write_bundle(files, tmp_path / "out")
    assert {f.rule for f in lint(tmp_path / "out") if f.severity == "error"} >= {"manifest", "yaml", "yamllint"}


@pytest.mark.parametrize(("rule", "why", "edit"), BAD, ids=[f"{rule}: {why}" for rule, why, _ in BAD])
def test_a_bad_bundle_is_refused(rule: str, why: str, edit: Edit, tmp_path: Path) -> None:
    files = clean("r1-h200-vllm")
    edit(files)
    found = [f for f in judged(rule, files, tmp_path / "out") if f.severity == "error"]
    assert {f.rule for f in found} == {rule}, f"{why} passed"


def test_every_rule_has_a_bad_sample() -> None:
    elsewhere = {rule for rule, *_ in (*BAD_GROUPS, *test_addons.BAD, *test_addons.PROGRAMS)}
    assert {rule for rule, _, _ in BAD} | elsewhere == {"manifest", *RULES, *TOOLS}


def test_what_is_created_by_hand_is_told() -> None:
    found = [f for f in check(clean("r1-a100-int4")) if f.rule == "references"]
    assert [f.severity for f in found] == ["not_checked"] and "deepseek-r1-checkpoint" in found[0].message


def test_a_budget_in_percent() -> None:
    files = clean("r1-h200-vllm")
    body(BUDGET, lambda o: o.update(spec={**o["spec"], "maxUnavailable": "50%"}))(files)
    assert not [f for f in check(files) if f.severity == "error"]


def test_a_digest_pins() -> None:
    files = clean("r1-h200-vllm")
    engine(lambda c: c.update(image="vllm/vllm-openai@sha256:" + "0" * 64))(files)
    assert not [f for f in check(files) if f.severity == "error"]


def test_another_engine_version_is_told() -> None:
    files = clean("r1-h200-vllm")
    record = json.loads(files["plan.json"])
    record["engine"]["version"] = "9.9"
    files["plan.json"] = json.dumps(record).encode()
    assert [f.severity for f in check(files) if f.rule == "engine-arguments"] == ["not_checked"]


def test_without_the_schemas(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "kubernetes_validate", None)
    findings = judged("kubernetes-schema", clean("r1-h200-vllm"), tmp_path / "out")
    assert [f.severity for f in findings] == ["not_checked"]


def test_validation_says_what_was_not_checked() -> None:
    checks = json.loads(clean("r1-h200-vllm")["validation.json"])["checks"]
    assert {c["rule"] for c in checks if c["verdict"] == "passed"} == set(RULES)
    assert {c["tool"] for c in checks if c["verdict"] == "not_checked"} >= {"kubernetes-validate", "the engine"}


def test_verdicts_are_recorded(tmp_path: Path) -> None:
    """Tools with their versions; the bundle stays whole, and what was wrong with it stays wrong."""
    findings = verdicts("r1-h200-vllm")
    write_bundle(clean("r1-h200-vllm"), tmp_path / "out")
    record(tmp_path / "out", findings)
    rows = json.loads((tmp_path / "out" / "validation.json").read_text("utf-8"))["checks"]
    assert {row["rule"] for row in rows} >= {"manifest", *RULES, *TOOLS}
    assert next(row for row in rows if row["rule"] == "yamllint")["version"] == metadata.version("yamllint")
    sealed = [f for f in _manifest(Bundle({**_files(tmp_path / "out")})) if f.severity == "error"]
    assert sealed == []
    (tmp_path / "out" / "README.md").write_text("mine", "utf-8")
    record(tmp_path / "out", findings)
    assert [f.file for f in _manifest(Bundle(_files(tmp_path / "out")))] == ["README.md"]


def test_verdicts_need_a_bundle(tmp_path: Path) -> None:
    with pytest.raises(OutputError, match="cannot record the verdicts"):
        record(tmp_path, [])


def _files(folder: Path) -> Files:
    return {p.relative_to(folder).as_posix(): p.read_bytes() for p in folder.rglob("*") if p.is_file()}


def test_no_folder(tmp_path: Path) -> None:
    with pytest.raises(PlannerError, match="is not a folder"):
        lint(tmp_path / "nowhere")


def test_an_empty_folder_is_no_bundle(tmp_path: Path) -> None:
    assert {f.rule for f in lint(tmp_path) if f.severity == "error"} >= {"manifest", "record"}


def test_links_are_not_followed(tmp_path: Path) -> None:
    write_bundle(clean("r1-h200-vllm"), tmp_path / "out")
    (tmp_path / "out" / "link").symlink_to("/etc")
    with pytest.raises(PlannerError, match="no regular file"):
        lint(tmp_path / "out")


def test_options_are_read_in_both_forms() -> None:
    assert options(["m", "--a=1", "--b", "2", "--c", "--d"]) == {"--a": "1", "--b": "2", "--c": "", "--d": ""}


@given(st.binary(max_size=60))
def test_any_bytes_are_yaml_or_a_complaint(content: bytes) -> None:
    assert isinstance(parse_yaml(content), list | str)


def places(node: Any, way: tuple[Any, ...] = ()) -> list[tuple[Any, ...]]:
    """Every path in a document."""
    children = node.items() if isinstance(node, dict) else enumerate(node) if isinstance(node, list) else ()
    return [way, *(place for key, child in children for place in places(child, (*way, key)))]


ANYTHING = st.recursive(
    st.none() | st.booleans() | st.integers(-9, 99) | st.floats() | st.text(max_size=5),
    lambda inner: st.lists(inner, max_size=2) | st.dictionaries(st.text(max_size=5), inner, max_size=2),
    max_leaves=4,
)


@settings(max_examples=50)
@given(st.data())
def test_no_bundle_breaks_the_checks(data: st.DataObject) -> None:
    """Anything anywhere: a finding, never an exception."""
    files = clean("r1-h200-vllm")
    names = sorted(n for n in files if n.endswith((".yaml", ".json")))
    name = data.draw(st.sampled_from(names))
    found = yaml.safe_load(files[name])
    way = data.draw(st.sampled_from(places(found)[1:]))
    here = found
    for step in way[:-1]:
        here = here[step]
    here[way[-1]] = data.draw(ANYTHING)
    files[name] = (json.dumps(found) if name.endswith("json") else yaml.safe_dump(found)).encode()
    check(files)
    list(TOOLS["kubernetes-schema"].check(Bundle({name: files[name]}), Path()))
