"""Facts: browse every row, follow each figure to its source, turn a config.json into an entry."""

from __future__ import annotations

import json
from collections.abc import Mapping
from typing import Any

import pandas as pd
import streamlit as st

from planner.encoding import decoded
from planner.errors import Invalid, PlannerError, WorkloadError
from planner.huggingface import llm_from_config, llm_slug, llm_to_toml
from planner.report.words import confidence_words
from planner.schema import Llm, Sourced
from planner.ui import own_facts, own_view
from planner.ui.session import KEPT, Translate, catalog, plain, translate
from planner.ui.values import with_unit

HIDDEN = ("source", "source_date", "confidence", "unverified", "notes")
PROVENANCE = ("confidence", "source_date", "source")
MOST_ROWS = 2000
SCALES = {"_bytes_per_s": (1e9, "GB/s"), "_bytes": (1e9, "GB"), "_flops_per_s": (1e12, "TFLOP/s")}
MAX_BYTES = 1_000_000
MOST_NAME = 64


def page() -> None:
    """A kind of facts as a table, one row in full, an import."""
    _ = translate()
    st.markdown("# " + plain(_("Facts and where they come from")), anchors=False)
    everything = catalog().everything()
    kind = st.selectbox(_("Kind of facts"), list(everything), key="catalogs-kind", bind=KEPT)
    rows = _matching(
        everything[kind], st.text_input(_("Search"), max_chars=200, key="catalogs-search", bind=KEPT).strip().lower()
    )
    st.caption(_("{n} of {all} rows").format(n=f"{len(rows):,}", all=f"{len(everything[kind]):,}"))
    st.dataframe(_table(rows), hide_index=True, width="stretch", height=360)
    if rows:
        id = st.selectbox(_("Row in full"), list(rows)[:MOST_ROWS], key=f"catalogs-row-{kind}", bind=KEPT)
        _row(id, rows[id], _)
        own_view.replace_figure(kind, id, rows[id], _)
    own_view.take_quotes(_)
    own_view.take_figures(_)
    _import(_)


def _matching(rows: Mapping[str, Sourced], words: str) -> dict[str, Sourced]:
    """Rows that hold every word somewhere."""
    if not words:
        return dict(rows)
    texts = {id: f"{id} {row.model_dump_json()}".lower() for id, row in rows.items()}
    return {id: row for id, row in rows.items() if all(word in texts[id] for word in words.split())}


def _table(rows: Mapping[str, Sourced]) -> pd.DataFrame:
    """One line a row, scalars only; what is blank in all of them is left out."""
    lines = [{"row": id, **_scalars(row)} for id, row in list(rows.items())[:MOST_ROWS]]
    table = pd.DataFrame(lines).dropna(axis="columns", how="all")
    return pd.DataFrame(dict(_readable(name, table[name]) for name in map(str, table.columns)))


def _readable(name: str, column: pd.Series[Any]) -> tuple[str, pd.Series[Any]]:
    """Bytes and operations in GB and TFLOP/s, the unit in the heading; everything else as the catalog writes it."""
    for end, (scale, unit) in SCALES.items():
        if name.endswith(end) and pd.api.types.is_numeric_dtype(column):
            return f"{name} [{unit}]", (column / scale).round(3)
    return name, column


def _scalars(row: Sourced) -> dict[str, Any]:
    kept = {name: value for name, value in row if name not in ("unverified", "notes", "id", "aliases")}
    found = {name: value for name, value in kept.items() if isinstance(value, str | int | float) and value != ""}
    return {name: found[name] for name in sorted(found, key=PROVENANCE.__contains__)}  # figures first, then sources


def _row(id: str, row: Sourced, _: Translate) -> None:
    """Each figure with unit and meaning from the schema, its own source, date and confidence."""
    fields, words = type(row).model_fields, confidence_words(_)
    lines = [
        (
            name,
            _(value) if name == "meaning" else with_unit(value, fields[name].description or ""),
            _(fields[name].description or ""),
            words[where.confidence],
            where.source_date,
            where.source,
        )
        for name, value in row
        if name not in HIDDEN and value not in (None, "", (), {})
        for where in [row.provenance(id, name)]
    ]
    heads = [_("Figure"), _("Value"), _("Meaning and unit"), _("Confidence"), _("Date"), _("Source")]
    st.dataframe(pd.DataFrame(lines, columns=heads), hide_index=True, width="stretch")
    st.caption(plain(_("Source: {source}").format(source=f"{row.source} ({row.source_date})")))
    if row.notes:
        st.caption(plain(_("Notes: {notes}").format(notes=row.notes)))


def _import(_: Translate) -> None:
    """A Hugging Face config.json as a catalog entry, to be read before it is used or kept."""
    with st.expander(_("Add an LLM from its config.json")):
        file = st.file_uploader(_("config.json"), type=["json"], max_upload_size=1, key="catalog_config")
        name = st.text_input(_("Name of the entry"), max_chars=MOST_NAME, key="catalog_name")
        if file is None:
            st.caption(_("The entry is shown here; add it to catalogs/llms.toml, or use it here at once."))
            return
        try:
            config = _config(file.getvalue())
            named = name.strip() or _own_name(config)
            entry = llm_from_config(config, named or file.name, catalog().as_of)
            if named:
                _offer(llm_slug(named), entry, _)
            else:
                st.info(_("This config.json does not say its name: write one above."), icon=":material/edit:")
        except PlannerError as error:
            st.error(plain(error.told(_)), icon=":material/block:")


def _offer(id: str, entry: Llm, _: Translate) -> None:
    st.code(llm_to_toml(id, entry), language="toml")
    st.button(
        _("Use it"), on_click=own_facts.add_llm, args=(id, entry), icon=":material/add:",
        disabled=id in catalog().llms, key="catalog_use",
    )  # fmt: skip


def _own_name(config: Mapping[str, Any]) -> str:
    """What a configuration calls its LLM, without its owner or folder; empty where it says nothing."""
    return str(config.get("_name_or_path") or "").rstrip("/").rpartition("/")[2].strip()[:MOST_NAME]


def _config(content: bytes) -> dict[str, Any]:
    """A configuration; raises WorkloadError for whatever is none."""
    try:
        if len(content) > MAX_BYTES:
            raise Invalid("larger than {max_bytes:,} bytes", max_bytes=MAX_BYTES)
        config = json.loads(decoded(content))
        if not isinstance(config, dict):
            raise Invalid("a JSON object is expected")
    except (ValueError, RecursionError) as error:
        raise WorkloadError("config.json cannot be read: {error}.", error=error) from None
    return config
