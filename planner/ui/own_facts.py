"""Facts of this session alone: replaced figures, quotes, LLMs; they lie over the catalogs until the reader leaves."""

from __future__ import annotations

import tempfile
from dataclasses import dataclass, replace
from pathlib import Path

import streamlit as st

from planner.catalog import Catalog, load_catalog
from planner.market.quotes import read_quotes, with_quotes
from planner.schema import Llm
from planner.search.overrides import Override, overridden
from planner.workloads import load_workload

OWN = "own_facts"
MOST_OVERRIDES, MOST_FILES = 50, 10


@dataclass(frozen=True)
class OwnFacts:
    """What a reader laid over the catalogs; hashable, as catalogs are cached by it.

    Attributes
    ----------
    quotes : uploaded CSV files
    llms : id and JSON of each imported entry
    figures : measured on a set-up, as `planner calibrate` writes them
    """

    overrides: tuple[Override, ...] = ()
    quotes: tuple[bytes, ...] = ()
    llms: tuple[tuple[str, str], ...] = ()
    figures: tuple[bytes, ...] = ()

    def __bool__(self) -> bool:
        return bool(self.overrides or self.quotes or self.llms or self.figures)


def own() -> OwnFacts:
    """Those of this session."""
    found: OwnFacts = st.session_state.get(OWN, OwnFacts())
    return found


@st.cache_resource(show_spinner=False)
def shipped() -> Catalog:
    """The catalogs, read once for all sessions."""
    return load_catalog()


def catalog() -> Catalog:
    """The catalogs as this session has them."""
    return under(own()) if own() else shipped()


@st.cache_resource(max_entries=32, show_spinner=False)
def under(facts: OwnFacts) -> Catalog:
    """The catalogs under facts of a reader.

    Raises
    ------
    PlannerError
        For a figure, value, quote or entry that cannot be.
    """
    found = shipped()
    for id, entry in facts.llms:
        found = found.with_facts(f"{id}\0{entry}", llms={**found.llms, id: Llm.model_validate_json(entry)})
    for content in facts.quotes:
        found = with_quotes(found, read_quotes(content, found))
    for content in facts.figures:
        found = _measured(found, content)
    return overridden(found, load_workload(), facts.overrides)


def _measured(found: Catalog, content: bytes) -> Catalog:
    """The catalogs under figures that were measured on a set-up."""
    with tempfile.TemporaryDirectory() as folder:
        file = Path(folder) / "own.csv"
        file.write_bytes(content)
        return found.with_calibration(file)


def keep(facts: OwnFacts) -> Catalog:
    """Lay facts over the catalogs of this session, once they are known to be good; see `under` for errors."""
    found = under(facts)
    st.session_state[OWN] = facts
    return found


def add_override(one: Override) -> Catalog:
    """Replace a figure; the last word on a figure counts."""
    others = tuple(o for o in own().overrides if o.field != one.field)
    return keep(replace(own(), overrides=(*others, one)[-MOST_OVERRIDES:]))


def add_quotes(content: bytes) -> Catalog:
    """Take quotes in."""
    others = tuple(c for c in own().quotes if c != content)
    return keep(replace(own(), quotes=(*others, content)[-MOST_FILES:]))


def add_figures(content: bytes) -> Catalog:
    """Take measured figures in; the last file counts."""
    return keep(replace(own(), figures=(content,)))


def add_llm(id: str, entry: Llm) -> None:
    """Take an LLM in: one that was read from a config.json is good."""
    others = tuple(one for one in own().llms if one[0] != id)
    keep(replace(own(), llms=(*others, (id, entry.model_dump_json()))[-MOST_FILES:]))


def drop(part: str, number: int) -> None:
    """Take one thing back."""
    kept = tuple(one for n, one in enumerate(getattr(own(), part)) if n != number)
    st.session_state[OWN] = replace(own(), **{part: kept})
