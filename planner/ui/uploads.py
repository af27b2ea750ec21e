"""An upload that stays: through a reload, on other pages, and for whoever gets the link on the same dashboard."""

from __future__ import annotations

import base64
import json
from collections.abc import Sequence
from typing import Any

import streamlit as st

from planner.errors import PlannerError
from planner.ui import shelf
from planner.ui.session import Translate, plain
from planner.ui.shelf import File


def ask(label: str, kinds: Sequence[str], name: str, megabytes: int, _: Translate, hide: bool = False) -> File | None:
    """Ask for a file; one that the address names is there already.

    Parameters
    ----------
    name : of the widget and of its parameter in the address; has a hyphen
    megabytes : largest file
    hide : whether text above says what the label would
    """
    st.file_uploader(
        label, list(kinds), key=f"{name}-sent", max_upload_size=megabytes, on_change=_sent, args=(name,),
        label_visibility="collapsed" if hide else "visible",
    )  # fmt: skip
    return _named(name, st.session_state.get(f"{name}-sent") is None, _)


def ask_several(label: str, kinds: Sequence[str], name: str, megabytes: int, _: Translate) -> tuple[File, ...]:
    """Ask for files that belong together; those that the address names are there already. See `ask`."""
    st.file_uploader(
        label, list(kinds), accept_multiple_files=True, key=f"{name}-sent", max_upload_size=megabytes,
        on_change=_sent, args=(name,),
    )  # fmt: skip
    kept = _named(name, not st.session_state.get(f"{name}-sent"), _)
    try:
        return () if kept is None else _unpacked(kept)
    except ValueError:  # a link can name any file of its reader
        shelf.forget(name)
        return ()


def _named(name: str, alone: bool, _: Translate) -> File | None:
    """The file that the address names; where it stands alone, not in the widget, it can be taken back here."""
    mark = st.query_params.get(name)
    if mark is None:
        return None
    try:
        file = shelf.get(mark)
    except PlannerError as error:
        st.warning(plain(error.told(_)), icon=":material/link_off:")
        return None
    if file is None:
        gone = _("The file that this address names is not here: another dashboard, another login, or too long ago.")
        st.warning(plain(gone), icon=":material/link_off:")
    elif alone:
        with st.container(horizontal=True, vertical_alignment="center"):
            st.caption(plain(_("File: {name}").format(name=file.name)), width="content")
            st.button(_("Take back"), key=f"{name}-back", on_click=shelf.forget, args=(name,), type="tertiary")
    if unkept := st.session_state.pop(f"{name}-unkept", None):
        st.warning(plain(unkept.told(_)), icon=":material/block:")
    return file


def _sent(name: str) -> None:
    sent = st.session_state[f"{name}-sent"]
    if not sent:
        shelf.forget(name)
        return
    try:
        shelf.put(name, _packed(sent) if isinstance(sent, list) else File(sent.name, sent.getvalue()))
    except PlannerError as error:
        st.session_state[f"{name}-unkept"] = error


def _packed(sent: Sequence[Any]) -> File:
    """Several files as one, whose name lists theirs."""
    table = [(one.name, base64.b64encode(one.getvalue()).decode()) for one in sent]
    return File(", ".join(one.name for one in sent), json.dumps(table).encode())


def _unpacked(file: File) -> tuple[File, ...]:
    """Raises ValueError for what `_packed` did not write."""
    try:
        return tuple(File(str(name), base64.b64decode(text)) for name, text in json.loads(file.content))
    except (TypeError, UnicodeDecodeError) as error:
        raise ValueError(str(error)) from None
