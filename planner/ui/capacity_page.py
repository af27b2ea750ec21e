"""What fits: memory of one GPU, and requests at once by context length."""

from __future__ import annotations

from typing import Any

import pandas as pd
import streamlit as st

from planner.errors import PlannerError
from planner.report import charts, findings, frames
from planner.report import holding as told
from planner.schema import Plan, PlanResult
from planner.ui import inputs
from planner.ui.session import Refusal, Translate, catalog, palette, plain, solve, translate


def page() -> None:
    """Ask, choose a plan, show what it holds."""
    _ = translate()
    st.markdown("# " + plain(_("What fits")), anchors=False)
    try:
        answer = solve(inputs.ask(catalog(), _))
    except PlannerError as error:
        st.warning(plain(str(error)), icon=":material/block:")
        return
    if isinstance(answer, Refusal):
        st.warning(plain(answer.message), icon=":material/block:")
        return
    plan = _chosen(answer, _)
    _show(answer, plan, _)


def _chosen(answer: PlanResult, _: Translate) -> Plan:
    names = {plan.rank: f"{plan.rank}. {findings.plan_name(plan)}" for plan in answer.plans}
    rank = st.selectbox(_("Plan"), list(names), format_func=names.__getitem__, key="capacity_rank")
    return answer.plans[rank - 1]


def _show(answer: PlanResult, plan: Plan, _: Translate) -> None:
    colours = palette()
    users = plan.serving.running_sequences * plan.replicas
    rows, title = told.rows(plan, catalog()), told.finding(plan, catalog(), users, _)
    parts, memory_title = frames.memory(plan, _), findings.memory_finding(plan, _)
    st.markdown(f"**{plain(title)}**")
    st.vega_lite_chart(told.chart(rows, users, colours, _), alt=title)
    st.markdown(f"**{plain(memory_title)}**")
    refused: list[dict[str, Any]] = []
    st.vega_lite_chart(charts.memory_chart(_rows(parts), refused, colours, _), alt=memory_title)
    with st.expander(_("The tables behind these charts")):
        left, right = st.columns(2)
        table = pd.DataFrame(rows).rename(columns={"context": _("context [token]"), "users": _("requests at once")})
        left.dataframe(table, hide_index=True)
        right.dataframe(parts[["part", "gb", "share"]], hide_index=True)


def _rows(table: pd.DataFrame) -> list[dict[str, Any]]:
    return [{str(name): value for name, value in row.items()} for row in table.to_dict("records")]
