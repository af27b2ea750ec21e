"""Boxes whose content is made when somebody opens them: a reader who does not look waits for none of it."""

from __future__ import annotations

from collections.abc import Callable
from typing import Literal

import streamlit as st

from planner.ui import address

Draw = Callable[[], None]


@st.fragment
def expander(label: str, key: str, draw: Draw, icon: str | None = None) -> None:
    """A box below its label; opening it runs `draw` alone, not the page."""
    box = st.expander(label, key=key, icon=icon, on_change="rerun")
    if box.open:
        with box:
            draw()
        address.leave_open()


def popover(
    label: str, key: str, draw: Draw, icon: str | None = None, type: Literal["secondary", "tertiary"] = "tertiary"
) -> None:
    """A box over the page; opening it runs `draw` and the fragment around it (a fragment for each would be slow)."""
    box = st.popover(label, key=key, icon=icon, type=type, on_change="rerun")
    if box.open:
        with box:
            draw()
        address.leave_open()
