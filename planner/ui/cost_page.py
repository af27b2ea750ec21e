"""What a plan costs: every way to obtain it, when owning pays, what a token costs, and the buyer's own figures."""

from __future__ import annotations

from typing import Any

import pandas as pd
import streamlit as st

from planner.errors import PlannerError
from planner.report import cost_charts, cost_findings, cost_frames, costs
from planner.report.explain import explain
from planner.report.findings import plan_name
from planner.report.tables import TextTable
from planner.schema import PlanResult, Workload
from planner.schema.costs import CostAnswer
from planner.search.cost import cost
from planner.ui import inputs, lazy, mix_view, refused, risk_view
from planner.ui.explained import explanations, reproduce
from planner.ui.fields import profiles
from planner.ui.figure import figure, text_table
from planner.ui.own_view import session_command
from planner.ui.question import key
from planner.ui.session import Refusal, Translate, blue, catalog, palette, plain, solve, translate
from planner.units import percent, usd

EXPLAINED = ("Cost per month", "Cost per million output tokens", "Replicas", "Availability")


def page() -> None:
    """Ask, price, tell."""
    _ = translate()
    try:
        workload = inputs.ask(catalog(), _)
    except PlannerError as error:
        refused.page(error, _)
        return
    _own_figures(_)
    answer = solve(workload)
    if isinstance(answer, Refusal):
        refused.page(answer.error, _)
        return
    names = {p.rank: f"{p.rank} · {plan_name(p)} · {usd(p.cost.usd_per_month)}" for p in answer.plans}
    rank = inputs.choose_plan(names, _)
    try:
        found = _cost(workload.model_dump_json(), rank, catalog().sha256)
    except PlannerError as error:
        refused.page(error, _)
        return
    _show(found, workload, _)
    label = _("Own, commit or rent: the supply mix over the hours of the load")
    lazy.expander(label, "cost-mix", lambda: mix_view.show(workload, rank, _), ":material/stacked_bar_chart:")
    explained = [one for one in explain(answer, catalog(), rank, _) if one.name in EXPLAINED]
    explanations(lambda: explained, _)
    reproduce(session_command("cost", workload, "--plan", str(rank)), _)


@st.cache_resource(max_entries=64, show_spinner=False)
def _cost(workload_json: str, rank: int, catalog_sha256: str) -> CostAnswer:
    """Cached on the question, the plan and the catalogs."""
    result = solve(Workload.model_validate_json(workload_json))
    assert isinstance(result, PlanResult)
    return cost(result, rank, catalog())


# ---- what the reader states


def _own_figures(_: Translate) -> None:
    """The buyer's figures, which are part of the question; a blank one stays not priced."""
    with st.expander(_("Your own figures: blank means not priced, never zero")), st.grid(5, min_column_width=150):
        for name, label in {**_share_labels(_), **_amount_labels(_), **_discount_labels(_)}.items():
            inputs.own_number(label, name, _)
        st.selectbox(
            _("Load follows"), [None, *profiles(catalog())], key=key("load_profile"),
            format_func=lambda name: name or _("constant"),
        )  # fmt: skip


def _share_labels(_: Translate) -> dict[str, str]:
    return {
        "residual_share": _("Value left at the end, %"),
        "installation_share": _("Installation, freight, duty, %"),
        "maintenance_share_per_year": _("Support contract, % a year"),
        "tax_rate": _("Tax on profit, %"),
    }


def _amount_labels(_: Translate) -> dict[str, str]:
    return {
        "staff_usd_per_year": _("Staff, $ a year"),
        "licence_usd_per_gpu_year": _("Licences, $ per GPU a year"),
        "transit_usd_per_month": _("Transit, $ a month"),
        "demand_charge_usd_per_kw_month": _("Demand charge, $/kW a month"),
        "carbon_price_usd_per_tonne": _("Carbon, $/t"),
        "egress_usd_per_month": _("Egress, $ a month"),
        "storage_usd_per_gb_month": _("Volumes, $/GB a month"),
    }


def _discount_labels(_: Translate) -> dict[str, str]:
    return {"discount_1y": _("1-year discount, %"), "discount_3y": _("3-year discount, %")}


# ---- what it costs


def _show(answer: CostAnswer, workload: Workload, _: Translate) -> None:
    st.markdown(f"# {blue(costs.cheapest_sentence(answer, _))}", anchors=False)
    st.markdown(f":gray[{plain(costs.owning_sentence(answer, _))}]")
    _cards(answer, _)
    _unpriced(answer, _)
    colours = palette()
    months, paid, load = (f(answer, _) for f in (cost_frames.months, cost_frames.cash_so_far, cost_frames.by_load))
    title, spec = cost_findings.months_finding(answer, _), cost_charts.months_chart(months, colours, _)
    figure(title, spec, _by(months, "line", _("Line"), 0), _)
    left, right = st.columns(2)
    crossed = cost_frames.crossings(answer, _)
    with left:
        title, spec = cost_findings.cash_finding(answer, _), cost_charts.cash_chart(paid, crossed, colours, _)
        figure(title, spec, _by(paid, "month", _("Month"), 0), _)
    with right:
        title = cost_findings.load_finding(answer, _)
        spec = cost_charts.load_chart(load, answer.unit.utilisation, colours, _)
        figure(title, spec, _by(load, "load", _("Load"), 2), _)
    sure = st.container()
    for sentence in costs.slo_sentences(answer, workload.slo.ttft_p99_s, _):
        st.caption(plain(sentence))
    _tables(answer, _)
    with sure, st.spinner(_("Drawing what may turn out otherwise…")):
        _how_sure(workload, _)


def _how_sure(workload: Workload, _: Translate) -> None:
    """Tornado and probability, once everything else is there."""
    try:
        risk_view.in_short(workload, _)
    except PlannerError as error:
        refused.box(error, _)


def _cards(answer: CostAnswer, _: Translate) -> None:
    best, own, load = answer.ways[0], costs.own_way(answer), percent(answer.unit.utilisation, 0)
    real = answer.unit.usd_per_million_output_tokens
    full = _("as planned, at {rate} requests/s").format(rate=f"{answer.unit_full.requests_per_s:.3g}")
    cards = [
        (_("Cheapest, a month"), usd(best.usd_per_month), costs.way_name(best, _)),
        (_("Owned, a month"), usd(own.usd_per_month) if own else "–", _("at least; see below")),
        (_("Owned, present cost"), usd(own.npv_usd) if own else "–", _("{y:g} years").format(y=answer.horizon_years)),
        (_("$/M output tokens"), usd(real), _("as planned, at {load} load").format(load=load)),
        (_("$/M when full"), usd(answer.unit_full.usd_per_million_output_tokens), full),
    ]  # fmt: skip
    with st.grid(5, min_column_width=160):
        for label, value, below in cards:
            with st.container(border=True, height="stretch", gap="xxsmall"):
                st.caption(plain(label))
                st.metric(label, plain(value), label_visibility="collapsed")
                st.caption(plain(below))


def _unpriced(answer: CostAnswer, _: Translate) -> None:
    """Loudly: what is in no total."""
    lines = costs.unpriced_lines(answer, _)
    if not lines:
        return
    text = _("{n} items have no sourced price and are in no total of owning, {rent} in none of renting.").format(
        n=len(answer.unpriced), rent=len(answer.unpriced_rent)
    )
    st.warning(plain(text), icon=":material/money_off:")
    with st.expander(_("Which, and where to state them")):
        st.markdown("\n".join(f"- {plain(line)}" for line in lines))


def _by(rows: list[dict[str, Any]], index: str, heading: str, digits: int) -> pd.DataFrame:
    """Rows of a chart as a table: a line for each step, a column for each way. [USD]"""
    wide = pd.DataFrame(rows).pivot_table(index=index, columns="way", values="usd", sort=False)
    return wide.round(digits).reset_index().rename(columns={index: heading})


def _tables(answer: CostAnswer, _: Translate) -> None:
    tables = (costs.ways_table, costs.bill_table, costs.lines_table, costs.unit_table, _apis, costs.slo_table)
    for table in (make(answer, _) for make in tables):
        with st.expander(table.title, expanded=table.title == _("Bill of materials, if owned")):
            text_table(table)
    st.caption(plain(costs.split_note(answer, _)))
    line = _("'!' marks prices older than 180 days on {day}: ask for quotes.").format(day=answer.catalog_as_of)
    st.caption(plain(line))
    st.download_button(
        "cost.json", answer.model_dump_json(indent=2), "cost.json", "application/json", on_click="ignore",
        icon=":material/download:",
    )  # fmt: skip


def _apis(answer: CostAnswer, _: Translate) -> TextTable:
    """All of them: a page can be scrolled."""
    return costs.api_table(answer, _, most=len(answer.apis))
