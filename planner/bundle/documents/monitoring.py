"""Prometheus: what it reads, the alerts, their unit tests, and the counters of the devices."""

from __future__ import annotations

import math
import re
from collections.abc import Iterable
from typing import Any

from planner.bundle.documents import alerts as told
from planner.bundle.documents import dashboard, gateway, naming, operation, probe
from planner.bundle.documents.alerts import Alert, Series
from planner.bundle.documents.draft import Draft, Files
from planner.bundle.documents.metrics import ENGINE_METRICS
from planner.bundle.documents.subject import Subject
from planner.bundle.documents.yaml import to_yaml

FOLDER = "monitoring"
RULES, TESTS, SCRAPES = f"{FOLDER}/rules.yml", f"{FOLDER}/rules_test.yml", f"{FOLDER}/prometheus.yml"
COUNTERS = f"{FOLDER}/dcgm-counters.csv"
EVERY_S = 15
_UNIT_S = {"s": 1, "m": told.MINUTE_S, "h": told.HOUR_S}

# Field, type and meaning, as dcgm-exporter reads them (its etc/default-counters.csv; DCGM field identifiers).
DEVICE_COUNTERS: tuple[tuple[str, str, str], ...] = (
    ("DCGM_FI_DEV_SM_CLOCK", "gauge", "Clock of the multiprocessors (MHz)."),
    ("DCGM_FI_DEV_GPU_TEMP", "gauge", "Temperature of the chip (C)."),
    ("DCGM_FI_DEV_MEMORY_TEMP", "gauge", "Temperature of the memory (C)."),
    ("DCGM_FI_DEV_POWER_USAGE", "gauge", "Power (W)."),
    ("DCGM_FI_DEV_TOTAL_ENERGY_CONSUMPTION", "counter", "Energy since boot (mJ)."),
    ("DCGM_FI_DEV_FB_USED", "gauge", "Memory in use (MiB)."),
    ("DCGM_FI_DEV_FB_FREE", "gauge", "Memory free (MiB)."),
    ("DCGM_FI_DEV_XID_ERRORS", "gauge", "Last Xid error."),
    ("DCGM_FI_DEV_PCIE_REPLAY_COUNTER", "counter", "PCIe retries."),
    ("DCGM_FI_DEV_THERMAL_VIOLATION", "counter", "Time throttled by heat."),
    ("DCGM_FI_DEV_POWER_VIOLATION", "counter", "Time throttled by the power limit."),
    ("DCGM_FI_DEV_UNCORRECTABLE_REMAPPED_ROWS", "counter", "Memory rows replaced after uncorrectable errors."),
    ("DCGM_FI_DEV_CORRECTABLE_REMAPPED_ROWS", "counter", "Memory rows replaced after correctable errors."),
    ("DCGM_FI_DEV_ROW_REMAP_FAILURE", "gauge", "Whether a broken memory row could not be replaced."),
    ("DCGM_FI_DEV_NVLINK_CRC_FLIT_ERROR_COUNT_TOTAL", "counter", "NVLink flits with a wrong checksum."),
    ("DCGM_FI_DEV_NVLINK_REPLAY_ERROR_COUNT_TOTAL", "counter", "NVLink replays."),
    ("DCGM_FI_DEV_NVLINK_RECOVERY_ERROR_COUNT_TOTAL", "counter", "NVLink recoveries."),
    ("DCGM_FI_PROF_SM_ACTIVE", "gauge", "Share of time with a warp on a multiprocessor."),
    ("DCGM_FI_PROF_PIPE_TENSOR_ACTIVE", "gauge", "Share of cycles in which the tensor cores work."),
    ("DCGM_FI_PROF_DRAM_ACTIVE", "gauge", "Share of cycles in which the memory moves data."),
    ("DCGM_FI_PROF_NVLINK_TX_BYTES", "gauge", "NVLink bytes sent per second."),
    ("DCGM_FI_PROF_NVLINK_RX_BYTES", "gauge", "NVLink bytes received per second."),
)


def write(draft: Draft) -> Files:
    """All files of the folder."""
    subject = draft.subject
    files = {
        RULES: to_yaml(rules(subject)),
        TESTS: to_yaml(rule_tests(subject)),
        SCRAPES: to_yaml(scrapes(subject)),
        dashboard.FILE: dashboard.dashboard(subject),
    }
    return {**files, COUNTERS: counters()} if subject.accelerator.vendor == "NVIDIA" else files


def rules(subject: Subject) -> dict[str, Any]:
    """Rule groups as Prometheus reads them; also the `spec` of a PrometheusRule."""
    return {"groups": [{"name": subject.name, "rules": [_rule(alert) for alert in told.alerts(subject)]}]}


def rule_tests(subject: Subject) -> dict[str, Any]:
    """Unit tests for `promtool test rules`: samples that raise each alert, and a healthy fleet that raises none."""
    all_alerts = told.alerts(subject)
    return {
        "rule_files": ["rules.yml"],
        "evaluation_interval": "1m",
        "tests": [_healthy(subject, all_alerts), *(_raised(alert) for alert in all_alerts)],
    }


def scrapes(subject: Subject) -> dict[str, Any]:
    """Configuration of a Prometheus in the cluster; for an operator's see k8s/addons/monitoring.

    dcgm-exporter brings its own: how it is found depends on how it was installed.
    """
    engines = [naming.head_name(subject, pool) for pool in subject.pools]
    jobs = (
        ("engine", engines, subject.engine.port, ENGINE_METRICS[subject.plan.engine].path),
        ("gateway", [f"{subject.name}-gateway-pods"], gateway.METRICS_PORT, "/metrics"),
        ("probe", [f"{subject.name}-probe-pods"], probe.METRICS_PORT, "/metrics"),
    )
    return {
        "global": {"scrape_interval": f"{EVERY_S}s", "evaluation_interval": f"{EVERY_S}s"},
        "rule_files": ["rules.yml"],
        "scrape_configs": [
            {
                "job_name": job,
                "metrics_path": path,
                "dns_sd_configs": [
                    {"names": [f"{name}.{gateway.CLUSTER_DOMAIN}" for name in names], "type": "A", "port": port}
                ],
            }
            for job, names, port, path in jobs
        ],
    }


def counters() -> str:
    """Fields for dcgm-exporter's option -f."""
    return "".join(f"{field}, {kind}, {meaning}\n" for field, kind, meaning in DEVICE_COUNTERS)


def anchor(alert: Alert) -> str:
    """Where the runbook tells what to do."""
    return f"RUNBOOK.md#{alert.name.lower()}"


def _rule(alert: Alert) -> dict[str, Any]:
    return {
        "alert": alert.name,
        "expr": alert.expression,
        "for": f"{alert.hold_s}s",
        "labels": {"severity": alert.severity},
        "annotations": {"summary": alert.summary, "runbook": anchor(alert)},
    }


def _raised(alert: Alert) -> dict[str, Any]:
    expected = {
        "exp_labels": {"severity": alert.severity, **dict(alert.labels)},
        "exp_annotations": {"summary": alert.summary, "runbook": anchor(alert)},
    }
    at_s = _settled_s(alert)
    return {
        "name": f"{alert.name} is raised",
        "interval": "1m",
        "input_series": _series(_long_enough(alert.raising, at_s)),
        "alert_rule_test": [{"eval_time": f"{at_s}s", "alertname": alert.name, "exp_alerts": [expected]}],
    }


def _healthy(subject: Subject, all_alerts: Iterable[Alert]) -> dict[str, Any]:
    at_s = max(_settled_s(alert) for alert in all_alerts)
    quiet = [{"eval_time": f"{at_s}s", "alertname": alert.name, "exp_alerts": []} for alert in all_alerts]
    return {
        "name": "a healthy fleet raises nothing",
        "interval": "1m",
        "input_series": _series(_long_enough(healthy(subject), at_s)),
        "alert_rule_test": quiet,
    }


def _settled_s(alert: Alert) -> int:
    """When an alert that is due must be raised: its longest window is full, its hold is over, and five minutes more."""
    windows = [int(count) * _UNIT_S[unit] for count, unit in re.findall(r"\[(\d+)([smh])\]", alert.expression)]
    minutes = math.ceil((alert.hold_s + max(windows, default=0)) / told.MINUTE_S) + 5
    return minutes * told.MINUTE_S


def healthy(subject: Subject) -> tuple[Series, ...]:
    """Samples of a fleet that works as planned."""
    plan, names = subject.plan, ENGINE_METRICS[subject.plan.engine]
    slo = subject.result.workload.slo
    answers = 'haproxy_frontend_http_responses_total{proxy="requests",code="%s"}'
    found: list[Series] = [
        *told.buckets(names.ttft, slo.ttft_p99_s, above=False),
        *told.buckets(names.tpot, slo.tpot_p99_s, above=False),
        (f"{names.ttft}_count", "0+60x90"),
        (f"{names.tpot}_sum", f"0+{plan.serving.tpot_s * 60:.6g}x90"),
        (f"{names.tpot}_count", "0+60x90"),
        *(
            (f'haproxy_server_status{{proxy="replicas",server="replica-{n}",state="UP"}}', "1x90")
            for n in range(len(operation.operate(subject).hosts))
        ),
        ('haproxy_server_status{proxy="replicas",server="backup",state="UP"}', "1x90"),
        ('haproxy_server_sessions_total{proxy="replicas",server="backup"}', "0x90"),
        ('haproxy_server_check_up_down_total{proxy="replicas",server="replica-0"}', "0x90"),
        ('haproxy_backend_current_queue{proxy="replicas"}', "0x90"),
        ('llm_probe_success{target="http://replica-0:8000"}', "1x90"),
        (f'kube_statefulset_replicas{{statefulset="{subject.name}"}}', f"{len(operation.operate(subject).hosts)}x90"),
        (answers % "2xx", "0+60x90"),
        (answers % "5xx", "0x90"),
        *((name, "0x90") for name in (names.waiting, names.kv_usage) if name),
    ]
    if subject.accelerator.vendor == "NVIDIA":
        found += [
            (
                f'{field}{{gpu="0",Hostname="node"}}',
                f"{plan.power.gpu_w or 0:.0f}x90" if field.endswith("POWER_USAGE") else "0x90",
            )
            for field, _, _ in DEVICE_COUNTERS
        ]
    return tuple(found)


def _long_enough(series: Iterable[Series], seconds: int) -> list[Series]:
    """Samples are written for ninety minutes; the same for as long as a test lasts."""
    steps = seconds // told.MINUTE_S + 5
    return [(name, f"{values.rpartition('x')[0]}x{steps}") for name, values in series]


def _series(series: Iterable[Series]) -> list[dict[str, str]]:
    return [{"series": name, "values": values} for name, values in series]
