"""The question turned round by one click: what a budget, a power limit or the accelerators at hand allow."""

from __future__ import annotations

import math

import streamlit as st

from planner.errors import PlannerError
from planner.report import inverse as told
from planner.schema import Plan, PlanResult, Workload
from planner.schema.inverse import Inverse, Turned
from planner.search import inverse
from planner.ui import inputs, link, question, refused
from planner.ui.own_view import session_command
from planner.ui.session import KEPT, Translate, blue, catalog, plain
from planner.units import usd

KILO = 1000.0


def ask(result: PlanResult, plan: Plan, _: Translate) -> tuple[Turned, float | None] | None:
    """Four buttons, and the limit that goes with the chosen one; None while none is chosen."""
    words, own = told.question_words(_), question.mark()  # a new question starts with no button chosen
    chosen: Turned | None = st.pills(
        _("Ask the other way round"),
        list(words),
        format_func=words.__getitem__,
        key=f"{link.ONE_QUESTION}ask.{own}",
        bind=KEPT,
    )
    if chosen is None or chosen == "context":
        return (chosen, None) if chosen else None
    if chosen == "power":
        needs = inverse.provisioned_w(catalog(), result.workload, plan.accelerator, plan.gpus_total)
        start = float(math.ceil((needs or 100 * KILO) / KILO))
        label = _("Power limit at the meter, kW")
        return chosen, _limit(label, "kw", (1.0, 1e6, start, 10.0), "%g") * KILO
    start = float(math.ceil(plan.cost.usd_per_month))
    return chosen, _limit(_("Budget, $ a month"), f"usd.{chosen}", (1.0, 1e12, start, 1000.0), "%.0f")


def _limit(label: str, name: str, numbers: tuple[float, float, float, float], format: str) -> float:
    """A field of a lowest, a highest, a first value and a step."""
    key = f"{link.ONE_QUESTION}{name}.{question.mark()}"
    return float(st.number_input(label, *numbers, key=key, bind=KEPT, format=format, width=240))


def show(result: PlanResult, plan: Plan, asked: tuple[Turned, float | None], _: Translate) -> None:
    """Search, tell, and offer to open what was found."""
    with st.spinner(_("Searching, and checking by simulation…")):
        found = _found(result.workload.model_dump_json(), plan.model_dump_json(), *asked, catalog().sha256)
    if isinstance(found, PlannerError):
        refused.box(found, _)
        return
    with st.container(border=True, gap="xsmall"):
        st.markdown(f"**{blue(told.sentence(found, catalog(), _))}**")
        st.caption(plain(told.ends(found, _)))
        st.code(session_command("plan", found.workload), language="bash", wrap_lines=True)
        st.button(
            _("Open this question"), on_click=inputs.open_question, args=(found.workload, catalog()),
            key=f"turned-open.{found.asked}", icon=":material/open_in_new:", type="tertiary",
            help=_("Its plan costs {cost} a month.").format(cost=plain(usd(found.plan.cost.usd_per_month))),
        )  # fmt: skip


@st.cache_resource(max_entries=64, show_spinner=False)
def _found(
    workload_json: str, plan_json: str, asked: Turned, within: float | None, catalog_sha256: str
) -> Inverse | PlannerError:
    """Cached on question, plan, limit and catalogs; an expected failure is an answer, too."""
    workload = Workload.model_validate_json(workload_json)
    try:
        if asked == "context":
            return inverse.longest_context(workload, catalog(), Plan.model_validate_json(plan_json))
        search = {"load": inverse.most_load, "power": inverse.most_in_power, "speed": inverse.fastest}[asked]
        return search(workload, catalog(), within or 0.0)
    except PlannerError as error:
        return error
