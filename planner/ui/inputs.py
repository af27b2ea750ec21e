"""The question as one row of widgets, a list of presets and ways back; what they hold lies in `question`."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

import streamlit as st

from planner.catalog import Catalog
from planner.errors import PlannerError, WorkloadError
from planner.report.words import preset_words, supply_words
from planner.schema import Workload
from planner.traces import is_shipped
from planner.ui import link, log, question
from planner.ui.fields import BOUNDS, LABELS, LOADS
from planner.ui.question import key, open_question, value
from planner.ui.session import Translate
from planner.workloads import presets

__all__ = ["ask", "choose_plan", "choose_preset", "offer_undo", "on_page", "open_question", "own_number"]
WEIGHTS = ("bf16", "fp8", "int8", "int4", "nvfp4", "mxfp4")
CACHES = ("bf16", "fp8")


def ask(catalog: Catalog, _: Translate) -> Workload:
    """Show the question, keep it in the session and in the link, and return it checked.

    Raises
    ------
    WorkloadError
        For numbers that contradict each other.
    """
    question.start(catalog)
    _row(catalog, _)
    _say_unread(_)
    try:
        workload = question.read(_("the form"))
        _refuse_files(workload, catalog)
    except PlannerError as error:
        log.refused(type(error).__name__)
        raise
    question.write_link(catalog)
    return workload


def _say_unread(_: Translate) -> None:
    if unread := st.session_state.pop("unread_link", None):
        st.error(_("The link cannot be read, so this is the default question."), icon=":material/link_off:")
        st.code(unread.told(_), language=None, wrap_lines=True)


def _refuse_files(workload: Workload, catalog: Catalog) -> None:
    """A link may name what the catalogs hold, and no file of the machine that serves this page."""
    traffic = workload.traffic
    for field in ("trace", "profile", "lengths"):
        name = getattr(traffic, field)
        if name is not None and name not in ("recorded", "scaled", "statistics") and not is_shipped(name, catalog):
            raise WorkloadError(
                "traffic.{field} {name!r} is not in the catalogs.\n  Upload a file on the page Traffic.",
                field=field,
                name=name,
            )


def on_page(name: str) -> None:
    """Say which page is shown: widgets of the same keys on another page start empty, so that theirs are new."""
    if st.session_state.setdefault("on_page", name) != name:
        st.session_state["on_page"] = name
        question.refill()


def choose_preset(catalog: Catalog, _: Translate) -> None:
    """List of ready questions; choosing one fills the form."""
    question.start(catalog)
    names = list(presets())
    words = preset_words(_)
    st.radio(
        _("Start from"),
        names,
        format_func=lambda name: words.get(name, name),
        key=key("preset"),
        on_change=_choose_preset,
        args=(catalog, key("preset")),
    )


def choose_plan(names: Mapping[int, str], _: Translate) -> int:
    """Rank of the plan that all pages show; the link keeps it."""
    widget = key("plan")
    st.session_state[widget] = min(st.session_state["rank"], len(names))
    rank: int = st.selectbox(
        _("Plan"), list(names), format_func=names.__getitem__, key=widget, on_change=_choose_rank, args=(widget,)
    )
    return rank


def _choose_rank(widget: str) -> None:
    st.session_state["rank"] = st.session_state[widget]


def offer_undo(catalog: Catalog, _: Translate) -> None:
    """A step back once there is one, and a way back to the preset once something differs from it."""
    if question.past():
        st.button(_("Undo"), on_click=question.undo, args=(catalog,), icon=":material/undo:", type="tertiary")
    if any(link.asks(name) or name == link.PACKED for name in st.query_params):
        st.button(
            _("Undo my changes"), on_click=_restore, args=(catalog,), icon=":material/restart_alt:", type="tertiary"
        )


def _choose_preset(catalog: Catalog, widget: str) -> None:
    question.open_preset(st.session_state[widget], catalog)


def _restore(catalog: Catalog) -> None:
    question.open_preset(st.session_state["preset"], catalog)


# ---- widgets


def _row(catalog: Catalog, _: Translate) -> None:
    """Everything that people change often, in one line of a laptop's width."""
    with st.container(horizontal=True, vertical_alignment="bottom", gap="xsmall", key="question-row"):
        _llm(catalog, _)
        if value("load") == "rate":
            _number("rate", 1.0, "%g", _, width=88)
        else:
            _number("users", 1, "%d", _, width=96)
        _number("tokens_in", 100, "%d", _, width=84)
        _number("tokens_out", 100, "%d", _, width=84)
        _number("ttft", 0.1, "%g", _, width=88)
        _number("tpot", 1.0, "%g", _, width=98)
        _number("availability", 0.01, "%g", _, width=88)
        _supply(_)
        _site(catalog, _)
        _more(catalog, _)


def _number(name: str, step: Any, format: str, _: Translate, **options: Any) -> None:
    """A number of any size: what lies outside its bounds is refused in words, which a browser does not do."""
    st.number_input(LABELS[name].told(_), step=step, format=format, key=key(name), **options)


def _hidden_number(name: str, step: Any, format: str, _: Translate) -> None:
    """In a popover: its browser starts from the lowest value, which must be a good one."""
    low, high = BOUNDS[name]
    allowed = _("{low:g} to {high:g}").format(low=low, high=high)
    st.number_input(LABELS[name].told(_), low, high, step=step, format=format, key=key(name), help=allowed)


def own_number(label: str, name: str, _: Translate) -> None:
    """A figure that may stay blank."""
    low, high = BOUNDS[name]
    allowed = _("{low:g} to {high:g}, or blank").format(low=low, high=high)
    st.number_input(label, low, high, None, format="%g", key=key(name), placeholder="–", help=allowed)


def _llm(catalog: Catalog, _: Translate) -> None:
    names = {id: row.name for id, row in catalog.llms.items()}
    st.selectbox(
        _("LLM"), list(names), format_func=names.__getitem__, key=key("llm"), width=168,
        on_change=question.choose_llm, args=(catalog,),
    )  # fmt: skip


def _supply(_: Translate) -> None:
    words = supply_words(_)
    chosen = [words[option] for option in words if option in value("supply")]
    label = _("Any supply") if len(chosen) == len(words) else " · ".join(chosen) or _("No supply")
    with st.popover(label):
        st.pills(
            _("How capacity may be obtained"),
            list(words),
            selection_mode="multi",
            format_func=words.__getitem__,
            key=key("supply"),
        )


def _site(catalog: Catalog, _: Translate) -> None:
    names = {id: row.name for id, row in catalog.sites.items()}
    horizon = f"{value('horizon'):g}"
    with st.popover(_("{site}, {years} y").format(site=value("site"), years=horizon)):
        st.selectbox(_("Where owned hardware stands"), list(names), format_func=names.__getitem__, key=key("site"))
        _hidden_number("horizon", 0.5, "%g", _)
        _hidden_number("discount", 0.5, "%g", _)


def _more(catalog: Catalog, _: Translate) -> None:
    names = {id: row.name for id, row in catalog.accelerators.items()}
    loads = {"rate": _("requests per second"), "users": _("users at once")}
    upper: Callable[[str], str] = str.upper
    with st.popover(_("More…")):
        st.segmented_control(
            _("Load given as"), LOADS, format_func=loads.__getitem__, key=key("load"), required=True,
            on_change=question.choose_load,
        )  # fmt: skip
        everything = _("empty: all")
        st.multiselect(_("Weight precisions"), WEIGHTS, format_func=upper, key=key("weights"), placeholder=everything)
        st.multiselect(_("KV cache precisions"), CACHES, format_func=upper, key=key("kv"), placeholder=everything)
        st.multiselect(
            _("Accelerators"),
            list(names),
            format_func=names.__getitem__,
            key=key("accelerators"),
            placeholder=everything,
        )
        _hidden_number("max_gpus", 1, "%d", _)
        _hidden_number("prefix_hits", 5.0, "%g", _)
