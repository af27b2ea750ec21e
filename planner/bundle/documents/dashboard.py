"""The Grafana dashboard: the promise, the load, the fleet and its devices, each beside the plan's figure."""

from __future__ import annotations

from dataclasses import dataclass

from planner.bundle.documents import alerts, operation
from planner.bundle.documents.metrics import ENGINE_METRICS
from planner.bundle.documents.subject import Subject

FILE = "monitoring/dashboard.json"
WIDTH, HEIGHT, COLUMNS = 8, 8, 3
SOURCE = "${datasource}"


@dataclass(frozen=True)
class Panel:
    """One chart.

    Attributes
    ----------
    unit : as Grafana names units
    queries : legend and PromQL of each line
    limit : where the plan or the promise draws a line; None: nowhere
    """

    title: str
    unit: str
    queries: tuple[tuple[str, str], ...]
    limit: float | None = None


def panels(subject: Subject) -> dict[str, tuple[Panel, ...]]:
    """All charts by row. A chart whose metrics the engine does not have is left out."""
    rows = {
        "Promise": _promise(subject),
        "Load": _load(subject),
        "Fleet": _fleet(subject),
        "Accelerators": _devices(subject) if subject.accelerator.vendor == "NVIDIA" else (),
    }
    return {name: row for name, row in rows.items() if row}


def expressions(subject: Subject) -> tuple[str, ...]:
    """Every PromQL expression of the dashboard."""
    return tuple(query for row in panels(subject).values() for panel in row for _, query in panel.queries)


def dashboard(subject: Subject) -> str:
    """JSON as Grafana imports it."""
    from grafana_foundation_sdk.builders import dashboard as board
    from grafana_foundation_sdk.cog.encoder import JSONEncoder

    built = (
        board.Dashboard(f"{subject.llm.name}: serving")
        .uid(subject.name)
        .tags(["llm", "generated"])
        .refresh("30s")
        .time("now-3h", "now")
        .timezone("browser")
        .with_variable(board.DatasourceVariable("datasource").label("Data source").type("prometheus"))
    )
    for name, row in panels(subject).items():
        built = built.with_row(board.Row(name))
        for panel in row:
            built = built.with_panel(_chart(panel))
    return JSONEncoder(sort_keys=True, indent=2).encode(built.build()) + "\n"


def _chart(panel: Panel):  # type: ignore[no-untyped-def]
    from grafana_foundation_sdk.builders import common, prometheus, timeseries
    from grafana_foundation_sdk.builders import dashboard as board
    from grafana_foundation_sdk.models.common import GraphTresholdsStyleMode
    from grafana_foundation_sdk.models.dashboard import DataSourceRef, Threshold, ThresholdsMode

    source = DataSourceRef(type_val="prometheus", uid=SOURCE)
    chart = timeseries.Panel().title(panel.title).unit(panel.unit).datasource(source).span(WIDTH).height(HEIGHT).min(0)
    for position, (legend, expression) in enumerate(panel.queries):
        query = prometheus.Dataquery().expr(expression).legend_format(legend).ref_id(chr(ord("A") + position))
        chart = chart.with_target(query.datasource(source))
    if panel.limit is None:
        return chart
    steps = [Threshold(value=None, color="green"), Threshold(value=panel.limit, color="red")]
    style = common.GraphThresholdsStyleConfig().mode(GraphTresholdsStyleMode.DASHED)
    return chart.thresholds(board.ThresholdsConfig().mode(ThresholdsMode.ABSOLUTE).steps(steps)).thresholds_style(style)


def _promise(subject: Subject) -> tuple[Panel, ...]:
    told, slo = ENGINE_METRICS[subject.plan.engine], subject.result.workload.slo
    return (
        Panel("Time to first token", "s", _percentiles(told.ttft), slo.ttft_p99_s),
        Panel("Time per output token", "s", _percentiles(told.tpot), slo.tpot_p99_s),
        Panel(
            "Failed requests",
            "percentunit",
            (("failed", alerts.failing("5m")),),
            round(1 - slo.availability, 9),
        ),
    )


def _load(subject: Subject) -> tuple[Panel, ...]:
    told, plan = ENGINE_METRICS[subject.plan.engine], subject.plan
    requests = 'sum(rate(haproxy_frontend_http_requests_total{proxy="requests"}[5m]))'
    rate = plan.serving.requests_per_s * plan.replicas
    found = [Panel("Requests", "reqps", (("requests", requests),), round(rate, 6))]
    if told.output_tokens:
        tokens = round(plan.serving.output_tokens_per_s * plan.replicas, 3)
        query = f"sum(rate({told.output_tokens}[5m]))"
        found.append(Panel("Output tokens per second", "short", (("tokens", query),), tokens))
    queues = [("in the gateway", 'sum(haproxy_backend_current_queue{proxy="replicas"})')]
    if told.waiting and told.running:
        queues += [("waiting in engines", f"sum({told.waiting})"), ("running", f"sum({told.running})")]
    found.append(Panel("Requests in service and waiting", "short", tuple(queues)))
    if told.kv_usage:
        found.append(Panel("KV cache in use", "percentunit", (("{{pod}}", told.kv_usage),), alerts.FULL_CACHE))
    return tuple(found)


def _fleet(subject: Subject) -> tuple[Panel, ...]:
    return (
        Panel("Replicas up", "short", (("up", f"sum({alerts.UP})"),), float(subject.plan.replicas)),
        Panel(
            "Answers of the backup, replays",
            "reqps",
            (
                ("backup", f"sum(rate(haproxy_server_sessions_total{{{alerts.BACKUP}}}[5m]))"),
                ("replays", 'sum(rate(haproxy_backend_redispatch_warnings_total{proxy="replicas"}[5m]))'),
            ),
        ),
        Panel(
            "First token as the probe sees it",
            "s",
            (("{{target}}", "llm_probe_first_token_seconds"),),
            operation.operate(subject).ttft_limit_s,
        ),
    )


def _devices(subject: Subject) -> tuple[Panel, ...]:
    watts = subject.plan.power.gpu_w
    each = "{{Hostname}} {{gpu}}"
    return (
        Panel("Power per accelerator", "watt", ((each, "DCGM_FI_DEV_POWER_USAGE"),), watts and round(watts, 1)),
        Panel("Temperature", "celsius", ((each, "DCGM_FI_DEV_GPU_TEMP"),)),
        Panel(
            "Memory and tensor cores at work",
            "percentunit",
            (
                ("memory", "avg(DCGM_FI_PROF_DRAM_ACTIVE)"),
                ("tensor cores", "avg(DCGM_FI_PROF_PIPE_TENSOR_ACTIVE)"),
            ),
        ),
        Panel("NVLink", "Bps", (("sent per accelerator", "avg(DCGM_FI_PROF_NVLINK_TX_BYTES)"),)),
        Panel("Xid errors", "short", ((each, "DCGM_FI_DEV_XID_ERRORS"),)),
    )


def _percentiles(histogram: str) -> tuple[tuple[str, str], ...]:
    return (("P50", alerts.quantile(histogram, 0.5)), ("P99", alerts.quantile(histogram)))
