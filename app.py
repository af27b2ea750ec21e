"""The dashboard: page settings, navigation, and what stands beside every page. Pages: planner/ui.

`streamlit run` imports this file for the server, then runs it for every answer to a visitor.
"""

from __future__ import annotations

from pathlib import Path

import streamlit as st
from streamlit.delta_generator import DeltaGenerator
from streamlit.navigation.page import StreamlitPage

from planner.catalog import Catalog
from planner.ui import (
    accuracy_page,
    address,
    audit_page,
    capacity_page,
    catalogs_page,
    compare_page,
    cost_page,
    export_page,
    front_end,
    inputs,
    log,
    login,
    own_facts,
    own_view,
    plan_page,
    question,
    session,
    share,
    theme,
    traffic_page,
    whatif_page,
)
from planner.ui.session import Translate

NOTHING_IS_ASKED = ("audit", "accuracy", "catalogs")


def draw() -> None:
    """Draw what a visitor asked for."""
    catalog = _begin()
    _ = session.translate()
    pages = _pages(_)
    page = st.navigation(pages)
    address.note()
    share.follow(catalog, {one.url_path: one for one in pages}, page.url_path)
    inputs.on_page(page.url_path)
    below = _draw_beside(catalog, page.url_path, _)
    with log.observed(page.url_path or "plan"):
        own_view.mark(_)
        page.run()
    question.write_link(catalog)
    with below:
        inputs.offer_undo(catalog, _)
        share.offer(catalog, page.url_path, _)
        login.offer_logout(_)
        theme.watch()
    address.leave_open()


def _begin() -> Catalog:
    """Settings of the page, the visitor, and the question; the catalogs, with the visitor's own facts."""
    beside = Path(session.__file__).parent
    st.set_page_config(page_title="Planner", page_icon=beside / "icon.svg", layout="wide", initial_sidebar_state=200)
    st.html(beside / "page.css")
    log.set_up()
    login.gate(session.translate())
    own_facts.follow(share.linked(own_facts.PARAMETER))
    catalog = session.catalog()
    question.start(catalog)
    address.keep(catalog)
    return catalog


def _pages(_: Translate) -> list[StreamlitPage]:
    """All pages in the order of the navigation; `name_page.py` lies at the address `name`."""
    return [
        st.Page(plan_page.page, title=_("Plan"), icon=":material/calculate:", default=True),
        st.Page(capacity_page.page, title=_("Capacity"), icon=":material/memory:", url_path="capacity"),
        st.Page(traffic_page.page, title=_("Traffic"), icon=":material/timeline:", url_path="traffic"),
        st.Page(cost_page.page, title=_("Cost"), icon=":material/payments:", url_path="cost"),
        st.Page(whatif_page.page, title=_("What if"), icon=":material/tune:", url_path="whatif"),
        st.Page(compare_page.page, title=_("Compare"), icon=":material/compare_arrows:", url_path="compare"),
        st.Page(audit_page.page, title=_("Audit"), icon=":material/fact_check:", url_path="audit"),
        st.Page(accuracy_page.page, title=_("Accuracy"), icon=":material/scatter_plot:", url_path="accuracy"),
        st.Page(catalogs_page.page, title=_("Catalogs"), icon=":material/menu_book:", url_path="catalogs"),
        st.Page(export_page.page, title=_("Export"), icon=":material/deployed_code:", url_path="export"),
    ]


def _draw_beside(catalog: Catalog, at: str, _: Translate) -> DeltaGenerator:
    """What stands beside every page; the place among it that is filled when the page has been drawn."""
    with st.sidebar:
        st.markdown("### Planner", anchors=False)
        if at not in NOTHING_IS_ASKED:
            inputs.choose_preset(catalog, _)
        below = st.container()
        session.language_switch()
        as_of = _("Prices and facts as of {day}, catalogs {hash}")
        st.caption(as_of.format(day=catalog.as_of, hash=catalog.sha256[:8]))
        share.say_older(catalog, _)
    return below


if __name__ == "__main__":
    draw()
else:
    app = st.App(__file__, routes=front_end.routes())
