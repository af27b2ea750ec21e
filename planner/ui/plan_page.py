"""The first screen: the question, its answer in one sentence, how sure that is, and what else was weighed."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterable, Mapping
from functools import partial
from typing import Any, Literal

import pandas as pd
import streamlit as st

from planner.errors import PlannerError
from planner.report import charts, findings, frames
from planner.report.explain import explain
from planner.report.numbers import numbers
from planner.report.sizing import sizing_sentence
from planner.report.words import basis_words
from planner.schema import Plan, PlanResult
from planner.search.regret import USUAL
from planner.ui import easing_panel, inputs, inverse_panel, lazy, refused
from planner.ui.explained import command, explanations, markdown, reproduce
from planner.ui.own_view import session_command
from planner.ui.session import (
    Refusal,
    Translate,
    blue,
    catalog,
    palette,
    plain,
    regret_of_plans,
    solve,
    translate,
)
from planner.units import floored, si, usd

BADGES: dict[str, Literal["green", "orange", "gray"]] = {
    "measured": "green",
    "calibrated": "orange",
    "roofline": "gray",
    "assumed": "gray",
}
REJECTIONS_SHOWN = 6
FRAME_S = 0.025  # a browser draws nothing while elements keep coming


def page() -> None:
    """Ask, solve, tell."""
    _ = translate()
    try:
        workload = inputs.ask(catalog(), _)
    except PlannerError as error:
        refused.page(error, _)
        return
    question = workload.model_dump_json()
    simulated = st.session_state.setdefault("simulated", question) == question
    answer = solve(workload) if simulated else solve(workload, confirmed=0)
    if isinstance(answer, Refusal):
        refused.page(answer.error, _)
        if answer.nothing_serves:
            easing_panel.show(workload, _)
        return
    if simulated:
        _show(answer, _checked(answer, _), _)
        return
    checking = _("Closed forms answer so far. Checking on recorded traffic, which may change the answer…")
    # Charts and all below follow once it is checked.
    _head(answer, f":material/hourglass_top: {plain(checking)}", _, FRAME_S)
    solve(workload)
    st.session_state["simulated"], st.session_state["screened"] = question, (question, answer.plans[0])
    st.rerun()


def _checked(answer: PlanResult, _: Translate) -> str:
    """What simulations changed, where the reader saw the answer of closed forms first."""
    question, before = st.session_state.get("screened", ("", None))
    if before is None or question != answer.workload.model_dump_json():
        return ""
    return f":material/check_circle: {plain(findings.changed_sentence(before, answer.plans[0], _))}"


def _head(result: PlanResult, status: str, _: Translate, drawn_within_s: float = 0.0) -> Plan:
    """The answer in a sentence, which is there to read before the rest is sent, and in five numbers."""
    plan = _shown_plan(result)
    st.markdown(f"# {findings.headline(plan, _, blue)}", anchors=False)
    time.sleep(drawn_within_s)
    st.markdown(f":gray[{plain(findings.reasons(result, plan, _))}]")
    st.caption("  \n".join(filter(None, (status, plain(sizing_sentence(plan, _))))))
    _numbers(result, plan, _)
    return plan


def _show(result: PlanResult, status: str, _: Translate) -> None:
    """The page; what takes longer than a moment fills its place once everything else is there."""
    plan = _head(result, status, _)
    _charts(result, plan, _)
    weighed = st.container()
    asked = inverse_panel.ask(result, plan, _)
    turned = st.container()
    _table(result, plan, _)
    _rejections(result, _)
    explanations(lambda: explain(result, catalog(), plan.rank, _), _)
    _bundle(result, plan, _)
    _downloads(result, plan, _)
    with weighed:
        _alternatives(result, plan, _)
    if asked is not None and result.plans[0].sizing is not None:
        with turned:
            inverse_panel.show(result, plan, asked, _)


def _shown_plan(result: PlanResult) -> Plan:
    """The plan that the reader chose, or the best."""
    rank: int = min(st.session_state["rank"], len(result.plans))
    return result.plans[rank - 1]


def _choose(rank: int) -> None:
    st.session_state["rank"] = rank


@st.fragment
def _numbers(result: PlanResult, plan: Plan, _: Translate) -> None:
    """Five cards: a badge above each number; below it its interval, and how it comes about."""
    with st.grid(5, min_column_width=160):
        for n, one in enumerate(numbers(result, plan, catalog(), _)):
            with st.container(border=True, height="stretch", gap="xxsmall"):
                with st.container(horizontal=True, horizontal_alignment="distribute", gap="xsmall"):
                    st.caption(plain(one.label), width="content")
                    st.badge(basis_words(_)[one.basis], color=BADGES[one.basis], help=one.meaning)
                st.metric(one.label, plain(one.value), label_visibility="collapsed")
                with st.container(
                    horizontal=True, horizontal_alignment="distribute", vertical_alignment="center", gap="xsmall"
                ):
                    st.caption(plain(one.below), width="content")
                    lazy.popover(_("How"), f"how-{n}", partial(_how, one.explained, result, plan, _))


def _how(name: str, result: PlanResult, plan: Plan, _: Translate) -> None:
    """The command that tells it, and the formula with its inputs."""
    command(session_command("plan", result.workload, "--explain"))
    known = {one.name: one for one in explain(result, catalog(), plan.rank, _)}
    st.markdown(markdown(known[name], _))


# ---- charts


def _charts(result: PlanResult, plan: Plan, _: Translate) -> None:
    left, right = st.columns([5, 6])
    with left.container(border=True, height="stretch"):
        parts = _memory(result, plan, _)
    with right.container(border=True, height="stretch"):
        curves = _curves(result, plan, _)
    lazy.expander(_("The tables behind these charts"), "behind", lambda: _behind(parts, curves, _))


def _behind(parts: pd.DataFrame, curves: pd.DataFrame, _: Translate) -> None:
    one, two = st.columns([5, 6])
    heads = {"part": _("Part"), "gb": "GB", "share": _("Share")}
    one.dataframe(parts[list(heads)].round(3).rename(columns=heads), hide_index=True)
    heads = {
        "series": _("Accelerator"),
        frames.SPEED: _("tokens per second for one user"),
        frames.COST: _("$ per million output tokens"),
    }
    two.dataframe(curves[list(heads)].round(2).rename(columns=heads), hide_index=True, height=210)


def _memory(result: PlanResult, plan: Plan, _: Translate) -> pd.DataFrame:
    parts, refused = frames.memory(plan, _), frames.refused_memory(result)
    title, rejection = findings.memory_finding(plan, _), findings.nearest_memory_rejection(result)
    st.markdown(f"**{plain(title)}**")
    st.vega_lite_chart(charts.memory_chart(_rows(parts), _rows(refused), palette(), _), alt=title)
    if rejection is not None:
        st.caption(plain(findings.memory_rejection_finding(rejection, _)))
    return parts


def _curves(result: PlanResult, plan: Plan, _: Translate) -> pd.DataFrame:
    curves, title = frames.curves(result, plan), findings.curve_finding(result, plan, _)
    label = _("chosen: {plan}") if plan.rank == 1 else _("shown: {plan}")
    shown = frames.shown_point(plan, label.format(plan=findings.plan_name(plan)))
    least = 1 / result.workload.slo.tpot_p99_s
    st.markdown(f"**{plain(title)}**")
    st.vega_lite_chart(charts.curve_chart(_rows(curves), shown, least, palette(), _), alt=title)
    return curves


def _rows(table: pd.DataFrame) -> list[dict[str, Any]]:
    return [{str(name): value for name, value in row.items()} for row in table.to_dict("records")]


# ---- what else was weighed


def _alternatives(result: PlanResult, plan: Plan, _: Translate) -> None:
    """Cheapest, fastest, least regret; the last waits until simulations have sized the plans."""
    regrets = regret_of_plans(result) if result.plans[0].sizing is not None else {}
    found = findings.alternatives(result, _, regrets)
    with st.grid(3, min_column_width=240):
        for one in found:
            _alternative(one, plan, regrets, _)
    if regrets:
        text = _(
            "Regret: what a plan is expected to cost above the best one, in draws of load ({load}), answer lengths, "
            "prices and our own errors of prediction. Other ranges: What if, How sure."
        )
        low, high = USUAL["load"]
        st.caption(plain(text.format(load=f"{low:+d} … {high:+d} %")))


def _alternative(one: findings.Alternative, plan: Plan, regrets: Mapping[int, float], _: Translate) -> None:
    with st.container(border=True, gap="xxsmall", height="stretch"):
        shown = one.plan.rank == plan.rank
        heading = f"{one.heading} · {findings.plan_name(one.plan)}"
        st.markdown(f"**{blue(heading) if shown else plain(heading)}**")
        st.caption(plain(_in_short(one.plan, regrets.get(one.plan.rank), _)))
        st.button(
            _("Shown above") if shown else _("Show this plan"),
            key=f"alternative-{one.plan.rank}",
            disabled=shown,
            on_click=_choose,
            args=(one.plan.rank,),
            type="tertiary",
        )


def _in_short(plan: Plan, regret: float | None, _: Translate) -> str:
    told = _("{cost}/month · {tpot} per token · {ready} · {supply}").format(
        cost=usd(plan.cost.usd_per_month),
        tpot=si(plan.serving.tpot_s, "s"),
        ready=floored(plan.availability),
        supply=findings.supply_line(plan, _),
    )
    return told if regret is None else _("{told} · regret {cost}/month").format(told=told, cost=usd(regret))


def _table(result: PlanResult, plan: Plan, _: Translate) -> None:
    number, text = st.column_config.NumberColumn, st.column_config.TextColumn
    key = f"ranking-{plan.rank}-{result.catalog_sha256[:8]}"
    st.dataframe(
        frames.ranking(result, _),
        hide_index=True,
        key=key,
        on_select=lambda: _choose_row(key),
        selection_mode="single-row",
        selection_default={"selection": {"rows": [plan.rank - 1]}},
        height="content",
        column_config={
            "plan": text(_("Plan"), pinned=True, width=150),
            "gpus": number(_("GPUs"), width=48),
            "layout": text(_("Layout"), width=100),
            "replicas": text(_("Replicas"), help=_("serving + spare"), width=66),
            "supply": text(_("Supply"), width=142),
            "ttft_s": number("P99 TTFT", format="%.2f s", width=70),
            "tpot_ms": number("P99 TPOT", format="%.0f ms", width=70),
            "usd_per_month": number(_("$/month"), format="$%,.0f", width=72),
            "usd_per_million": number(_("$/M out"), format="$%.2f", width=62),
            "kw": number("kW", format="%.1f", help=_("facility power of the serving replicas"), width=46),
            "ready": text(_("Available"), width=66),
            "basis": text(_("Basis"), width=76),
            "priced": text(_("Priced"), help=_("! marks a price older than 180 days"), width=86),
        },
    )


def _choose_row(key: str) -> None:
    """Show the plan of the selected row; without one, the best."""
    rows = st.session_state[key]["selection"]["rows"]
    _choose(rows[0] + 1 if rows else 1)


def _rejections(result: PlanResult, _: Translate) -> None:
    table = frames.rejections(result, _)
    if table.empty:
        return
    st.markdown("  \n".join(_crossed(table["limit"][:REJECTIONS_SHOWN], table["message"][:REJECTIONS_SHOWN])))
    if len(table) > REJECTIONS_SHOWN:
        with st.expander(_("{n} more that were ruled out").format(n=len(table) - REJECTIONS_SHOWN)):
            st.markdown("  \n".join(_crossed(table["limit"][REJECTIONS_SHOWN:], table["message"][REJECTIONS_SHOWN:])))


def _crossed(limits: Iterable[str], messages: Iterable[str]) -> list[str]:
    return [f":gray[✕ **{plain(limit)}** {plain(text)}]" for limit, text in zip(limits, messages, strict=True)]


# ---- where each number comes from, and files


def _downloads(result: PlanResult, plan: Plan, _: Translate) -> None:
    reproduce(session_command("plan", result.workload), _)
    with st.container(horizontal=True):
        _file("plan.json", lambda: result.model_dump_json(indent=2), "plan.json", "application/json")
        _file(_("Plans as CSV"), lambda: frames.plans(result).to_csv(index=False), "plans.csv", "text/csv")
    st.caption(
        _("{n} candidates in {s:.2f} s; catalogs of {day}, {hash}.").format(
            n=f"{result.candidates_evaluated:,}",
            s=result.wall_s,
            day=result.catalog_as_of,
            hash=result.catalog_sha256[:8],
        )
    )


def _file(label: str, data: Callable[[], str | bytes] | bytes, name: str, kind: str) -> None:
    """A file to download; a function makes it when somebody asks for it."""
    st.download_button(label, data, name, kind, on_click="ignore", icon=":material/download:")


def _bundle(result: PlanResult, plan: Plan, _: Translate) -> None:
    """The bundle, made when its box is opened; what cannot be bundled says why."""
    label = _("Bundle of this plan: the files that start it")
    lazy.expander(label, f"bundle-{plan.rank}", lambda: _bundled(result, plan, _))


def _bundled(result: PlanResult, plan: Plan, _: Translate) -> None:
    from planner.bundle.write import bundle_name, bundle_zip

    try:
        content = bundle_zip(result, plan.rank, catalog())
    except PlannerError as error:
        refused.box(error, _)
        return
    st.caption(_("What deploys, watches and explains this plan; `planner lint` checks it."))
    _file(_("Download the ZIP"), content, f"{bundle_name(result, plan.rank)}.zip", "application/zip")
