"""Where numbers come from: formulas with sourced inputs, and the command that gives the same answer."""

from __future__ import annotations

from collections.abc import Callable, Sequence

import streamlit as st

from planner.report.explain import Explanation
from planner.report.frames import spelled
from planner.report.words import explanation_words
from planner.ui import lazy
from planner.ui.session import Translate, blue, plain


def reproduce(line: str, _: Translate) -> None:
    """A command to copy, behind a click."""
    label = _("The command that gives this answer")
    lazy.expander(label, "reproduce", lambda: command(line), ":material/terminal:")


def command(line: str) -> None:
    """A command to copy."""
    st.code(line, language="bash", wrap_lines=True)


def explanations(found: Callable[[], Sequence[Explanation]], _: Translate) -> None:
    """A tab for each number; `found` explains them when the box is opened."""
    label = _("How each number comes about")
    lazy.expander(label, "explained", lambda: _tabs(found(), _), ":material/function:")


def _tabs(found: Sequence[Explanation], _: Translate) -> None:
    words = explanation_words(_)
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
