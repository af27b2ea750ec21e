"""The address from page to page: it keeps the question and what the reader set on each page, in one step of history.

Streamlit clears the address on the way to another page and tells the browser of a new address and of the new page
one by one. A slow browser then makes two steps of it, of which the first has forgotten everything; and a page that
the reader comes back to starts anew.
"""

from __future__ import annotations

import streamlit as st
from streamlit.runtime.scriptrunner import get_script_run_ctx

from planner.catalog import Catalog
from planner.ui import question

STOOD = "stood"  # page and address of this session's last run


def keep(catalog: Catalog) -> None:
    """Before the browser hears of the page: the address as it was, with the question as it is."""
    state, context = st.session_state, get_script_run_ctx()
    if context is None or state.get("arrived") is not state.get("followed"):
        return
    page, address = state.get(STOOD, ("", ""))
    if page and page != context.page_script_hash and not context.is_history_navigation:
        with context.session_state.query_params() as known:
            known.populate_from_query_string(address)
            known.set_initial_query_params_from_current()  # what widgets of the page begin with
        st.query_params.update({})  # tells the browser
    question.write_link(catalog)


def note() -> None:
    """Where the reader is now."""
    if context := get_script_run_ctx():
        st.session_state[STOOD] = context.page_script_hash, context.query_string


def leave_open() -> None:
    """Note where the reader is, and let what widgets keep in the address outlive them on other pages."""
    names = list(st.query_params)
    if context := get_script_run_ctx():
        with context.session_state.query_params() as known:
            for binding in filter(None, map(known.get_binding_for_param, names)):
                known.unbind_widget(binding.widget_id)
    note()
