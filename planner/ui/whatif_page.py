"""What if: an assumption changed, a range instead of a number, the years to come."""

from __future__ import annotations

import pandas as pd
import streamlit as st

from planner.errors import PlannerError
from planner.report import whatif as told
from planner.report.charts_whatif import parts_chart
from planner.report.tables import TextTable
from planner.schema import WhatIf, Workload
from planner.search.change import Question, parse_change
from planner.search.scenarios import scenario_text
from planner.search.whatif import whatif
from planner.ui import cases_view, horizon_view, inputs, refused, risk_view
from planner.ui.explained import reproduce
from planner.ui.figure import behind_it, text_table, wrapped_table
from planner.ui.own_view import session_command
from planner.ui.session import KEPT, Translate, catalog, palette, plain, translate

READY, TOUCHED = "whatif-ready", "whatif-touched"  # ready changes, and whether the reader chose them


def page() -> None:
    """Ask the question, choose a view of its uncertainties, tell."""
    _ = translate()
    try:
        workload = inputs.ask(catalog(), _)
    except PlannerError as error:
        refused.page(error, _)
        return
    names = {"change": _("One change"), "cases": _("Side by side"), "risk": _("How sure"), "years": _("Years ahead")}
    view = st.segmented_control(
        _("View"), list(names), format_func=names.__getitem__, default="change", key="whatif-view", bind=KEPT,
        required=True, label_visibility="collapsed",
    )  # fmt: skip
    show = {"change": _change, "cases": cases_view.show, "risk": risk_view.show, "years": horizon_view.show}
    try:
        show[view or "change"](workload, _)
    except PlannerError as error:
        refused.page(error, _)


# ---- one change


def suggestions(workload: Workload, _: Translate) -> dict[str, tuple[str, str]]:
    """Changes that people ask for: label and field=value, by id."""
    load = "traffic.concurrency" if workload.traffic.concurrency is not None else "traffic.rate_per_s"
    return {
        "load": (_("twice the load"), f"{load}=x2"),
        "answers": (_("answers half as long again"), "traffic.output_tokens=+50%"),
        "promise": (_("tokens a quarter faster"), "slo.tpot_p99_s=x0.8"),
        "servers": (_("servers 20 % dearer"), "purchases.all=+20%"),
        "clouds": (_("clouds 20 % cheaper"), "cloud.all=-20%"),
        "electricity": (_("electricity twice as dear"), "site.electricity_usd_per_kwh=x2"),
    }


def _touched() -> None:
    st.session_state[TOUCHED] = True


def _alone() -> None:
    """What somebody writes stands alone, unless they chose a ready change themselves."""
    if st.session_state.get("whatif-own") and not st.session_state.get(TOUCHED):
        st.session_state[READY] = []
        _touched()


def _change(workload: Workload, _: Translate) -> None:
    ready = suggestions(workload, _)
    chosen = st.pills(
        _("What changes"), list(ready), selection_mode="multi", default=["load"],
        format_func=lambda id: ready[id][0], key=READY, bind=KEPT, on_change=_touched,
    )  # fmt: skip
    left, right = st.columns([3, 1], vertical_alignment="bottom")
    own = left.text_input(
        _("More changes, FIELD=VALUE, separated by spaces"),
        placeholder="prices.h200=2.1 layout.tp=8 accelerators.h200.bandwidth_bytes_per_s=+10%",
        key="whatif-own", bind=KEPT, on_change=_alone,
    )  # fmt: skip
    keep = right.checkbox(_("Keep the plan, only resize"), key="whatif-keep", bind=KEPT)
    texts = [ready[id][1] for id in chosen] + own.split()
    if not texts:
        st.info(_("Choose a change, or write one."))
        return
    asked = ", ".join([ready[id][0] for id in chosen] + [text.replace("=", " = ", 1) for text in own.split()])
    _show(_answer(workload.model_dump_json(), tuple(texts), keep, catalog().sha256), asked, _)
    words = [word for text in texts for word in ("--set", text)]
    reproduce(session_command("whatif", workload, *words, *(["--keep"] if keep else [])), _)
    changes = [parse_change(text) for text in texts]
    st.download_button(
        _("Save as a scenario"), scenario_text(" ".join(texts)[:80], changes), "scenario.toml", "application/toml",
        icon=":material/save:", on_click="ignore",
    )  # fmt: skip


@st.cache_resource(max_entries=64, show_spinner=False)
def _answer(workload_json: str, texts: tuple[str, ...], keep: bool, catalog_sha256: str) -> WhatIf:
    question = Question(Workload.model_validate_json(workload_json), catalog())
    return whatif(question, [parse_change(text) for text in texts], keep)


def _show(answer: WhatIf, asked: str, _: Translate) -> None:
    st.markdown(f"# {plain(told.sentence(answer, _, asked))}", anchors=False)
    if answer.after is None:
        st.warning(plain(told.reason(answer, _)), icon=":material/block:")
    left, right = st.columns([2, 1])
    with left.container(border=True, height="stretch"):
        found = told.difference_table(answer, _)
        st.markdown(f"**{plain(found.title)}**")
        *headings, _share = found.headings  # beside the difference, so that all columns fit on a phone
        rows = tuple((*row[:3], f"{row[3]} ({row[4]})" if row[4] else row[3]) for row in found.rows)
        wrapped_table(TextTable(found.title, tuple(headings), rows))
    with right.container(border=True, height="stretch"):
        if answer.drivers:
            _drivers(answer, _)
        else:
            st.caption(_("Without a plan afterwards there is no difference to explain."))


def _drivers(answer: WhatIf, _: Translate) -> None:
    """The difference in monthly cost by factor and, where several things change, by change."""
    words, colours = told.driver_words(_), palette()
    lists = [(_("By factor"), answer.drivers)]
    if len(answer.by_change) > 1:
        lists.insert(0, (_("By change"), answer.by_change))
    for by, parts in lists:
        title = told.drivers_finding(parts, by, _)
        rows = [{"name": words.get(p.name, p.name), "usd": p.usd_per_month} for p in parts]
        st.markdown(f"**{plain(title)}**")
        st.vega_lite_chart(parts_chart(rows, colours, _), alt=title)
        frame = pd.DataFrame(rows).round(0).rename(columns={"name": _("Part"), "usd": _("USD a month")})
        behind_it(frame, _)


def table(found: TextTable) -> None:
    """A table of the report as it stands in the terminal."""
    st.markdown(f"**{plain(found.title)}**")
    text_table(found)
