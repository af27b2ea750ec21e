"""RUNBOOK in English and Chinese: what acts by itself, what to do at each alert, how to recover."""

from __future__ import annotations

import math

from planner.bundle.documents import gateway, naming, operation, pods
from planner.bundle.documents.alerts import Alert, alerts
from planner.bundle.documents.backup import Backup
from planner.bundle.documents.draft import Draft, Files
from planner.bundle.words import parts
from planner.search.single import load_share
from planner.units import GIB, si

FILES = {"en": "RUNBOOK.md", "zh": "RUNBOOK.zh.md"}


def write(draft: Draft) -> Files:
    """Both languages."""
    values = figures(draft, draft.spare)
    plan = draft.subject.plan
    told = {language: values | {"fleet": naming.fleet(plan, language)} for language in FILES}
    return {name: page(draft, language, told[language], draft.spare) for language, name in FILES.items()}


def page(draft: Draft, language: str, values: dict[str, str], spare: Backup | None) -> str:
    """One language: the head, recovery, then a section for each alert under its name."""
    words = parts("runbook", language)
    loss = words["loss" if draft.subject.pods > 1 else "loss-of-all"].strip()
    learn = words["learn-nothing" if draft.subject.apart else "learn"].strip()
    values = {**values, "loss": loss.format(**values), "learn": learn}
    told = ["head", "recovery", "backup" if spare else "no-backup"]
    title = {"en": "## Alerts\n", "zh": "## 告警\n"}[language]
    sections = [_section(alert, language, words, values) for alert in alerts(draft.subject)]
    return "\n".join([*(words[part].format(**values) for part in told), title, *sections])


def figures(draft: Draft, spare: Backup | None) -> dict[str, str]:
    """Every number of the page, spelled."""
    subject, op = draft.subject, operation.operate(draft.subject)
    plan, pool = subject.plan, subject.pools[-1]
    load = load_share(plan, subject.result.workload, draft.catalog)
    return_s = gateway.CHECKS_TO_RETURN * gateway.DOWN_CHECK_S
    repair = next((a.value for a in subject.result.assumptions if a.name == _repair(draft)), None)
    return {
        "llm": subject.llm.name,
        "name": subject.name,
        "workload": f"{naming.workload_kind(pool).lower()}/{naming.workload_name(subject, pool)}",
        "pod": f"{naming.workload_name(subject, pool)}-0",
        "engine": subject.engine.name,
        "replicas": str(plan.replicas),
        "spares": str(plan.spares),
        "pods": str(subject.pods),
        "gpus": str(plan.gpus_per_replica),
        "accelerator": subject.accelerator.name,
        "ttft": f"{op.ttft_limit_s:g} s",
        "tpot": f"{op.tpot_limit_s * 1000:g} ms",
        "errors": str(operation.BREAKER_ERRORS),
        "every": str(operation.CHECK_EVERY_S),
        "check": f"{op.check_timeout_s:g} s",
        "return": str(return_s),
        "ramp": str(gateway.RETURN_RAMP_S),
        "replays": str(gateway.REPLAYS),
        "buffer": f"{gateway.buffer_bytes(plan.layout.max_context_tokens) // 1024} KiB",
        "in_service": str(op.most_in_service),
        "waiting": str(op.most_waiting),
        "answer": str(op.answer_limit_s),
        "drain": str(subject.drain_s),
        "load": f"{math.ceil(subject.load_time_s)} s",
        "startup": f"{pods.startup_budget_s(subject)} s",
        "checkpoint": f"{subject.checkpoint_bytes / GIB:,.0f} GiB",
        "download": f"{math.ceil(subject.checkpoint_bytes * 8 / 10e9 / 60)} min",
        "left": str(subject.pods - 1),
        # The load of the fleet is spread over all that are up, spares included.
        "utilisation": f"{load * plan.replicas / subject.pods:.0%}",
        "busier": f"{load * plan.replicas / max(subject.pods - 1, 1):.0%}",
        "repair": f"{repair:g} h" if isinstance(repair, float | int) else "?",
        "tpot_expected": si(plan.serving.tpot_s, "s"),
        "port": str(subject.engine.port),
        **_spare(draft, spare),
    }


def _spare(draft: Draft, spare: Backup | None) -> dict[str, str]:
    if spare is None:
        return {}
    plan = draft.subject.plan
    load_per_s = plan.serving.requests_per_s * plan.replicas
    return {
        "backup_llm": draft.catalog.llms[spare.llm].name,
        "backup_repository": spare.hf_id,
        "backup_ttft": si(spare.ttft_s, "s"),
        "backup_tpot": si(spare.tpot_s, "s"),
        "backup_concurrency": str(spare.concurrency),
        "backup_rate": f"{spare.requests_per_s:.2g}",
        "backup_share": f"{min(spare.requests_per_s / load_per_s, 1):.0%}",
        "backup_gpus": str(spare.gpus_for_all),
        "load_rate": f"{load_per_s:.2g}",
        "served": operation.served_name(draft.subject),
    }


def _repair(draft: Draft) -> str:
    """Assumption about repairs that holds for how the plan is bought."""
    owned = any(unit.option == "own" for unit in draft.subject.plan.supply)
    return f"repair_hours ({'own' if owned else 'cloud'})"


def _section(alert: Alert, language: str, words: dict[str, str], values: dict[str, str]) -> str:
    asked = {
        "en": f"Asked: `{alert.expression}`, held for {alert.hold_s} s.",
        "zh": f"表达式：`{alert.expression}`，持续 {alert.hold_s} 秒。",
    }
    severity = words[alert.severity].strip()
    action = words[alert.name].format(**values)
    return f"### {alert.name}\n\n{severity} {asked[language]}\n\n{action}"
