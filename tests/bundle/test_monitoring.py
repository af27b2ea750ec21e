"""Alerts, dashboard and runbook: the plan's numbers, and nothing that one has and the other lacks."""

from __future__ import annotations

import json
import re
from typing import Any

import pytest
import yaml

from planner.bundle.documents import alerts as told
from planner.bundle.documents import dashboard, monitoring, operation, runbook
from planner.bundle.documents.backup import backup
from planner.bundle.documents.draft import Draft, draft
from planner.bundle.documents.metrics import ENGINE_METRICS
from planner.bundle.documents.subject import describe
from planner.bundle.rules.engine import known_arguments
from planner.bundle.words import parts
from planner.catalog import load_catalog
from planner.schema import PlanResult
from tests.golden.refresh import NAMES, frozen_result

CATALOG = load_catalog()


def drafted(result: PlanResult) -> Draft:
    return draft(describe(result, 1, CATALOG), CATALOG)


def expression(result: PlanResult, name: str) -> str:
    return next(a.expression for a in told.alerts(drafted(result).subject) if a.name == name)


def test_limits_by_hand() -> None:
    """The autoscaler keeps two of three replicas; 2 s and 50 ms promised; availability 99.9 % burnt 14.4 times as
    fast: 1.44 %. A replica takes 2.825 requests/s, and 2 - 0.45 = 1.55 s are left for waiting: 4.4, so 4 each."""
    result = frozen_result("r1-h200-vllm")
    assert expression(result, "TooFewReplicas").endswith(" < 2")
    assert expression(result, "FirstTokenLate").endswith(" > 2")
    assert expression(result, "TokensLate").endswith(" > 0.05")
    assert "> 0.0144" in expression(result, "RequestsFail")
    assert expression(result, "RequestsWait") == "sum(vllm:num_requests_waiting) > 12"
    assert operation.most_waiting(drafted(result).subject) == 4


@pytest.mark.parametrize("name", NAMES)
def test_every_alert_has_its_section_in_both_languages(name: str) -> None:
    draft = drafted(frozen_result(name))
    names = [alert.name for alert in told.alerts(draft.subject)]
    assert len(names) == len(set(names))
    for text in runbook.write(draft).values():
        page = str(text)
        assert re.findall(r"^### (\w+)$", page, re.MULTILINE)[-len(names) :] == names
        assert "{" not in re.sub(r"`[^`\n]*`", "", page), "a figure was not filled in"


def test_both_languages_have_the_same_parts() -> None:
    english, chinese = parts("runbook", "en"), parts("runbook", "zh")
    assert english.keys() == chinese.keys()
    for name, text in english.items():
        figures = set(re.findall(r"\{(\w+)\}", text))
        assert figures == set(re.findall(r"\{(\w+)\}", chinese[name])), name


def test_the_backup_is_smaller_and_in_time() -> None:
    """R1's publisher has a 32B and a 70B distill; in 16 bit only the 32B fits on one H200."""
    draft = drafted(frozen_result("r1-h200-vllm"))
    found = backup(draft.subject, draft.catalog)
    assert found is not None and found.llm == "deepseek-r1-distill-qwen-32b"
    assert found.ttft_s <= 2.0 and found.tpot_s <= 0.05
    assert (found.gpus_for_all - 1) * found.requests_per_s < 5.0 <= found.gpus_for_all * found.requests_per_s


def test_without_a_smaller_model_the_runbook_says_so() -> None:
    result = frozen_result("r1-h200-vllm")
    plan = result.plans[0].model_copy(update={"llm": "kimi-k2"})
    draft = drafted(result.model_copy(update={"plans": (plan,)}))
    assert backup(draft.subject, draft.catalog) is None
    assert "hold no LLM of the same publisher" in str(runbook.write(draft)["RUNBOOK.md"])


def test_one_replica_is_told_to_be_alone() -> None:
    page = str(runbook.write(drafted(frozen_result("distill-32b-a100")))["RUNBOOK.md"])
    assert "There is one replica" in page


@pytest.mark.parametrize("name", NAMES)
def test_the_dashboard_asks_the_engine_for_what_it_has(name: str) -> None:
    draft = drafted(frozen_result(name))
    board = json.loads(str(monitoring.write(draft)[dashboard.FILE]))
    names = ENGINE_METRICS[draft.subject.plan.engine]
    asked = " ".join(dashboard.expressions(draft.subject))
    assert f"{names.ttft}_bucket" in asked
    for engine, other in ENGINE_METRICS.items():
        if engine != draft.subject.plan.engine:
            assert other.ttft not in asked
    found = [p for p in board["panels"] if p["type"] == "timeseries"]
    assert sum(len(p["targets"]) for p in found) == len(dashboard.expressions(draft.subject))
    assert all(t["datasource"]["uid"] == "${datasource}" for p in found for t in p["targets"])
    limits = {p["title"]: p["fieldConfig"]["defaults"].get("thresholds", {}).get("steps", [{}])[-1] for p in found}
    assert limits["Time to first token"]["value"] == draft.subject.result.workload.slo.ttft_p99_s


def test_other_vendors_get_no_counters_of_nvidia() -> None:
    result = frozen_result("r1-h200-vllm")
    plan = result.plans[0].model_copy(update={"accelerator": "mi300x-192gb"})
    files = monitoring.write(drafted(result.model_copy(update={"plans": (plan,)})))
    assert monitoring.COUNTERS not in files
    assert not [name for name, text in files.items() if "DCGM" in str(text)]


def test_tests_cover_every_alert_twice() -> None:
    subject = drafted(frozen_result("r1-h200-vllm")).subject
    tests: list[dict[str, Any]] = monitoring.rule_tests(subject)["tests"]
    raised = [t["alert_rule_test"][0]["alertname"] for t in tests[1:]]
    quiet = [rule["alertname"] for rule in tests[0]["alert_rule_test"]]
    assert raised == quiet == [a.name for a in told.alerts(subject)]


def test_tensorrt_llm_is_told_to_measure() -> None:
    """Its histograms stay empty without return_perf_metrics."""
    options = drafted(frozen_result("r1-b200-tensorrt-llm")).launch.options
    assert options["return_perf_metrics"] is True
    assert "yaml:return_perf_metrics" in known_arguments("tensorrt-llm")[1]


def test_rules_are_plain_yaml() -> None:
    files = monitoring.write(drafted(frozen_result("r1-h200-vllm")))
    groups = yaml.safe_load(str(files[monitoring.RULES]))["groups"]
    assert [group["name"] for group in groups] == ["deepseek-r1"]
