"""Years ahead: a growing load, prices that move, delivery times, hardware that comes later."""

from __future__ import annotations

import streamlit as st

from planner.report import horizon as told
from planner.report.charts_whatif import fleet_chart
from planner.schema import Workload
from planner.schema.horizon import HorizonResult, Outlook
from planner.search.change import Question
from planner.search.horizon import horizon
from planner.ui.figure import figure
from planner.ui.session import KEPT, Translate, catalog, palette, plain


def show(workload: Workload, _: Translate) -> None:
    """Outlook, what to order when, ways side by side."""
    from planner.ui.whatif_page import table

    answer = _answer(workload.model_dump_json(), _asked(_).model_dump_json(), catalog().sha256)
    st.markdown(f"# {plain(told.sentence(answer, _))}", anchors=False)
    left, right = st.columns([5, 6])
    with left:
        spec = fleet_chart(_rows(answer, _), palette(), _)
        figure(told.fleet_finding(answer, _), spec, told.year_table(answer, _), _)
    with right.container(border=True, height="stretch"):
        table(told.policy_table(answer, _))
    table(told.order_table(answer, _))
    for remark in told.remarks(answer, _):
        st.caption(plain(remark))


def _asked(_: Translate) -> Outlook:
    one, two, three, four, five, six = st.columns(6, vertical_alignment="bottom")
    years = one.number_input(_("Years"), 0.5, 10.0, 3.0, 0.5, key="years-years", bind=KEPT)
    growth = two.number_input(_("Growth a year, %"), -90.0, 1000.0, 50.0, 10.0, key="years-growth", bind=KEPT)
    dearer = three.number_input(_("Purchase prices a year, %"), -90.0, 200.0, 0.0, 5.0, key="years-dearer", bind=KEPT)
    weeks = four.number_input(_("Delivery, weeks"), 0, 260, 26, key="years-weeks", bind=KEPT)
    names = {id: row.name for id, row in catalog().accelerators.items()}
    label = _("none")
    later = five.selectbox(
        _("Comes later"),
        [None, *names],
        format_func=lambda id: label if id is None else names[id],
        key="years-later",
        bind=KEPT,
    )
    when = six.number_input(_("In years"), 0.25, 10.0, 1.0, 0.25, key="years-when", bind=KEPT, disabled=later is None)
    return Outlook(
        years=years,
        growth_per_year=growth / 100,
        dearer_per_year=dearer / 100,
        delivery_weeks=weeks,
        later={} if later is None else {later: when},
    )


@st.cache_resource(max_entries=32, show_spinner=False)
def _answer(workload_json: str, outlook_json: str, catalog_sha256: str) -> HorizonResult:
    question = Question(Workload.model_validate_json(workload_json), catalog())
    return horizon(question, Outlook.model_validate_json(outlook_json))


def _rows(answer: HorizonResult, _: Translate) -> list[dict[str, object]]:
    kinds = ((_("owned {id}"), "owned"), (_("rented {id}"), "rented"))
    return [
        {"year": state.year, "what": label.format(id=id), "servers": servers}
        for state in answer.states
        for label, field in kinds
        for id, servers in getattr(state, field).items()
    ]
