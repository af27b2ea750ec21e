"""Under a promise that nothing keeps: those that could be kept, each to be asked by one click."""

from __future__ import annotations

import streamlit as st

from planner.report.easing import promise
from planner.report.findings import plan_name
from planner.schema import Workload
from planner.search.easing import Eased, eased
from planner.ui import inputs
from planner.ui.session import Translate, catalog, plain
from planner.units import usd

IN_A_ROW = 3


def show(workload: Workload, _: Translate) -> None:
    """Cards of what could be kept; nothing where no easing helps."""
    with st.spinner(_("Looking for promises that can be kept…")):
        found = _found(workload.model_dump_json(), catalog().sha256)
    if not found:
        return
    title = _("What could be kept at this load")
    st.markdown(f"**{plain(title)}**")
    for first in range(0, len(found), IN_A_ROW):
        columns = st.columns(IN_A_ROW)
        for place, column in enumerate(columns[: len(found) - first], first):
            with column:
                _card(place, found[place], _)


def _card(place: int, one: Eased, _: Translate) -> None:
    cost = _("{usd} a month").format(usd=usd(one.plan.cost.usd_per_month))
    with st.container(border=True, gap="xsmall"):
        st.markdown(f"**{plain(promise(one, _))}**")
        st.markdown(plain(f"{plan_name(one.plan)}, {cost}"))
        st.button(
            _("Ask for {promise}").format(promise=promise(one, _)), on_click=inputs.open_question,
            args=(one.workload, catalog()), key=f"eased.{place}", icon=":material/arrow_forward:", type="tertiary",
        )  # fmt: skip


@st.cache_resource(max_entries=32, show_spinner=False)
def _found(workload_json: str, catalog_sha256: str) -> tuple[Eased, ...]:
    """Cached on question and catalogs."""
    return eased(Workload.model_validate_json(workload_json), catalog())
