"""The dashboard: page settings, navigation, and what stands beside every page. Pages: planner/ui."""

from __future__ import annotations

from pathlib import Path

import streamlit as st

from planner.ui import (
    accuracy_page,
    address,
    audit_page,
    capacity_page,
    catalogs_page,
    compare_page,
    cost_page,
    export_page,
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

beside = Path(session.__file__).parent
st.set_page_config(page_title="Planner", page_icon=beside / "icon.svg", layout="wide", initial_sidebar_state=200)
st.html(beside / "page.css")
log.set_up()
login.gate(session.translate())
own_facts.follow(share.linked(own_facts.PARAMETER))
catalog = session.catalog()
question.start(catalog)
address.keep(catalog)
_ = session.translate()
plan = st.Page(plan_page.page, title=_("Plan"), icon=":material/calculate:", default=True)
capacity = st.Page(capacity_page.page, title=_("Capacity"), icon=":material/memory:", url_path="capacity")
traffic = st.Page(traffic_page.page, title=_("Traffic"), icon=":material/timeline:", url_path="traffic")
cost = st.Page(cost_page.page, title=_("Cost"), icon=":material/payments:", url_path="cost")
whatif = st.Page(whatif_page.page, title=_("What if"), icon=":material/tune:", url_path="whatif")
compare = st.Page(compare_page.page, title=_("Compare"), icon=":material/compare_arrows:", url_path="compare")
audit = st.Page(audit_page.page, title=_("Audit"), icon=":material/fact_check:", url_path="audit")
accuracy = st.Page(accuracy_page.page, title=_("Accuracy"), icon=":material/scatter_plot:", url_path="accuracy")
catalogs = st.Page(catalogs_page.page, title=_("Catalogs"), icon=":material/menu_book:", url_path="catalogs")
export = st.Page(export_page.page, title=_("Export"), icon=":material/deployed_code:", url_path="export")
pages = [plan, capacity, traffic, cost, whatif, compare, audit, accuracy, catalogs, export]
page = st.navigation(pages)
address.note()
share.follow(catalog, {one.url_path: one for one in pages}, page.url_path)
inputs.on_page(page.url_path)
with st.sidebar:
    st.markdown("### Planner", anchors=False)
    if page not in (audit, accuracy, catalogs):  # nothing is asked there
        inputs.choose_preset(catalog, _)
    below = st.container()
    session.language_switch()
    st.caption(_("Prices and facts as of {day}, catalogs {hash}").format(day=catalog.as_of, hash=catalog.sha256[:8]))
    share.say_older(catalog, _)
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
