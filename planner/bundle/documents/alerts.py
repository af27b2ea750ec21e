"""The alerts of a fleet: what is asked of Prometheus, how long it must hold, and samples that raise each of them.

Limits are the plan's and the workload's; where a figure is a choice, the line says so.
"""

from __future__ import annotations

import math
from collections.abc import Iterator
from dataclasses import dataclass

from planner.bundle.documents import operation, scaling
from planner.bundle.documents.metrics import ENGINE_METRICS, EngineMetrics
from planner.bundle.documents.pods import startup_budget_s
from planner.bundle.documents.subject import Subject

MINUTE_S, HOUR_S = 60, 3600
FULL_CACHE = 0.95  # choice: above it vLLM and SGLang begin to evict running requests and compute them again
FAST_BURN = 14.4  # Google SRE workbook, "Alerting on SLOs": 2 % of a month's budget in an hour
UP = 'haproxy_server_status{proxy="replicas",server=~"replica-.*",state="UP"}'
BACKUP = 'proxy="replicas",server="backup"'

# Xid errors of the application and not of the device (NVIDIA Xid catalog: 13, 31, 43 and 45 restart the application).
APPLICATION_XIDS = (13, 31, 43, 45)

Series = tuple[str, str]


@dataclass(frozen=True)
class Alert:
    """One alert.

    Attributes
    ----------
    name : CamelCase; RUNBOOK.md has a section of this name
    expression : PromQL
    hold_s : how long the expression must hold. [s]
    severity : page: wakes somebody; ticket: a working day; info
    summary : what is wrong, with the plan's figures
    raising : samples that raise it, one a minute, as promtool writes them
    labels : labels of the raised alert
    """

    name: str
    expression: str
    hold_s: int
    severity: str
    summary: str
    raising: tuple[Series, ...]
    labels: tuple[tuple[str, str], ...] = ()


def alerts(subject: Subject) -> tuple[Alert, ...]:
    """All alerts of a plan; those about NVIDIA's devices only where it runs on them."""
    told = ENGINE_METRICS[subject.plan.engine]
    devices = _devices(subject) if subject.accelerator.vendor == "NVIDIA" else ()
    return (*_promise(subject, told), *_fleet(subject), *_gateway(subject), *devices)


def quantile(histogram: str, share: float = 0.99, window: str = "5m") -> str:
    """Quantile over the whole fleet."""
    return f"histogram_quantile({share:g}, sum by (le) (rate({histogram}_bucket[{window}])))"


def mean(histogram: str, window: str) -> str:
    """Mean over the whole fleet."""
    return f"sum(rate({histogram}_sum[{window}])) / sum(rate({histogram}_count[{window}]))"


def failing(window: str) -> str:
    """Share of requests that the gateway answered with an error of the server."""
    total = 'haproxy_frontend_http_responses_total{proxy="requests"'
    return f'sum(rate({total},code="5xx"}}[{window}])) / sum(rate({total}}}[{window}]))'


def buckets(histogram: str, limit: float, above: bool) -> tuple[Series, ...]:
    """Samples of a histogram whose every value lies above, or below, a limit."""
    low = "0+0x90" if above else "0+60x90"
    bounds = ((f"{limit / 2:g}", low), (f"{limit * 2:g}", "0+60x90"), ("+Inf", "0+60x90"))
    return tuple((f'{histogram}_bucket{{le="{bound}"}}', values) for bound, values in bounds)


def _promise(subject: Subject, told: EngineMetrics) -> Iterator[Alert]:
    op, plan = operation.operate(subject), subject.plan
    for name, histogram, limit_s, what in (
        ("FirstTokenLate", told.ttft, op.ttft_limit_s, "time to first token"),
        ("TokensLate", told.tpot, op.tpot_limit_s, "gap between tokens"),
    ):
        yield Alert(
            name,
            f"{quantile(histogram)} > {limit_s:g}",
            5 * MINUTE_S,
            "page",
            f"The 99th percentile of the {what} is above the promised {limit_s:g} s.",
            buckets(histogram, limit_s, above=True),
        )
    slowest_s = plan.band.tpot_s[1]
    yield Alert(
        "SlowerThanPlanned",
        f"{mean(told.tpot, '1h')} > {slowest_s:.4g}",
        HOUR_S,
        "info",
        f"The mean time per token is above {slowest_s:.4g} s, the slow end of the plan's interval "
        f"(expected {plan.serving.tpot_s:.4g} s).",
        ((f"{told.tpot}_sum", f"0+{slowest_s * 120:.6g}x180"), (f"{told.tpot}_count", "0+60x180")),
    )
    if told.waiting:
        yield Alert(
            "RequestsWait",
            f"sum({told.waiting}) > {op.most_waiting * plan.replicas}",
            2 * MINUTE_S,
            "ticket",
            f"More than {op.most_waiting} requests wait per replica: the last of them cannot begin in time.",
            ((told.waiting, f"{op.most_waiting * plan.replicas + 1}x90"),),
        )
    if told.kv_usage:
        yield Alert(
            "CacheFull",
            f"max({told.kv_usage}) > {FULL_CACHE:g}",
            5 * MINUTE_S,
            "ticket",
            f"The KV cache of a replica is over {FULL_CACHE:.0%} full; the plan has room for "
            f"{plan.memory.kv_capacity_tokens:,.0f} tokens.",
            ((told.kv_usage, "0.99x90"),),
        )


def needed_up(subject: Subject) -> int:
    """Addresses behind the gateway that must be up: all that the load needs, or what the autoscaler always keeps."""
    addresses = len(operation.operate(subject).hosts)
    return min(scaling.least(subject) if scaling.scales(subject) else subject.plan.replicas, addresses)


def _fleet(subject: Subject) -> Iterator[Alert]:
    plan, needed = subject.plan, needed_up(subject)
    kept = "that the autoscaler always keeps" if scaling.scales(subject) else "that the load needs"
    yield Alert(
        "TooFewReplicas",
        f"sum({UP}) < {needed}",
        MINUTE_S,
        "page",
        f"Fewer than the {needed} replicas {kept} are up ({plan.replicas} for the load, {plan.spares} spares planned).",
        tuple((_up(n), "0x90" if n == 0 else "1x90") for n in range(needed)),
    )
    yield _stays_down(subject)
    yield Alert(
        "ReplicaFlaps",
        'increase(haproxy_server_check_up_down_total{proxy="replicas",server=~"replica-.*"}[30m]) > 3',
        0,
        "ticket",
        f"The breaker takes a replica out again and again: {operation.BREAKER_ERRORS} late or failed answers in a "
        "row each time.",
        (('haproxy_server_check_up_down_total{proxy="replicas",server="replica-0"}', "0+1x90"),),
        (("proxy", "replicas"), ("server", "replica-0")),
    )
    yield Alert(
        "WrongOrLateAnswer",
        "llm_probe_success == 0",
        3 * operation.CHECK_EVERY_S,
        "page",
        "A replica answers the probe wrongly, late or not at all, while its health path may still say that it is well.",
        (('llm_probe_success{target="http://replica-0:8000"}', "0x90"),),
        (("target", "http://replica-0:8000"),),
    )
    yield Alert(
        "NoMetrics",
        f"absent({ENGINE_METRICS[plan.engine].ttft}_count)",
        10 * MINUTE_S,
        "ticket",
        "Prometheus reads nothing from the engines: the other alerts are blind.",
        (),
    )


def _stays_down(subject: Subject) -> Alert:
    """With an autoscaler a replica may be down on purpose: then those count that Kubernetes runs."""
    back_s = startup_budget_s(subject)
    longer = f"for longer than a start may take ({back_s} s; loading takes {subject.load_time_s:.0f} s)"
    lasts = f"x{2 * math.ceil(back_s / MINUTE_S) + 5}"
    if scaling.scales(subject):
        running = f'kube_statefulset_replicas{{statefulset="{subject.name}"}}'
        return Alert(
            "ReplicaStaysDown",
            f"sum({UP}) < sum({running})",
            back_s,
            "ticket",
            f"The gateway finds fewer replicas up than Kubernetes runs, {longer}.",
            ((_up(0), f"1{lasts}"), (running, f"2{lasts}")),
        )
    return Alert(
        "ReplicaStaysDown",
        f"{UP} == 0",
        back_s,
        "ticket",
        f"A replica is down {longer}.",
        ((_up(0), f"0{lasts}"),),
        (("proxy", "replicas"), ("server", "replica-0"), ("state", "UP")),
    )


def _gateway(subject: Subject) -> Iterator[Alert]:
    allowed = 1 - subject.result.workload.slo.availability
    limit = FAST_BURN * allowed
    total = 'haproxy_frontend_http_responses_total{proxy="requests",code="%s"}'
    if limit < 1:
        yield Alert(
            "RequestsFail",
            f"({failing('1h')} > {limit:.4g}) and ({failing('5m')} > {limit:.4g})",
            0,
            "page",
            f"More than {limit:.3%} of the requests fail: {FAST_BURN:g} times what the promised availability allows.",
            ((total % "5xx", "0+60x90"), (total % "2xx", "0+1x90")),
        )
    yield Alert(
        "BackupAnswers",
        f"sum(rate(haproxy_server_sessions_total{{{BACKUP}}}[1m])) > 0",
        0,
        "page",
        "No replica is up: the smaller model answers, or nothing does.",
        ((f"haproxy_server_sessions_total{{{BACKUP}}}", "0+6x90"),),
    )
    yield Alert(
        "NoBackup",
        f'haproxy_server_status{{{BACKUP},state="UP"}} == 0',
        15 * MINUTE_S,
        "info",
        "The degraded backup does not answer: with every replica down, requests would fail.",
        ((f'haproxy_server_status{{{BACKUP},state="UP"}}', "0x90"),),
        (("proxy", "replicas"), ("server", "backup"), ("state", "UP")),
    )
    in_service = operation.most_in_service(subject)
    yield Alert(
        "GatewayQueues",
        'sum(haproxy_backend_current_queue{proxy="replicas"}) > 0',
        2 * MINUTE_S,
        "ticket",
        f"Requests wait in the gateway: every replica serves the {in_service} that the promise allows.",
        (('haproxy_backend_current_queue{proxy="replicas"}', "5x90"),),
    )


def _devices(subject: Subject) -> Iterator[Alert]:
    gpu = 'gpu="0",Hostname="node"'
    place = (("Hostname", "node"), ("gpu", "0"))
    application = " or ".join(f"DCGM_FI_DEV_XID_ERRORS == {xid}" for xid in APPLICATION_XIDS)
    yield Alert(
        "DeviceError",
        f"DCGM_FI_DEV_XID_ERRORS > 0 unless ({application})",
        0,
        "page",
        "An accelerator reports an Xid error that is not the application's.",
        ((f"DCGM_FI_DEV_XID_ERRORS{{{gpu}}}", "79x90"),),
        place,
    )
    yield Alert(
        "MemoryRowsFailed",
        "DCGM_FI_DEV_ROW_REMAP_FAILURE > 0",
        0,
        "ticket",
        "An accelerator could not replace broken rows of its memory: it must be exchanged.",
        ((f"DCGM_FI_DEV_ROW_REMAP_FAILURE{{{gpu}}}", "1x90"),),
        place,
    )
    yield Alert(
        "LinkRecovers",
        "increase(DCGM_FI_DEV_NVLINK_RECOVERY_ERROR_COUNT_TOTAL[10m]) > 0",
        0,
        "ticket",
        "An NVLink had to be trained again; tensor-parallel steps stall meanwhile.",
        ((f"DCGM_FI_DEV_NVLINK_RECOVERY_ERROR_COUNT_TOTAL{{{gpu}}}", "0+1x90"),),
        place,
    )
    yield Alert(
        "TooHot",
        "rate(DCGM_FI_DEV_THERMAL_VIOLATION[5m]) > 0",
        5 * MINUTE_S,
        "ticket",
        "An accelerator runs slower because it is too hot.",
        ((f"DCGM_FI_DEV_THERMAL_VIOLATION{{{gpu}}}", "0+1000x90"),),
        place,
    )
    if subject.plan.band.gpu_w:
        most_w = subject.plan.band.gpu_w[1]
        yield Alert(
            "PowerAbovePlan",
            f"avg(DCGM_FI_DEV_POWER_USAGE) > {most_w:.0f}",
            30 * MINUTE_S,
            "info",
            f"The accelerators draw more than {most_w:.0f} W each, the high end of the plan's interval.",
            ((f"DCGM_FI_DEV_POWER_USAGE{{{gpu}}}", f"{most_w + 50:.0f}x90"),),
        )


def _up(number: int) -> str:
    return f'haproxy_server_status{{proxy="replicas",server="replica-{number}",state="UP"}}'
