"""A whole bundle at work on this machine's processor: a real LLM behind the generated gateway, watched by the
generated alerts and the generated probe, measured by the generated benchmark, learnt from by the planner.

Only addresses, the pace of the checks and the loads of the benchmark differ from a deployment, all through the
variables that the bundle offers for it.
"""

from __future__ import annotations

import csv
import http.client
import json
import math
import os
import shutil
import subprocess
import sys
import urllib.parse
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import ExitStack
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest
import yaml

from planner.bundle.documents.operation import BREAKER_ERRORS
from planner.bundle.write import documents, write_bundle
from planner.catalog import load_catalog
from planner.schema import PlanResult
from planner.search.estimate import estimate
from planner.search.question import Question
from tests.bundle.parts import Replica, free_port, language_model, program, read, running, tokenizer, until
from tests.golden.refresh import frozen_result

ROOT = Path(__file__).resolve().parents[2]
TTFT_LIMIT_S = 1.5
PROMPT = "The capital of France is"


@dataclass
class Fleet:
    """Everything that runs, by its port."""

    bundle: Path
    llm: int
    replicas: tuple[Replica, Replica]
    gateway: int
    metrics: int
    prometheus: int

    def ask(self, **more: Any) -> tuple[int, str, str]:
        """Status, server and body of a request through the gateway."""
        connection = http.client.HTTPConnection("127.0.0.1", self.gateway, timeout=20)
        body = {"model": "deepseek-r1-distill-qwen-32b", "prompt": PROMPT, "max_tokens": 8, "temperature": 0, **more}
        connection.request("POST", "/v1/completions", json.dumps(body), {"Content-Type": "application/json"})
        answer = connection.getresponse()
        return answer.status, answer.headers.get("X-Served-By", ""), answer.read().decode()

    def up(self, server: str) -> bool:
        """Does the gateway send requests to a server?"""
        state = f'haproxy_server_status{{proxy="replicas",server="{server}",state="UP"}} 1'
        return state in read(f"http://127.0.0.1:{self.metrics}/metrics")

    def alerts(self) -> set[str]:
        """Alerts that are raised or about to be."""
        found = json.loads(read(f"http://127.0.0.1:{self.prometheus}/api/v1/alerts"))["data"]["alerts"]
        return {alert["labels"]["alertname"] for alert in found}

    def value(self, expression: str) -> list[float]:
        query = urllib.parse.urlencode({"query": expression})
        found = json.loads(read(f"http://127.0.0.1:{self.prometheus}/api/v1/query?{query}"))
        return [float(row["value"][1]) for row in found["data"]["result"]]


def small_plan() -> PlanResult:
    """The frozen plan of a 32B model, with two replicas and a first token promised within 1.5 s."""
    result = frozen_result("distill-32b-a100")
    slo = result.workload.slo.model_copy(update={"ttft_p99_s": TTFT_LIMIT_S})
    plan = result.plans[0]
    plan = plan.model_copy(update={"replicas": 2, "spares": 0, "gpus_total": 2 * plan.gpus_per_replica})
    return result.model_copy(update={"workload": result.workload.model_copy(update={"slo": slo}), "plans": (plan,)})


def scrape_here(bundle: Path, jobs: dict[str, int]) -> None:
    """The generated configuration with addresses of this machine. llama.cpp names its gauges otherwise than vLLM."""
    path = bundle / "monitoring" / "prometheus.yml"
    found = yaml.safe_load(path.read_text())
    found["global"] = {"scrape_interval": "1s", "evaluation_interval": "1s"}
    renamed = {"requests_processing": "vllm:num_requests_running", "requests_deferred": "vllm:num_requests_waiting"}
    found["scrape_configs"] = [
        {
            "job_name": name,
            "static_configs": [{"targets": [f"127.0.0.1:{port}"]}],
            "metric_relabel_configs": [
                {
                    "source_labels": ["__name__"],
                    "regex": f"llamacpp:{old}",
                    "target_label": "__name__",
                    "replacement": new,
                }
                for old, new in renamed.items()
            ],
        }
        for name, port in jobs.items()
    ]
    path.write_text(yaml.safe_dump(found))


@pytest.fixture(scope="module")
def fleet(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Fleet]:
    haproxy, prometheus = program("haproxy", "haproxy"), program("prometheus", "prometheus")
    folder = tmp_path_factory.mktemp("fleet")
    bundle = folder / "bundle"
    write_bundle(documents(small_plan(), 1, load_catalog()), bundle)
    gateway, metrics, watching, probing = (free_port() for _ in range(4))
    with ExitStack() as stack:
        llm = stack.enter_context(language_model(folder))
        replicas = (Replica(llm), Replica(llm))
        for replica in replicas:
            stack.callback(replica.close)
        here = {
            "GATEWAY_BIND": f"127.0.0.1:{gateway}",
            "METRICS_BIND": f"127.0.0.1:{metrics}",
            "REPLICA_0": f"127.0.0.1:{replicas[0].port}",
            "REPLICA_1": f"127.0.0.1:{replicas[1].port}",
            "BACKUP": f"127.0.0.1:{llm}",
            "CHECK_DOWN_EVERY": "1s",
            "RETURN_RAMP": "1s",
        }
        configuration = folder / "haproxy.cfg"  # abstract sockets are the machine's: those of this process alone
        generated = (bundle / "gateway" / "haproxy.cfg").read_text()
        configuration.write_text(generated.replace("abns@", f"abns@{os.getpid()}-"))
        stack.enter_context(running([haproxy, "-f", str(configuration)], folder / "haproxy.log", **here))
        asking = [
            sys.executable,
            str(bundle / "health" / "probe.py"),
            "--listen",
            f"127.0.0.1:{probing}",
            "--every",
            "2",
        ]
        urls = [f"http://127.0.0.1:{replica.port}" for replica in replicas]
        stack.enter_context(running([*asking, *urls], folder / "probe.log"))
        scrape_here(bundle, {"engine": llm, "gateway": metrics, "probe": probing})
        watch = [
            prometheus,
            f"--config.file={bundle / 'monitoring' / 'prometheus.yml'}",
            f"--storage.tsdb.path={folder / 'prometheus'}",
            f"--web.listen-address=127.0.0.1:{watching}",
        ]
        stack.enter_context(running(watch, folder / "prometheus.log"))
        found = Fleet(bundle, llm, replicas, gateway, metrics, watching)
        until(lambda: found.up("replica-0") and found.up("replica-1") and found.up("backup"), 60, "all are up")
        until(lambda: found.value("llm_probe_success") == [1.0, 1.0], 60, "the probe is content")
        yield found


@pytest.fixture(autouse=True)
def well(fleet: Fleet) -> None:
    """Every test begins with a healthy fleet; it heals by itself."""
    for replica in fleet.replicas:
        replica.mode = "well"
    until(lambda: fleet.up("replica-0") and fleet.up("replica-1"), 60, "the replicas come back by themselves")


def test_the_gateway_serves_both_kinds_of_answers(fleet: Fleet) -> None:
    status, server, body = fleet.ask()
    assert status == 200 and server.startswith("replica-") and json.loads(body)["choices"][0]["text"]
    status, server, body = fleet.ask(stream=True)
    assert status == 200 and server.startswith("replica-") and body.rstrip().endswith("[DONE]")
    assert read(f"http://127.0.0.1:{fleet.gateway}/health") == "ok"
    with pytest.raises(OSError, match="404"):
        read(f"http://127.0.0.1:{fleet.gateway}/metrics")


def test_nobody_notices_a_replica_that_dies(fleet: Fleet) -> None:
    """It closes the connection before the first byte; the request is replayed at the other one."""
    fleet.replicas[0].mode = "dies"
    found = [fleet.ask(stream=bool(number % 2))[:2] for number in range(6)]
    assert found == [(200, "replica-1")] * 6
    assert fleet.replicas[0].asked > 0


def test_five_silent_answers_take_replicas_out_and_the_backup_answers(fleet: Fleet) -> None:
    """Streams whose headers came and whose tokens do not."""
    for replica in fleet.replicas:
        replica.mode, replica.asked = "silent", 0
    late = at_once(fleet, 2 * BREAKER_ERRORS)
    assert {status for status, _, _ in late} == {504}
    assert "first token is late" in late[0][2]
    if fleet.up("replica-0") or fleet.up("replica-1"):  # a check in between begins the count anew
        at_once(fleet, 2 * BREAKER_ERRORS)
    assert not fleet.up("replica-0") and not fleet.up("replica-1"), [r.asked for r in fleet.replicas]
    status, server, body = fleet.ask()
    assert (status, server) == (200, "backup") and json.loads(body)["choices"][0]["text"]
    raised = until(lambda: {"BackupAnswers", "TooFewReplicas"} <= fleet.alerts(), 10, "the alerts are raised")
    assert raised
    for replica in fleet.replicas:
        replica.mode = "well"
    until(lambda: fleet.up("replica-0"), 60, "a replica that answers checks comes back by itself")
    assert fleet.ask()[1].startswith("replica-")


def at_once(fleet: Fleet, count: int) -> list[tuple[int, str, str]]:
    """Streams that several clients ask for at the same time."""
    with ThreadPoolExecutor(count) as pool:
        return list(pool.map(lambda _: fleet.ask(stream=True), range(count)))


def test_fewer_late_answers_leave_a_replica_in(fleet: Fleet) -> None:
    fleet.replicas[0].mode = fleet.replicas[1].mode = "silent"
    assert [status for status, _, _ in at_once(fleet, BREAKER_ERRORS - 1)] == [504] * (BREAKER_ERRORS - 1)
    assert fleet.up("replica-0") and fleet.up("replica-1")


def test_the_probe_says_what_is_wrong(fleet: Fleet) -> None:
    urls = [f"http://127.0.0.1:{fleet.replicas[0].port}", f"http://127.0.0.1:{free_port()}"]
    command = [sys.executable, str(fleet.bundle / "health" / "probe.py"), "--once"]
    good = subprocess.run([*command, urls[0]], capture_output=True, text=True, check=False)
    assert good.returncode == 0 and ": right, first token" in good.stdout
    bad = subprocess.run([*command, *urls], capture_output=True, text=True, check=False)
    assert bad.returncode == 1 and f"{urls[1]}: connection" in bad.stdout


def test_every_alert_can_be_evaluated_on_what_is_told(fleet: Fleet) -> None:
    until(lambda: fleet.value("vllm:num_requests_running"), 10, "the engine's gauges are read")
    groups = json.loads(read(f"http://127.0.0.1:{fleet.prometheus}/api/v1/rules"))["data"]["groups"]
    rules = [rule for group in groups for rule in group["rules"]]
    assert len(rules) > 15
    assert {rule["health"] for rule in rules} == {"ok"}, [rule.get("lastError") for rule in rules]
    # llama.cpp has no histogram of first tokens, and the alert that says so is on its way.
    assert "NoMetrics" in fleet.alerts()


def aiperf() -> str:
    beside = ROOT / ".venv-aiperf" / "bin" / "aiperf"
    named = os.environ.get("AIPERF") or (str(beside) if beside.exists() else shutil.which("aiperf"))
    return named or pytest.skip("no AIPerf: make aiperf")


def test_the_benchmark_measures_and_the_planner_learns(fleet: Fleet, tmp_path: Path) -> None:
    """A small model on a processor is no large one on accelerators, but about as fast as one on slow ones: what is
    shown is that the figures arrive, and that the prediction moves to them."""
    here = {
        **os.environ,
        "AIPERF": aiperf(),
        "URL": f"http://127.0.0.1:{fleet.replicas[0].port}",
        "TOKENIZER": str(tokenizer(tmp_path / "tokenizer")),
        "USERS": "4",
        "INPUT_TOKENS": "64",
        "OUTPUT_TOKENS": "16",
        "RESULTS": str(tmp_path / "results"),
        "OWN": str(tmp_path / "own.csv"),
    }
    bench = fleet.bundle / "bench"
    command = ["bash", str(bench / "aiperf.sh"), "--workers-max", "1", "--record-processors", "1"]
    ran = subprocess.run(command, env=here, capture_output=True, text=True, check=False)
    assert ran.returncode == 0, ran.stdout[-2000:] + ran.stderr[-2000:]
    results = sorted((tmp_path / "results").glob("users_*/profile_export_aiperf.json"))
    assert [path.parent.name for path in results] == ["users_4"]
    assert json.loads(results[0].read_text())["output_sequence_length"]["avg"] == 16
    again = subprocess.run(["bash", str(bench / "aiperf.sh")], env=here, capture_output=True, text=True, check=False)
    assert again.returncode == 1 and "never mixed" in again.stderr

    planner = tmp_path / "planner"
    planner.write_text(f"#!/bin/sh\nexec '{sys.executable}' -m planner \"$@\"\n")
    planner.chmod(0o755)
    here |= {"PLANNER": str(planner), "PYTHONPATH": str(ROOT), "PLANNER_LANG": "en"}
    measured = json.loads(results[0].read_text())["inter_token_latency"]["avg"] / 1000
    asked = [word for option, value in about_as_fast(measured).items() for word in (f"--{option}", str(value))]
    command = ["bash", str(bench / "calibrate.sh"), *asked, "--json"]
    learnt = subprocess.run(command, env=here, capture_output=True, text=True, check=False)
    assert learnt.returncode == 0, learnt.stdout[-2000:] + learnt.stderr[-2000:]
    rows = list(csv.DictReader((tmp_path / "own.csv").open()))
    assert rows and all("aiperf" in str(row) for row in rows)


def about_as_fast(tpot_s: float) -> dict[str, Any]:
    """Set-up whose prediction is nearest: tests share their machine, so a token takes 30 ms to a second."""
    slow = {"accelerator": "a6000-48gb", "gpus": 2}
    setups = ({"gpus": 2, "tp": 2}, {**slow, "tp": 2}, {**slow, "tp": 1, "pp": 2})
    plain = {"llm": "deepseek-r1-distill-qwen-32b", "accelerator": "a100-sxm-80gb"}
    catalog = load_catalog()

    def distance(setup: dict[str, Any]) -> float:
        load = {"input_tokens": 64, "output_tokens": 16, "concurrency": 4}
        found = estimate(catalog, Question(**{**plain, **setup, **load}))
        return abs(math.log(found.serving.tpot_s / tpot_s))

    return min(setups, key=distance)
