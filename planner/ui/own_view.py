"""What a reader lays over the catalogs: forms to replace a figure and to take quotes, and the mark that it leaves."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import streamlit as st

from planner.errors import PlannerError
from planner.market.quotes import MAX_BYTES
from planner.report.command import command
from planner.schema import Parameter, Purchase, Sourced, Workload
from planner.schema.market import Quote
from planner.search.overrides import KINDS, MOST_REASON, Override
from planner.ui import own_facts
from planner.ui.own_facts import own
from planner.ui.session import Translate, plain
from planner.ui.values import as_entered, unit_of

NOT_FIGURES = {"source", "source_date", "confidence", "unverified", "notes", "id", "aliases"}


def mark(_: Translate) -> None:
    """Above every page: what its reader replaced, so that no answer passes for one of the catalogs alone."""
    if lost := st.session_state.pop(own_facts.LOST, None):
        st.warning(plain(lost.told(_)), icon=":material/link_off:")
    facts = own()
    if not facts:
        return
    text = _("These answers rest on facts of your own, which links and saved questions carry: {what}.")
    parts = [f"{one.assignment} ({one.reason})" for one in facts.overrides]
    if facts.quotes:
        n = len(facts.quotes)
        parts.append(_("1 file of quotes") if n == 1 else _("{n} files of quotes").format(n=n))
    parts += [_("the LLM {id}").format(id=id) for id, _entry in facts.llms]
    parts += [_("figures measured on your own set-up")] if facts.figures else []
    with st.container(horizontal=True, vertical_alignment="center"):
        st.warning(plain(text.format(what="; ".join(parts))), icon=":material/edit_note:")
        st.button(
            _("Back to the catalogs"), on_click=own_facts.take_all_back, key="own-drop",
            icon=":material/restart_alt:", type="tertiary",
        )  # fmt: skip


def session_command(verb: str, workload: Workload, *options: str) -> str:
    """The command that answers as this session does: with replaced figures it is a what-if."""
    facts = own()
    measured = ("--calibration", "own.csv") if facts.figures else ()
    if not facts.overrides:
        line = command(verb, workload, *options, *measured)
    else:
        replaced = (word for one in facts.overrides for word in ("--set", one.assignment))
        changes = options if verb == "whatif" else ()
        line = command("whatif", workload, *replaced, *changes, *measured)
    notes = ["# first: planner catalog refresh --quotes quotes.csv --write"] if facts.quotes else []
    take_in = "# first: planner catalog import config.json --id {id} --out catalogs/llms.toml"
    notes += [take_in.format(id=id) for id, _entry in facts.llms]
    return "\n".join([*notes, line])


def replace_figure(kind: str, id: str, row: Sourced, _: Translate) -> None:
    """A figure, its new value and the reason; answers change on every page."""
    with st.expander(_("Replace a figure, with a reason"), icon=":material/edit:"):
        if kind not in KINDS:
            st.caption(_("Prices come in as quotes, below. Figures of this kind follow from sources and stay."))
            return
        figures = dict(_figures(kind, id, row))
        with st.form(f"replace.{kind}.{id}", border=False):
            with st.container(horizontal=True, vertical_alignment="bottom"):
                field = st.selectbox(_("Figure"), list(figures), format_func=figures.__getitem__, width=320)
                asked = st.text_input(_("New value, or +20% or x2"), max_chars=40, width=180)
                reason = st.text_input(_("Reason: who says so, and when"), max_chars=MOST_REASON)
            done = st.form_submit_button(_("Replace"), icon=":material/edit:")
        if not done:
            return
        try:
            own_facts.add_override(Override(str(field), asked.strip(), reason.strip()))
        except PlannerError as error:
            st.error(plain(error.told(_)), icon=":material/block:")
            return
        st.rerun()


def _figures(kind: str, id: str, row: Sourced) -> Iterator[tuple[str, str]]:
    """Field as `--set` takes it, and how it reads, with the unit of a new value."""
    if isinstance(row, Parameter):  # its name has its unit
        yield f"calibration.{id}", f"value = {as_entered(row.value, '')}"
        return
    if isinstance(row, Purchase):
        yield f"purchases.{row.item}", f"{row.item}: {row.price_usd_low:,.6g} … {row.price_usd_high:,.6g} USD"
        return
    fields = type(row).model_fields
    for name, value in row:
        if name not in NOT_FIGURES:
            unit = unit_of(fields[name].description or "")
            yield from ((f"{kind}.{id}.{path}", f"{path} = {now}") for path, now in _paths(name, value, unit))


def _paths(name: str, value: Any, unit: str) -> Iterator[tuple[str, str]]:
    if isinstance(value, dict):
        for key, inner in value.items():
            yield from _paths(f"{name}.{key}", inner, unit)
    elif isinstance(value, int | float) and not isinstance(value, bool):
        yield name, as_entered(value, unit)
    elif value is None:
        yield name, f"– [{unit}]" if unit else "–"


def take_figures(_: Translate) -> None:
    """What `planner calibrate` learned from benchmarks of the reader's own server."""
    with st.expander(_("Plan with figures measured on your own set-up"), icon=":material/speed:"):
        st.caption(
            plain(
                _(
                    "The CSV that planner calibrate RESULT.json --out own.csv writes. On that set-up, measured figures "
                    "take the place of estimates, and are marked."
                )
            )
        )
        file = st.file_uploader("own.csv", type=["csv"], max_upload_size=1, key="own-figures")
        if (
            file is None
            or (file.getvalue(),) == own().figures
            or file.file_id == st.session_state.get("own-figures-seen")
        ):
            return
        try:
            own_facts.add_figures(file.getvalue())
        except PlannerError as error:
            st.error(plain(error.told(_)), icon=":material/block:")
            return
        st.session_state["own-figures-seen"] = file.file_id
        st.rerun()


def take_quotes(_: Translate) -> None:
    """A CSV of quotes: what was read, and what it does to prices."""
    with st.expander(_("Plan with your own quotes"), icon=":material/request_quote:"):
        columns = ", ".join(Quote.model_fields)
        text = _("A CSV with the columns {columns}; for you, and for those who get your links.")
        st.caption(plain(text.format(columns=columns)))
        st.download_button(
            _("Template"), TEMPLATE, "quotes.csv", "text/csv", on_click="ignore", icon=":material/download:"
        )
        file = st.file_uploader(
            "quotes.csv", type=["csv"], max_upload_size=max(MAX_BYTES // 10**6, 1), key="own-quotes"
        )
        for number, content in enumerate(own().quotes):
            with st.container(horizontal=True, vertical_alignment="center"):
                lines = max(content.count(b"\n"), 1)
                st.caption(_("Quotes {n}: {lines} lines").format(n=number + 1, lines=lines))
                st.button(
                    _("Take back"), key=f"own-quotes-drop.{number}", on_click=own_facts.drop, args=("quotes", number),
                    type="tertiary",
                )  # fmt: skip
        if file is None or file.getvalue() in own().quotes or file.file_id == st.session_state.get("own-quotes-seen"):
            return
        try:
            own_facts.add_quotes(file.getvalue())
        except PlannerError as error:
            st.error(plain(error.told(_)), icon=":material/block:")
            return
        st.session_state["own-quotes-seen"] = file.file_id
        st.rerun()


TEMPLATE = (
    "accelerator,accelerators,term,price,currency,usd_per_unit,provider,region,source,source_date,notes\n"
    "h200-sxm-141gb,8,rental_3y,16.00,USD,,your-vendor,,offer 4711,2026-11-01,replace this line by your own\n"
)
