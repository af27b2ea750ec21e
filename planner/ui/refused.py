"""Expected failures as friendly boxes: what was asked, what is allowed, what to do next."""

from __future__ import annotations

import streamlit as st

from planner.errors import NoPlan, PlannerError
from planner.ui.session import Translate, plain


def page(error: PlannerError, _: Translate) -> None:
    """In place of a whole page, under a heading that says so."""
    nothing = isinstance(error, NoPlan)
    title = _("Nothing keeps this promise.") if nothing else _("This question cannot be answered.")
    st.markdown(f"# {plain(title)}", anchors=False)
    box(error, _)


def box(error: PlannerError, _: Translate) -> None:
    """In place of a part of a page: the message, and each further line of it as an item."""
    first, *rest = error.told(_).splitlines()
    lines = [plain(first), "", *(f"- {plain(line.strip())}" for line in rest)]
    st.warning("\n".join(lines), icon=":material/block:")
