"""What fits, how fast it is at which load, and where its steps stand below the roof of the accelerator."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import pandas as pd
import streamlit as st

from planner.errors import PlannerError
from planner.report import charts, findings, frames
from planner.report import holding as told
from planner.report import operating as drawn
from planner.report.command import estimate_command
from planner.report.explain import explain
from planner.schema import Plan, PlanResult, Workload
from planner.search.operating import Operating, Roofline, operating, steps_under_roof
from planner.ui import inputs, refused
from planner.ui.explained import explanations, reproduce
from planner.ui.figure import behind_it, figure
from planner.ui.own_view import session_command
from planner.ui.session import KEPT, Refusal, Translate, catalog, palette, plain, solve, translate

EXPLAINED = ("KV cache", "P99 TTFT", "P99 TPOT", "Replicas")
METRICS = ("tpot", "ttft")


@dataclass(frozen=True)
class Shown:
    """What the page draws of one plan; shared by whoever asks the same."""

    fits: list[dict[str, float]]
    curve: Operating
    roof: Roofline


def page() -> None:
    """Ask, choose a plan, show what it holds."""
    _ = translate()
    st.markdown("# " + plain(_("What fits, and how fast")), anchors=False)
    try:
        workload = inputs.ask(catalog(), _)
        answer = solve(workload)
        if isinstance(answer, Refusal):
            refused.box(answer.error, _)
            return
        plan = _chosen(answer, _)
        _show(answer, plan, _shown(workload.model_dump_json(), plan.rank, answer.catalog_sha256), _)
    except PlannerError as error:
        refused.box(error, _)


def _chosen(answer: PlanResult, _: Translate) -> Plan:
    """The plan that all pages show; another can be chosen here."""
    names = {plan.rank: f"{plan.rank}. {findings.plan_name(plan)} {findings.ranks_text(plan)}" for plan in answer.plans}
    return answer.plans[inputs.choose_plan(names, _) - 1]


@st.cache_resource(max_entries=32, show_spinner=False)
def _shown(workload_json: str, rank: int, catalog_sha256: str) -> Shown:
    workload = Workload.model_validate_json(workload_json)
    answer = solve(workload)
    assert isinstance(answer, PlanResult)
    plan = answer.plans[rank - 1]
    asked = workload, catalog(), plan
    return Shown(told.rows(plan, workload, catalog()), operating(*asked), steps_under_roof(*asked))


def _show(answer: PlanResult, plan: Plan, shown: Shown, _: Translate) -> None:
    left, right = st.columns(2)
    with left:
        _memory(answer, plan, _)
    with right:
        _map(answer, plan, shown, _)
    left, right = st.columns(2)
    with left:
        _curve(answer, shown, _)
    with right:
        _roof(shown, _)
    found = [one for one in explain(answer, catalog(), plan.rank, _) if one.name in EXPLAINED]
    explanations(lambda: found, _)
    reproduce("\n".join((session_command("plan", answer.workload), estimate_command(answer.workload, plan))), _)


def _memory(answer: PlanResult, plan: Plan, _: Translate) -> None:
    parts, refused = frames.memory(plan, _), frames.refused_memory(answer)
    title = findings.memory_finding(plan, _)
    spec = charts.memory_chart(_rows(parts), _rows(refused), palette(), _)
    table = parts[["part", "gb", "share"]].rename(columns={"part": _("Part"), "gb": "GB", "share": _("Share")})
    figure(title, spec, table, _)


def _map(answer: PlanResult, plan: Plan, shown: Shown, _: Translate) -> None:
    users = plan.serving.running_sequences * plan.replicas
    context = float(answer.workload.traffic.input_tokens + answer.workload.traffic.output_tokens)
    title = told.finding(plan, catalog(), users, _)
    names = {"context": _("context [token]"), "users": _("fit in memory"), "kept": _("keep the promise")}
    table = pd.DataFrame(shown.fits).round(1).rename(columns=names)
    figure(title, told.chart(shown.fits, context, users, palette(), _), table, _)


def _curve(answer: PlanResult, shown: Shown, _: Translate) -> None:
    slo = answer.workload.slo

    def spec(metric: str) -> dict[str, Any]:
        limit = {"tpot": slo.tpot_p99_s, "ttft": slo.ttft_p99_s}[metric]
        return drawn.curve_chart(shown.curve, metric, limit, palette(), _)

    names = {
        "sequences": _("requests at once"), "tokens_per_s_per_gpu": _("tokens/s per GPU"), "tpot_ms": "TPOT, ms",
        "tpot_p99_ms": "P99 TPOT, ms", "ttft_ms": "TTFT, ms", "ttft_p99_ms": "P99 TTFT, ms", "kept": _("Promise"),
    }  # fmt: skip
    table = pd.DataFrame(drawn.curve_rows(shown.curve)).round(1).rename(columns=names)
    with st.container(border=True, height="stretch"):
        title = drawn.curve_finding(shown.curve, _)
        st.markdown(f"**{plain(title)}**")
        metric = st.segmented_control(
            _("Metric"), METRICS, format_func=str.upper, default="tpot", required=True, key="capacity-metric",
            bind=KEPT, label_visibility="collapsed",
        )  # fmt: skip
        st.vega_lite_chart(spec(metric or "tpot"), alt=title)
        behind_it(table, _)


def _roof(shown: Shown, _: Translate) -> None:
    names = {
        "step": _("Step"), "intensity": "FLOP/B", "achieved_tflops": _("reached, TFLOP/s"),
        "attainable_tflops": _("roof, TFLOP/s"), "share": _("of the roof"),
    }  # fmt: skip
    table = pd.DataFrame(drawn.roof_rows(shown.roof, _))[list(names)].round(2).rename(columns=names)
    figure(drawn.roof_finding(shown.roof, _), drawn.roof_chart(shown.roof, palette(), _), table, _)


def _rows(table: pd.DataFrame) -> list[dict[str, Any]]:
    return [{str(name): value for name, value in row.items()} for row in table.to_dict("records")]
