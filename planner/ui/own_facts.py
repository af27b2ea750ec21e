"""Facts of one reader: replaced figures, quotes, LLMs; they lie over the catalogs until they are taken back.

They are kept as a file (see `shelf`) whose mark the address holds, so that a reload or a link has them, too.
"""

from __future__ import annotations

import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, replace
from pathlib import Path

import streamlit as st
from pydantic import Base64Bytes, Field, ValidationError

from planner.catalog import Catalog, load_catalog
from planner.errors import PlannerError, WorkloadError
from planner.market.quotes import read_quotes, with_quotes
from planner.schema import Llm
from planner.schema.base import Strict
from planner.search.overrides import Override, overridden
from planner.ui import browser, shelf
from planner.workloads import load_workload

OWN = "own_facts"
PARAMETER = "own-facts"  # of the address
FOLLOWED = "own_facts_mark"  # what the address said of them when they were read or changed last
LOST = "own_facts_lost"  # why they are not here, told once
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
    _put(facts)
    return found


def mark() -> str:
    """Of the facts at hand, for what rests on them; empty where there are none."""
    return _file(own()).mark if own() else ""


def named(mark: str) -> OwnFacts:
    """Facts by their mark; an empty one names none.

    Raises
    ------
    PlannerError
        For facts that are not here, or that the catalogs of today do not take.
    """
    return _read(shelf.get(mark)) if mark else OwnFacts()


@contextmanager
def instead(facts: OwnFacts) -> Iterator[None]:
    """Answer under other facts for a moment."""
    before = own()
    st.session_state[OWN] = facts
    try:
        yield
    finally:
        st.session_state[OWN] = before


def put_back(mark: str) -> None:
    """The facts of a mark in place of those at hand; where they are gone, the catalogs alone, and that is told once."""
    try:
        _put(named(mark))
    except PlannerError as error:
        take_all_back()
        st.session_state[LOST] = error


def _file(facts: OwnFacts) -> shelf.File:
    return shelf.File("own-facts.json", _Written.of(facts).model_dump_json().encode())


def _put(facts: OwnFacts) -> None:
    """Facts in place of those at hand, here and in the address."""
    st.session_state[OWN] = facts
    if not facts:
        take_all_back()
        return
    file = _file(facts)
    st.session_state[FOLLOWED] = file.mark
    try:
        shelf.put(PARAMETER, file)
    except PlannerError as error:
        st.session_state[LOST] = error


def take_all_back() -> None:
    """The catalogs alone."""
    shelf.forget(PARAMETER)
    st.session_state.pop(OWN, None)
    st.session_state[FOLLOWED] = None


def follow(linked: str | None = None) -> None:
    """Take the facts that the address names, before anything is answered.

    Parameters
    ----------
    linked : mark that a compressed link names
    """
    named = st.query_params.get(PARAMETER, linked)
    if named == st.session_state.get(FOLLOWED) or (named is None and not browser.went_back()):
        return  # without a name: on the way to another page, which gets its address back
    st.session_state[FOLLOWED], st.session_state[OWN] = named, OwnFacts()
    if named is None:
        return
    try:
        file = shelf.get(named)
    except PlannerError as error:  # the address keeps the mark: another time the database may answer
        st.session_state[LOST] = error
        return
    try:
        st.session_state[OWN] = _read(file)
    except PlannerError as error:
        st.session_state[LOST] = error
        shelf.forget(PARAMETER)


def _read(file: shelf.File | None) -> OwnFacts:
    """Facts of a file, if they still are good.

    Raises
    ------
    PlannerError
        For facts that are not here, or that the catalogs of today do not take.
    """
    if file is None:
        raise WorkloadError("the facts that this rests on are not here: another dashboard or login, or long ago.")
    try:
        facts = _Written.model_validate_json(file.content).facts
    except ValidationError:
        raise WorkloadError("what this rests on are no facts.") from None
    under(facts)
    return facts


class _Written(Strict):
    """Facts as a file holds them."""

    overrides: tuple[tuple[str, str, str], ...] = Field((), max_length=MOST_OVERRIDES)
    quotes: tuple[Base64Bytes, ...] = Field((), max_length=MOST_FILES)
    llms: tuple[tuple[str, str], ...] = Field((), max_length=MOST_FILES)
    figures: tuple[Base64Bytes, ...] = Field((), max_length=1)

    @classmethod
    def of(cls, facts: OwnFacts) -> _Written:
        named = tuple((one.field, one.asked, one.reason) for one in facts.overrides)
        return cls.model_construct(overrides=named, quotes=facts.quotes, llms=facts.llms, figures=facts.figures)

    @property
    def facts(self) -> OwnFacts:
        return OwnFacts(tuple(Override(*one) for one in self.overrides), self.quotes, self.llms, self.figures)


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
    _put(replace(own(), **{part: kept}))
