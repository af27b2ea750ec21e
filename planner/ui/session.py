"""What every page shares: the catalogs, one cached answer per question, the language, text that is safe to show."""

from __future__ import annotations

import re
from collections.abc import Callable
from dataclasses import dataclass
from typing import Literal

import streamlit as st

from planner.catalog import Catalog
from planner.errors import NoPlan, PlannerError
from planner.i18n import LANGUAGES, language_code, translator
from planner.report.charts import DARK, LIGHT, Palette
from planner.schema import PlanResult, Workload
from planner.search.plan import Screening, answered, screened
from planner.ui import aside, log, own_facts

Translate = Callable[[str], str]
KEPT: Literal["query-params"] = "query-params"  # bind=KEPT: a widget's value lives in the address, checked by Streamlit
ANSWERS_KEPT, SCREENINGS_KEPT = 128, 4
CONFIRMED = 3  # plans that simulations confirm, as `planner plan` does


@dataclass(frozen=True)
class Refusal:
    """A question without an answer: nothing serves it, or it cannot be read."""

    error: PlannerError

    @property
    def nothing_serves(self) -> bool:
        """Whether it is a good question."""
        return isinstance(self.error, NoPlan)


def catalog() -> Catalog:
    """The catalogs as this session has them: those that ship, under what the reader laid over them."""
    return own_facts.catalog()


def solve(workload: Workload, confirmed: int = CONFIRMED) -> PlanResult | Refusal:
    """Answer a question; the same question on the same catalogs is answered from memory.

    Parameters
    ----------
    confirmed : plans that simulations must confirm; 0: closed forms alone, which take half the time
    """
    answer = _solve(workload.model_dump_json(), catalog().sha256, confirmed)
    if isinstance(answer, Refusal):
        log.refused("NoPlan" if answer.nothing_serves else "PlannerError")
    return answer


@st.cache_resource(max_entries=ANSWERS_KEPT, show_spinner=False)
def _solve(workload_json: str, catalog_sha256: str, confirmed: int) -> PlanResult | Refusal:
    """Cached on the workload's JSON and the catalogs' hash; expected failures are answers, too.

    Answers are frozen, so visitors share them; a copy for each would take longer than the page.
    """
    try:
        screening = _screen(workload_json, catalog_sha256)
        if not confirmed:
            return answered(screening, confirmed=0)
        return aside.confirm(screening, confirmed, own_facts.shipped())
    except PlannerError as error:
        return Refusal(error.with_traceback(None))  # a cached one would keep all that it passed


@st.cache_resource(max_entries=SCREENINGS_KEPT, show_spinner=False)
def _screen(workload_json: str, catalog_sha256: str) -> Screening:
    """Candidates of a question, for the moment between its two answers: they take more memory than an answer."""
    return screened(Workload.model_validate_json(workload_json), catalog())


def regret_of_plans(result: PlanResult) -> dict[int, float]:
    """Expected regret of each plan by rank; empty where it cannot be drawn. [USD/month]"""
    return _regrets(result.workload.model_dump_json(), result.catalog_sha256)


@st.cache_resource(max_entries=ANSWERS_KEPT, show_spinner=False)
def _regrets(workload_json: str, catalog_sha256: str) -> dict[int, float]:
    answer = solve(Workload.model_validate_json(workload_json))
    if not isinstance(answer, PlanResult):
        return {}
    try:
        return aside.regret(answer, catalog(), own_facts.shipped())
    except PlannerError:  # a field of the question that has no range: the other two alternatives stand
        return {}


def language() -> str:
    """Code of the reader's language: the switch, else the link, else the browser."""
    asked = st.session_state.get("lang") or st.query_params.get("lang") or st.context.locale or "en"
    return language_code(asked)


def translate() -> Translate:
    """Function from English to the reader's language."""
    return translator(language())


def language_switch() -> None:
    """English or Chinese; the choice stays in the link."""
    st.session_state.setdefault("lang", language())
    st.segmented_control(
        "Language / 语言",
        list(LANGUAGES),
        format_func=LANGUAGES.__getitem__,
        key="lang",
        required=True,
        label_visibility="collapsed",
    )


def plain(text: str) -> str:
    """Text with the characters escaped that Markdown, Streamlit's directives or its formulas would read.

    Examples
    --------
    >>> plain("$1.29 [USD]")
    '\\\\$1.29 \\\\[USD\\\\]'
    """
    return re.sub(r"([\\`*_{}\[\]<>#~$|:])", r"\\\1", text)


def blue(text: str) -> str:
    """Plain text in the colour of the answer."""
    return f":blue[{plain(text)}]"


def dark() -> bool:
    """Whether the reader looks at a dark page."""
    return st.context.theme.type == "dark"


def palette() -> Palette:
    """Colours of charts on the page as the reader has it."""
    return DARK if dark() else LIGHT
