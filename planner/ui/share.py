"""A link that shows others this very page, and what happens when somebody follows one."""

from __future__ import annotations

from collections.abc import Mapping
from urllib.parse import urlsplit

import streamlit as st
from streamlit.navigation.page import StreamlitPage

from planner.catalog import Catalog
from planner.errors import PlannerError
from planner.ui import address, link, question
from planner.ui.browser import went_back
from planner.ui.packed import MOST_NAME, MOST_VALUE, MOST_WIDGETS, Shared, pack, unpack
from planner.ui.session import Translate, plain


def follow(catalog: Catalog, pages: Mapping[str, StreamlitPage], here: str) -> None:
    """Go on to the page of a compressed link, with its widgets as they were; the address then says the rest."""
    arrived: Shared | None = st.session_state.get("arrived")
    if arrived is None or st.session_state.get("followed") is arrived:
        return
    st.session_state["followed"] = arrived
    if went_back():
        return  # on the way back this is a step like others
    if arrived.page in pages and (arrived.page != here or arrived.view):
        st.session_state.pop(address.STOOD, None)
        st.switch_page(pages[arrived.page], query_params={**question.parameters(catalog), **arrived.view})


def linked(parameter: str) -> str | None:
    """What a compressed link in the address says of a parameter, before it is followed."""
    try:
        return unpack(st.query_params[link.PACKED]).view[parameter][0]
    except (KeyError, IndexError, PlannerError):
        return None


def offer(catalog: Catalog, page: str, _: Translate) -> None:
    """The link, with a button that copies it."""
    try:
        text = pack(question.shared(catalog, page, _view()))
    except (PlannerError, ValueError):
        return  # the page says what is wrong with the question, or a name in the address is no widget's
    with st.popover(_("Copy link"), icon=":material/link:", type="tertiary"):
        st.caption(_("Shows this page as it is: question, plan, settings and language."))
        st.code(f"{_address(page)}?{link.PACKED}={text}", language=None, wrap_lines=True)


def say_older(catalog: Catalog, _: Translate) -> None:
    """Whether the link was made with other facts."""
    arrived: Shared | None = st.session_state.get("arrived")
    if arrived is not None and arrived.catalogs != catalog.sha256[:8]:
        said = _("This link was made with catalogs {then}; these are {now}. Figures may differ.")
        st.caption(plain(said.format(then=arrived.catalogs, now=catalog.sha256[:8])))


def _view() -> dict[str, tuple[str, ...]]:
    """What widgets of the page keep in the address, as far as a link may hold it."""
    names = [name for name in st.query_params if link.of_a_page(name) and len(name) <= MOST_NAME][:MOST_WIDGETS]
    found = {name: tuple(st.query_params.get_all(name)) for name in names}
    return {name: values for name, values in found.items() if all(len(one) <= MOST_VALUE for one in values)}


def _address(page: str) -> str:
    """Address of a page, without what follows its path."""
    here = urlsplit(st.context.url or "")
    return f"{here.scheme}://{here.netloc}{here.path}" if here.netloc else f"/{page}"
