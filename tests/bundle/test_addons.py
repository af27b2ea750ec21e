"""Addons, overlays, Terraform and Compose: what the plan's figures make of them, and the mistakes that lint refuses."""

from __future__ import annotations

import json
import shutil
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import yaml
from hypothesis import given, settings
from hypothesis import strategies as st

from planner.bundle.documents.draft import draft
from planner.bundle.documents.hcl import Block, quoted, to_hcl
from planner.bundle.documents.scaling import least, most_running, most_waiting
from planner.bundle.documents.subject import describe
from planner.bundle.documents.terraform import write as terraform
from planner.bundle.finding import Bundle, Finding
from planner.bundle.rules import RULES
from planner.bundle.tools import TOOLS
from planner.bundle.write import documents, write_bundle
from planner.schema import PlanResult
from tests.bundle.clean import CATALOG, clean
from tests.golden.refresh import frozen_result

RESULT = frozen_result("r1-h200-vllm")
FILES = clean("r1-h200-vllm")
KEDA = "k8s/addons/keda/scaled-object.yaml"
NODES = "k8s/addons/karpenter/node-pool-reserved.yaml"
QUEUE = "k8s/addons/kueue/cluster-queue.yaml"
Change = Callable[[Any], object]


def edited(file: str, change: Change) -> dict[str, bytes]:
    body = yaml.safe_load(FILES[file])
    change(body)
    return {**FILES, file: yaml.safe_dump(body).encode()}


def body(file: str, files: dict[str, bytes] = FILES) -> Any:
    return yaml.safe_load(files[file])


def supplied(*units: tuple[str, int]) -> PlanResult:
    """The frozen plan with other ways of buying."""
    first = RESULT.plans[0]
    supply = tuple(first.supply[0].model_copy(update={"option": option, "units": n}) for option, n in units)
    return RESULT.model_copy(update={"plans": (first.model_copy(update={"supply": supply}),)})


# ---- figures


def test_thresholds_by_hand() -> None:
    """1.667 requests/s at 59 % of the limit are 2.825/s; (2 - 0.4495) s of waiting leave room for 4 requests."""
    subject = describe(RESULT, 1, CATALOG)
    assert most_waiting(subject) == 4
    assert most_running(subject) == 107  # 63.39 / 0.59005
    assert least(subject) == 2  # one that serves and one beside it
    spec = body(KEDA)["spec"]
    assert [t["metadata"]["threshold"] for t in spec["triggers"]] == ["4", "107"]
    assert (spec["minReplicaCount"], spec["maxReplicaCount"], spec["fallback"]["replicas"]) == (2, 3, 3)


@pytest.mark.parametrize("name", ["r1-h200-two-pools", "r1-b200-tensorrt-llm", "distill-32b-a100"])
def test_nothing_to_scale(name: str) -> None:
    """Two pools have addresses in the router; TensorRT-LLM shows no queue; a fleet of one stays one."""
    assert not [n for n in clean(name) if "keda" in n]


def test_node_pools_by_way_of_buying() -> None:
    """Of three servers one is firm: it comes first, then Spot, then on demand for what Spot does not give."""
    files = documents(supplied(("on_demand", 1), ("spot", 2)), 1, CATALOG)
    pools = {n.rpartition("node-pool-")[2]: body(n, files)["spec"] for n in files if "node-pool-" in n}
    limits = {name.removesuffix(".yaml"): (p["weight"], p["limits"]["nvidia.com/gpu"]) for name, p in pools.items()}
    assert limits == {"on-demand-base": (90, 8), "spot": (50, 16), "on-demand-fallback": (10, 16)}
    assert pools["spot.yaml"]["template"]["spec"]["terminationGracePeriod"] == "2m"
    groups = files["terraform/main.tf"].decode()
    assert groups.count("aws_eks_node_group") == 2 and '"SPOT"' in groups


def test_spot_drains_within_the_notice() -> None:
    steps = {step["path"].rpartition("/")[2]: step["value"] for step in body("k8s/overlays/spot/serve.yaml")}
    assert steps["terminationGracePeriodSeconds"] <= 120
    assert int(steps["command"][1]) < steps["terminationGracePeriodSeconds"]


def test_a_queue_grants_what_the_pods_request() -> None:
    quotas = {r["name"]: r["nominalQuota"] for r in body(QUEUE)["spec"]["resourceGroups"][0]["flavors"][0]["resources"]}
    pods = body("k8s/base/statefulset.yaml")["spec"]
    asked = pods["template"]["spec"]["containers"][0]["resources"]["requests"]
    assert int(quotas["cpu"]) == pods["replicas"] * int(asked["cpu"])
    assert quotas["memory"] == f"{pods['replicas'] * int(asked['memory'].removesuffix('G'))}G"
    assert int(quotas["nvidia.com/gpu"]) == RESULT.plans[0].gpus_total


def test_no_cloud_shape_no_node_pools() -> None:
    plan = RESULT.plans[0].model_copy(update={"accelerator": "mi300x-192gb"})
    files = documents(RESULT.model_copy(update={"plans": (plan,)}), 1, CATALOG)
    assert not [n for n in files if n.startswith(("terraform", "k8s/addons/karpenter", "compose"))]


def test_compose_starts_the_same_engine() -> None:
    engine = body("compose.yaml")["services"]["engine"]
    assert engine["command"] == FILES["engine/vllm.args"].decode().splitlines()
    assert engine["deploy"]["resources"]["reservations"]["devices"][0]["count"] == 8
    unpublished = body("compose.yaml", clean("r1-a100-int4"))["services"]["engine"]
    assert unpublished["command"][0] == "${MODEL:?name the checkpoint}"


@pytest.mark.skipif(shutil.which("kubectl") is None, reason="kubectl is in no Debian package of this age")
@pytest.mark.parametrize("name", ["r1-h200-vllm", "r1-h100-two-servers", "r1-h200-two-pools"])
def test_overlays_change_what_they_say(name: str, tmp_path: Path) -> None:
    write_bundle(clean(name), tmp_path / "out")
    for overlay, wanted in (("spot", "terminationGracePeriodSeconds: 1"), ("reserved", "capacity-type: reserved")):
        command = ["kubectl", "kustomize", f"k8s/overlays/{overlay}"]
        text = subprocess.run(command, cwd=tmp_path / "out", capture_output=True, text=True, check=True).stdout
        assert wanted in text


def built(name: str, overlay: str, folder: Path) -> Bundle:
    """What `kubectl apply -k` would send of an overlay."""
    write_bundle(clean(name), folder)
    command = ["kubectl", "kustomize", f"k8s/overlays/{overlay}"]
    made = subprocess.run(command, cwd=folder, capture_output=True, check=True).stdout
    return Bundle({"k8s/built.yaml": made})


@pytest.mark.skipif(shutil.which("kubectl") is None, reason="kubectl is in no Debian package of this age")
@pytest.mark.parametrize("name", ["r1-h200-vllm", "r1-h100-two-servers", "r1-h200-two-pools"])
@pytest.mark.parametrize("overlay", ["shared-weights", "local-weights"])
def test_weights_lie_elsewhere(name: str, overlay: str, tmp_path: Path) -> None:
    """No pod has a volume of its own left, and every mount finds what it names."""
    made = built(name, overlay, tmp_path / "out")
    assert list(RULES["volumes"](made)) == [] and not any(pods.claims for pods in made.pods)
    kinds = {k for pods in made.engines for v in pods.spec["volumes"] if v["name"] in ("models", "weights") for k in v}
    wanted = {"emptyDir", "persistentVolumeClaim"} if overlay == "shared-weights" else {"hostPath"}
    assert kinds == wanted | {"name"}


def test_a_shared_volume_is_written_once_and_awaited(tmp_path: Path) -> None:
    """The job's program and that of the waiting pods agree on the file that says: complete."""
    job = yaml.safe_load(FILES["k8s/overlays/shared-weights/fetch.yaml"])["spec"]["template"]["spec"]["containers"][0]
    steps = body("k8s/overlays/shared-weights/serve.yaml")
    wait = next(step["value"] for step in steps if step["path"].endswith("initContainers/0/command"))
    library = "def snapshot_download(model, ignore_patterns): print(model)\n"
    (tmp_path / "huggingface_hub.py").write_text(library)
    here = {"MODEL": "owner/model", "PYTHONPATH": str(tmp_path)}
    for command, said in ((job["command"], "owner/model"), (wait, "")):
        program = command[2].replace('"/weights"', repr(str(tmp_path)))
        ran = subprocess.run([sys.executable, "-c", program], env=here, capture_output=True, text=True, timeout=20)
        assert (ran.returncode, ran.stdout.strip()) == (0, said), ran.stderr
    assert (tmp_path / "owner--model.complete").exists()


@pytest.mark.skipif(shutil.which("kubectl") is None, reason="kubectl is in no Debian package of this age")
@pytest.mark.parametrize("name", ["r1-h100-two-servers", "r1-h200-two-pools"])
def test_engines_that_cross_servers_get_rdma(name: str, tmp_path: Path) -> None:
    for pods in built(name, "rdma", tmp_path / "out").engines:
        asked = pods.spec["containers"][0]["resources"]
        assert asked["limits"]["rdma/rdma_shared_device_a"] == asked["requests"]["rdma/rdma_shared_device_a"] == 1
    assert "k8s/overlays/rdma/kustomization.yaml" not in FILES  # one server needs none


@pytest.mark.parametrize("name", ["r1-h200-vllm", "r1-h200-sglang", "r1-b200-tensorrt-llm", "r1-h200-two-pools"])
def test_the_backup_answers_in_the_fleets_name(name: str) -> None:
    """The gateway's backup server is a Service of the bundle, whose engine knows the name in the requests."""
    files = clean(name)
    service = body("k8s/addons/backup/service.yaml", files)
    host = f"{service['metadata']['name']}.default.svc.cluster.local:{service['spec']['ports'][0]['port']}"
    assert f"BACKUP-{service['metadata']['name']}." in files["gateway/haproxy.cfg"].decode(), host
    container = body("k8s/addons/backup/statefulset.yaml", files)["spec"]["template"]["spec"]["containers"][0]
    assert container["resources"]["limits"] == {"nvidia.com/gpu": 1}
    if name != "r1-b200-tensorrt-llm":  # which answers to any name
        assert "--served-model-name=deepseek-r1" in container["args"]
    assert json.loads(files["plan.json"])["backup"]["llm"] != "deepseek-r1"


# ---- HCL


@settings(max_examples=40)
@given(st.text(max_size=60))
def test_hcl_keeps_every_text(text: str) -> None:
    """No interpolation, no directive, one line: what JSON reads is what was meant."""
    word = quoted(text)
    assert word.isprintable() and word[0] == word[-1] == '"'
    plain = word.replace("$${", "${").replace("%%{", "%{")
    if "\\U" not in plain:
        assert json.loads(plain) == text
    assert "${" not in word.replace("$${", "") or "$" in text.replace("${", "")


@settings(max_examples=15, deadline=None)
@given(st.dictionaries(st.from_regex(r"[a-z_]{1,12}", fullmatch=True), st.text(max_size=30), max_size=4))
def test_hcl_parses(attributes: dict[str, str]) -> None:
    text = to_hcl([Block("resource", ("a", "b"), dict(attributes), [Block("inner", (), {"x": {"y": 1}})])])
    bundle = Bundle({"terraform/main.tf": text.encode()})
    assert list(TOOLS["terraform"].check(bundle, Path())) == []


def test_terraform_is_as_fmt_writes_it(tmp_path: Path) -> None:
    """terraform fmt may be absent; the alignment of these lines was checked with 1.11."""
    files = terraform(draft(describe(RESULT, 1, CATALOG), CATALOG))
    main = str(files["terraform/main.tf"])
    assert '  name     = "deepseek-r1"\n  strategy = "cluster"\n' in main
    assert main.count("\n\n\n") == 0 and main.endswith("}\n")


# ---- mistakes


def article_autoscaler() -> dict[str, bytes]:
    """An autoscaler on accelerators as articles show it: a real API server accepts it, and it never scales."""
    hpa = {
        "apiVersion": "autoscaling/v2",
        "kind": "HorizontalPodAutoscaler",
        "metadata": {"name": "deepseek-r1-hpa"},
        "spec": {
            "scaleTargetRef": {"apiVersion": "apps/v1", "kind": "StatefulSet", "name": "deepseek-r1"},
            "minReplicas": 1,
            "maxReplicas": 3,
            "metrics": [
                {
                    "type": "Resource",
                    "resource": {"name": "nvidia.com/gpu", "target": {"type": "Utilization", "averageUtilization": 70}},
                }
            ],
        },
    }
    return {**FILES, "k8s/base/hpa.yaml": yaml.safe_dump(hpa).encode()}


def replaced(file: str, old: str, new: str) -> dict[str, bytes]:
    assert old.encode() in FILES[file]
    return {**FILES, file: FILES[file].replace(old.encode(), new.encode())}


SPARE = "k8s/addons/backup/statefulset.yaml"


def _container(workload: Any) -> Any:
    return workload["spec"]["template"]["spec"]["containers"][0]


BAD: list[tuple[str, str, dict[str, bytes]]] = [
    ("scale-metrics", "accelerators", article_autoscaler()),
    ("one-autoscaler", "two", article_autoscaler()),
    ("scale-metrics", "no answer is zero", replaced(KEDA, "ignoreNullValues: 'false'", "ignoreNullValues: 'true'")),
    ("scale-metrics", "no fallback", edited(KEDA, lambda o: o["spec"].pop("fallback"))),
    ("scale-targets", "nobody", edited(KEDA, lambda o: o["spec"]["scaleTargetRef"].update(name="other"))),
    ("scale-targets", "version", edited(KEDA, lambda o: o["spec"]["scaleTargetRef"].update(apiVersion="v1"))),
    ("scale-targets", "to nothing", edited(KEDA, lambda o: o["spec"].update(minReplicaCount=0))),
    ("scale-targets", "beyond the plan", edited(KEDA, lambda o: o["spec"].update(maxReplicaCount=9))),
    ("gpu-total", "a second backup", edited(SPARE, lambda o: o["spec"].update(replicas=2))),
    (
        "probes",
        "a backup that never loads",
        edited(SPARE, lambda o: _container(o)["startupProbe"].update(failureThreshold=3)),
    ),
    ("quotas", "queue", replaced(QUEUE, "nominalQuota: '24'", "nominalQuota: '16'")),
    ("quotas", "nodes", edited(NODES, lambda o: o["spec"]["limits"].update({"nvidia.com/gpu": 8}))),
    ("queue-names", "flavor", replaced(QUEUE, "- name: deepseek-r1", "- name: nothing")),
    (
        "queue-names",
        "class",
        edited(NODES, lambda o: o["spec"]["template"]["spec"]["nodeClassRef"].update(name="nothing")),
    ),
    ("patches", "path", replaced("k8s/overlays/spot/serve.yaml", "/lifecycle/", "/lifecycles/")),
    ("patches", "object", replaced("k8s/overlays/spot/kustomization.yaml", "name: deepseek-r1", "name: other")),
    ("custom-schema", "unknown field", edited(KEDA, lambda o: o["spec"].update(replicas=3))),
    ("custom-schema", "no weight", edited(NODES, lambda o: o["spec"].update(weight=1000))),
    (
        "custom-rules",
        "no values",
        edited(NODES, lambda o: o["spec"]["template"]["spec"]["requirements"][0].update(values=[])),
    ),
    ("yamllint", "indentation", replaced(KEDA, "  pollingInterval: 15", "  pollingInterval: 15   ")),
    ("compose", "unknown key", replaced("compose.yaml", "shm_size:", "shared_memory:")),
    ("terraform", "open block", replaced("terraform/main.tf", 'strategy = "cluster"\n}', 'strategy = "cluster"\n')),
    ("python", "syntax", replaced("health/probe.py", "def ask(", "def ask((")),
    ("json", "comma", replaced("plan.json", '"plan": {', '"plan": {,')),
    ("shellcheck", "unquoted", {**FILES, "host/x.sh": b"#!/bin/bash\nrm -rf $1/*\n"}),
]
PROGRAMS: list[tuple[str, str, str, dict[str, bytes]]] = [
    ("terraform-format", "terraform", "alignment", replaced("terraform/main.tf", "name     =", "name =")),
    (
        "kustomize",
        "kubectl",
        "a word",
        replaced("k8s/overlays/spot/serve.yaml", "value: 105", "value: soon"),
    ),
    ("kustomize", "kubectl", "patch", replaced("k8s/overlays/spot/serve.yaml", "/lifecycle/", "/lifecycles/")),
]


def judged(rule: str, files: dict[str, bytes], folder: Path) -> list[Finding]:
    if rule in RULES:
        return list(RULES[rule](Bundle(files)))
    write_bundle(files, folder)
    return list(TOOLS[rule].check(Bundle(files), folder))


@pytest.mark.parametrize(("rule", "why", "files"), BAD, ids=[f"{rule}: {why}" for rule, why, _ in BAD])
def test_a_mistake_is_refused(rule: str, why: str, files: dict[str, bytes], tmp_path: Path) -> None:
    found = [f for f in judged(rule, files, tmp_path / "out") if f.severity == "error"]
    assert {f.rule for f in found} == {rule}, f"{why} passed"


@pytest.mark.parametrize(
    ("rule", "program", "why", "files"), PROGRAMS, ids=[f"{rule}: {why}" for rule, _, why, _ in PROGRAMS]
)
def test_a_mistake_is_refused_or_told(
    rule: str, program: str, why: str, files: dict[str, bytes], tmp_path: Path
) -> None:
    """These programs are in no Debian package: without them the check says that it did not run."""
    wanted = "error" if shutil.which(program) else "not_checked"
    assert wanted in {f.severity for f in judged(rule, files, tmp_path / "out")}, f"{why} passed"
