"""Saved questions side by side: what each costs and does, and where they differ."""

from __future__ import annotations

import pandas as pd
import streamlit as st

from planner.errors import PlannerError
from planner.report import compare as told
from planner.schema import PlanResult
from planner.ui import inputs, own_facts, refused
from planner.ui.session import KEPT, Refusal, Translate, catalog, plain, solve, translate
from planner.ui.store import MOST_NAME, Saved, Store, store

MOST_SHOWN = 6
REPLACED = "compare-replaced"  # what the name held that was saved last
SHOWN = "compare-shown"  # names in the address; those that are no longer saved are left out


def page() -> None:
    """Save the question at hand, choose some, compare."""
    _ = translate()
    st.markdown("# " + plain(_("Questions side by side")), anchors=False)
    try:
        shelf = store()
    except PlannerError as error:
        refused.box(error, _)
        return
    try:
        _save(shelf, _)
    except PlannerError as error:
        refused.box(error, _)
    saved = {one.name: one for one in shelf.all()}
    if not saved:
        st.info(_("Nothing is saved yet. Ask on the page Plan, then save the question here under a name."))
        return
    names = st.multiselect(
        _("Compare"), list(saved), default=list(saved)[:MOST_SHOWN], max_selections=MOST_SHOWN, key=SHOWN, bind=KEPT
    )
    if names:
        _show([saved[name] for name in names], _)
    _manage(shelf, saved, _)


def _save(shelf: Store, _: Translate) -> None:
    workload = inputs.ask(catalog(), _)
    with st.form("save", border=False), st.container(horizontal=True, vertical_alignment="bottom"):
        name = st.text_input(_("Save this question as"), max_chars=MOST_NAME, key="save_as")
        if st.form_submit_button(_("Save"), icon=":material/save:"):
            former = shelf.save(name, workload, facts=own_facts.mark())
            same = former is None or (former.workload, former.facts) == (workload, own_facts.mark())
            st.session_state[REPLACED] = None if same else former
            _also_compare(" ".join(name.split()))
            st.toast((_("Saved: {name}") if same else _("Replaced: {name}")).format(name=plain(name)))
    _undo(shelf, _)


def _undo(shelf: Store, _: Translate) -> None:
    """What was saved last replaced another question: say so, and offer it back."""
    former: Saved | None = st.session_state.get(REPLACED)
    if former is None:
        return
    text = _("{name} held another question; this one replaced it.")
    st.info(plain(text.format(name=former.name)), icon=":material/swap_horiz:")
    label = _("Put the former question back")
    st.button(label, on_click=_put_back, args=(shelf, former), icon=":material/undo:", key="put-back")


def _put_back(shelf: Store, former: Saved) -> None:
    shelf.save(former.name, former.workload, former.note, former.facts)
    st.session_state[REPLACED] = None


def _delete(shelf: Store, name: str) -> None:
    """Forget a question, and what its name held before."""
    shelf.delete(name)
    former: Saved | None = st.session_state.get(REPLACED)
    if former is not None and former.name == name:
        st.session_state[REPLACED] = None


def _also_compare(name: str) -> None:
    """What was just saved stands beside the others, as far as there is room."""
    shown = st.session_state.get(SHOWN)
    if shown is not None and name not in shown and len(shown) < MOST_SHOWN:
        st.session_state[SHOWN] = [*shown, name]


def _show(chosen: list[Saved], _: Translate) -> None:
    answers = [_solved(one) for one in chosen]
    names, asked = [one.name for one in chosen], [one.workload for one in chosen]
    table = told.side_by_side(names, asked, [_answer(a) for a in answers], _)
    st.markdown(f"**{plain(told.finding(table, _))}**")
    frame = pd.DataFrame(table.rows, columns=list(table.headings))
    style = frame.style.apply(lambda row: _marks(row, table.differs), axis=1)
    first = {table.headings[0]: st.column_config.Column(width=136)}
    st.dataframe(style, hide_index=True, width="stretch", height="content", column_config=first)
    if resting := [one.name for one in chosen if one.facts]:
        text = _("Answered under the facts of your own that were saved with them: {names}.")
        st.caption(plain(text.format(names=", ".join(resting))))
    for one, answer in zip(chosen, answers, strict=True):
        if isinstance(answer, Refusal):
            why = answer.error.told(_).splitlines()[0]
            st.warning(plain(f"{one.name}: {why}"))


def _solved(one: Saved) -> PlanResult | Refusal:
    """The answer under the facts that it was saved with."""
    try:
        facts = own_facts.named(one.facts)
    except PlannerError as error:
        return Refusal(error)
    with own_facts.instead(facts):
        return solve(one.workload)


def _open(one: Saved) -> None:
    own_facts.put_back(one.facts)
    inputs.open_question(one.workload, catalog())


def _answer(answer: PlanResult | Refusal) -> PlanResult | None:
    return answer if isinstance(answer, PlanResult) else None


def _marks(row: pd.Series[str], differs: frozenset[str]) -> list[str]:
    """Rows that differ stand out by weight, and by colour for those who see it."""
    style = "font-weight: 650; background-color: rgba(47, 111, 224, 0.14)" if row.iloc[0] in differs else ""
    return [style] * len(row)


def _manage(shelf: Store, saved: dict[str, Saved], _: Translate) -> None:
    with st.expander(_("Open or delete a saved question")):
        name = st.selectbox(_("Saved question"), list(saved), key="managed")
        with st.container(horizontal=True):
            st.button(
                _("Open"),
                on_click=_open,
                args=(saved[name],),
                icon=":material/open_in_new:",
            )
            st.button(_("Delete"), on_click=_delete, args=(shelf, name), icon=":material/delete:")
