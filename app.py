"""The dashboard: page settings, navigation, and what stands beside every page. Pages: planner/ui."""

from __future__ import annotations

from pathlib import Path

import streamlit as st

from planner.ui import inputs, plan_page, session

beside = Path(session.__file__).parent
st.set_page_config(page_title="Planner", page_icon=beside / "icon.svg", layout="wide", initial_sidebar_state=200)
st.html(beside / "page.css")
_, catalog = session.translate(), session.catalog()
page = st.navigation([st.Page(plan_page.page, title=_("Plan"), icon=":material/calculate:", default=True)])
with st.sidebar:
    st.markdown("### Planner", anchors=False)
    inputs.choose_preset(catalog, _)
    undo = st.container()
    session.language_switch()
    st.caption(_("Prices and facts as of {day}, catalogs {hash}").format(day=catalog.as_of, hash=catalog.sha256[:8]))
page.run()
with undo:
    inputs.offer_undo(catalog, _)
