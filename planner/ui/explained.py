"""Where numbers come from: formulas with sourced inputs, and the command that gives the same answer."""

from __future__ import annotations

from collections.abc import Sequence

import streamlit as st

from planner.report.explain import Explanation
from planner.report.frames import spelled
from planner.report.words import explanation_words
from planner.ui.session import Translate, blue, plain


def reproduce(line: str, _: Translate) -> None:
    """A command to copy, behind a click."""
    with st.expander(_("The command that gives this answer"), icon=":material/terminal:"):
        st.code(line, language="bash", wrap_lines=True)


def explanations(found: Sequence[Explanation], _: Translate) -> None:
    """A tab for each number."""
    words = explanation_words(_)
    with st.expander(_("How each number comes about"), icon=":material/function:"):
        for tab, one in zip(st.tabs([words.get(one.name, one.name) for one in found]), found, strict=True):
            tab.markdown(markdown(one, _))


def markdown(one: Explanation, _: Translate) -> str:
    """Value, formula, band, and each input with its source."""
    lines = [f"**{blue(one.value)}** = {plain(one.formula)}", "", f":gray[{plain(one.band)}]", ""]
    for given in one.inputs:
        unit = "" if given.unit == "-" else given.unit
        lines.append(f"- **{plain(given.name)}** = {plain(spelled(given.value))} {plain(unit)}  ")
        lines.append(f"  :gray[{plain(given.source)}]")
    return "\n".join(lines)
