"""What others state, recomputed: the shipped article, or the reader's own claims."""

from __future__ import annotations

import tomllib

import pandas as pd
import streamlit as st

from planner.audit import audit, read_claims, template
from planner.audit.claims import ARTICLE, MAX_BYTES, Claims, parse_claims
from planner.audit.document import as_markdown, as_workbook
from planner.encoding import decoded
from planner.errors import PlannerError, WorkloadError
from planner.report import audit as told
from planner.schema import Audited, AuditResult
from planner.ui import uploads
from planner.ui.session import Translate, catalog, language, plain, translate


def page() -> None:
    """Choose claims, see verdicts, open the evidence, take the document."""
    _ = translate()
    st.markdown("# " + plain(_("Stated figures, recomputed")), anchors=False)
    try:
        found = _result(_)
    except PlannerError as error:
        st.error(plain(error.told(_)), icon=":material/block:")
        return
    st.markdown(f"**{plain(found.title)}.** {plain(told.headline(found, _))}")
    shown = _chosen(found, _)
    _table(shown, _)
    for line in told.refusals(found, _):
        st.warning(plain(line))
    _evidence(shown, _)
    _downloads(found, _)


def _result(_: Translate) -> AuditResult:
    """Verdicts of the uploaded file, or of the article."""
    with st.expander(_("Audit a quote of your own")):
        st.download_button(_("Template"), template(), "quote.toml", "application/toml")
        own = uploads.ask(_("Claims as a TOML file"), ["toml"], "audit-file", 1, _)
    if own is None:
        return _article(language(), catalog().sha256)
    with st.spinner(_("Computing…")):
        return audit(_uploaded(own.content, own.name), catalog(), _, language())


def _uploaded(content: bytes, name: str) -> Claims:
    if len(content) > MAX_BYTES:
        raise WorkloadError("{name} is larger than {max_bytes:,} bytes.", name=name, max_bytes=MAX_BYTES)
    try:
        table = tomllib.loads(decoded(content))
    except (UnicodeDecodeError, tomllib.TOMLDecodeError, RecursionError) as error:
        raise WorkloadError("cannot read {path}: {reason}.", path=name, reason=error) from None
    return parse_claims(table, name)


@st.cache_data(max_entries=4, show_spinner="…")
def _article(tongue: str, sha256: str) -> AuditResult:
    return audit(read_claims(ARTICLE), catalog(), translate(), tongue)


def _chosen(found: AuditResult, _: Translate) -> list[Audited]:
    """Claims of the verdicts that the reader picks; none picked: all."""
    words = told.verdict_words(_)
    counts = {verdict: n for verdict, n in found.counts().items() if n}
    picked = st.pills(
        _("Verdict"), list(counts), selection_mode="multi", key="audit-verdicts", label_visibility="collapsed",
        format_func=lambda verdict: f"{told.MARKS[verdict]} {words[verdict]} · {counts[verdict]}",
    )  # fmt: skip
    return [one for one in found.claims if not picked or one.verdict in picked]


def _table(claims: list[Audited], _: Translate) -> None:
    """What is stated beside what it should be; why stands with the evidence below, where long text wraps."""
    id, verdict, stated, computed, words, _why = told.headings(_)
    rows = [told.cells(one, _) for one in claims]
    columns = {
        id: [row[0] for row in rows], verdict: [row[1] for row in rows], words: [row[4] for row in rows],
        stated: [row[2] for row in rows], computed: [row[3] for row in rows],
    }  # fmt: skip
    pixels = {id: 48, verdict: 152, words: 430, stated: 180, computed: 250}
    widths = {name: st.column_config.Column(width=px) for name, px in pixels.items()}
    st.dataframe(pd.DataFrame(columns), hide_index=True, width="stretch", height="content", column_config=widths)


def _evidence(claims: list[Audited], _: Translate) -> None:
    """Each claim opens its reason and the rows behind it."""
    st.markdown("## " + plain(_("Why, and the evidence")), anchors=False)
    for one in claims:
        with st.expander(f"{one.id} · {told.verdict_words(_)[one.verdict]} · {plain(one.text)}"):
            if one.reason:
                st.markdown(plain(one.reason))
            for some in one.evidence:
                st.caption(plain(told.evidence_line(some, _)))


def _downloads(found: AuditResult, _: Translate) -> None:
    kind = "application/vnd.openxmlformats-officedocument.spreadsheetml.sheet"
    icon = ":material/download:"
    with st.container(horizontal=True):
        st.download_button(_("Document"), as_markdown(found, _), "audit.md", "text/markdown", icon=icon)
        st.download_button(_("Workbook"), as_workbook(found, catalog().as_of, _), "audit.xlsx", kind, icon=icon)
