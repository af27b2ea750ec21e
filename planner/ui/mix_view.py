"""How much of the load to own, commit, rent on demand and on Spot: the supply mix, below what a plan costs."""

from __future__ import annotations

import streamlit as st

from planner.errors import PlannerError
from planner.report import mix as told
from planner.report.tables import TextTable
from planner.schema import Workload
from planner.schema.mix import MixResult
from planner.search.load_curve import DEFAULT, load_curve
from planner.search.mix import mix
from planner.ui import refused
from planner.ui.fields import profiles
from planner.ui.figure import text_table
from planner.ui.session import KEPT, Translate, catalog, plain


def show(workload: Workload, rank: int, _: Translate) -> None:
    """Load curve and Spot asked; the mix, what it saves, what its limits are worth."""
    curve, firm = _asked(workload, _)
    try:
        answer = _answer(workload.model_dump_json(), rank, curve, firm, catalog().sha256)
    except PlannerError as error:
        refused.box(error, _)
        return
    st.markdown(plain(told.sentence(answer, _)))
    for table in (told.mix_table(answer, _), told.policy_table(answer, _)):
        _titled(table)
    for remark in told.remarks(answer, _):
        st.caption(plain(remark))


def _asked(workload: Workload, _: Translate) -> tuple[str, float | None]:
    stated = workload.ownership.load_profile
    curves = list(dict.fromkeys([*([stated] if stated else []), DEFAULT, *profiles(catalog()), "constant"]))
    left, right = st.columns(2, vertical_alignment="bottom")
    curve = left.selectbox(
        _("Load follows"),
        curves,
        key="mix-load",
        bind=KEPT,
        format_func=lambda name: _("constant") if name == "constant" else name,
    )
    share = right.number_input(
        _("Share that Spot must not carry, %"),
        0.0,
        100.0,
        None,
        5.0,
        key="mix-firm",
        bind=KEPT,
        placeholder=_("by availability"),
    )
    return curve, None if share is None else share / 100


@st.cache_resource(max_entries=32, show_spinner=False)
def _answer(workload_json: str, rank: int, curve: str, firm: float | None, catalog_sha256: str) -> MixResult:
    """Cached on the question, the plan, the load and the catalogs."""
    facts = catalog()
    return mix(Workload.model_validate_json(workload_json), facts, load_curve(curve, facts), rank, firm_share=firm)


def _titled(table: TextTable) -> None:
    st.markdown(f"**{plain(table.title)}**")
    text_table(table)
