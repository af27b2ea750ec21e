"""The question at hand: one table in the session, shared by all pages, with its past and its link.

Each widget of the form has a key and takes its value from the table; a preset, a link or a step back overwrites
the keys. The keys of a new filling are new, too: the browser keeps, and sends, what a widget in a closed
popover held before.
"""

from __future__ import annotations

import hashlib
import json
from dataclasses import dataclass
from typing import Any

import streamlit as st
from streamlit.runtime.scriptrunner import get_script_run_ctx

from planner.catalog import Catalog
from planner.errors import PlannerError
from planner.schema import Workload
from planner.ui import link, packed
from planner.ui.browser import went_back
from planner.ui.fields import BOUNDS, FIELDS, USUAL, check_bounds, table_of, values_of
from planner.ui.session import Refusal, language, solve
from planner.workloads import DEFAULT, load_workload, parse_workload, presets, yield_weights

STEPS_KEPT = 50
BESIDE = ("preset", "load", "plan")  # widgets of the form that are no field of the question
IN_POPOVERS = (
    "supply", "site", "horizon", "discount", "load", "weights", "kv", "accelerators", "max_gpus", "prefix_hits",
)  # fmt: skip
LOAD_FIELDS = {"rate": "rate_per_s", "users": "concurrency"}


@dataclass(frozen=True)
class Step:
    """A question as it was, to come back to."""

    preset: str
    table: dict[str, Any]
    rank: int


# ---- where it comes from


def start(catalog: Catalog) -> None:
    """Fill the session from the link, or from the default; widgets that went away get their values back."""
    state = st.session_state
    if "question" not in state or went_back():
        _follow_link(catalog)
    state.setdefault("lang", language())  # before the address is written anew, which names no language that is English
    if state.setdefault("spoken", language()) != language():
        # Widgets remember what they showed: in another language they are others.
        state["spoken"] = language()
        refill()
    state.setdefault(key("preset"), state["preset"])
    for name, value in values_of(state["question"], catalog).items():
        state.setdefault(key(name), value)
    for name in IN_POPOVERS:  # said anew in each run: one that opens late would start from its widgets' lowest values
        state[key(name)] = state[key(name)]


def _follow_link(catalog: Catalog) -> None:
    """Question, plan and language of the address; one that cannot be read is told, and leaves the question at hand."""
    parameters = st.query_params.to_dict()
    try:
        if link.PACKED in parameters:
            _take(packed.unpack(parameters[link.PACKED]), catalog)
            return
        preset, table = link.question_of(parameters)
        rank = link.rank_of(parameters)
        fill(table, catalog, preset, rank)
    except PlannerError as error:
        st.session_state["unread_link"] = error
        if "question" not in st.session_state:
            fill(load_workload().model_dump(mode="json"), catalog, DEFAULT)


def _take(shared: packed.Shared, catalog: Catalog) -> None:
    preset = shared.preset if shared.preset in presets() else DEFAULT
    fill(shared.workload.model_dump(mode="json"), catalog, preset, shared.rank)
    st.session_state["lang"] = shared.language
    st.session_state["arrived"] = shared


def open_question(workload: Workload, catalog: Catalog) -> None:
    """Put a saved question in place of the one at hand."""
    start(catalog)
    fill(workload.model_dump(mode="json"), catalog, st.session_state["preset"])


def open_preset(name: str, catalog: Catalog) -> None:
    """Put a ready question in place of the one at hand."""
    fill(load_workload(name).model_dump(mode="json"), catalog, name)


def fill(table: dict[str, Any], catalog: Catalog, preset: str, rank: int = 1) -> None:
    """Give every widget the value of a table; nothing changes if a name or a number in it is refused.

    Raises
    ------
    UnknownName, WorkloadError
        For a name that the catalogs have not, or a number that the form cannot hold.
    """
    values = values_of(table, catalog)
    check_bounds(values)
    _remember()
    _replace(Step(preset, table_of(table, values), rank), catalog)


def choose_llm(catalog: Catalog) -> None:
    """A preset's weights yield to an LLM that cannot have them."""
    table = _table()
    if yield_weights(table, catalog):
        _remember()
        _replace(Step(st.session_state["preset"], table, 1), catalog)


def choose_load() -> None:
    """The same load in the other way to give it: by the plan at hand, or as it was before it was converted."""
    state, chosen = st.session_state, value("load")
    before = "users" if chosen == "rate" else "rate"
    traffic = state["question"]["traffic"]
    had = traffic.get(LOAD_FIELDS[before])
    if had is None:
        return
    rest = {**state["question"], "traffic": {**traffic, **dict.fromkeys(LOAD_FIELDS.values())}}
    known = state.get("same_load", {})
    if known.get("rest") != rest or known[before] != had:
        known = state["same_load"] = {"rest": rest, before: had, chosen: _converted(chosen, had)}
    state[key(chosen)] = known[chosen]


def _converted(chosen: str, had: float) -> float:
    """A rate as users at once, or the other way round, by how long an answer takes in the plan at hand."""
    workload = parse_workload(st.session_state["question"], "the question")
    answer = solve(workload, confirmed=0)
    if isinstance(answer, Refusal):
        return USUAL[chosen]
    plan = answer.plans[min(st.session_state["rank"], len(answer.plans)) - 1]
    each_s = plan.serving.ttft_s + workload.traffic.output_tokens * plan.serving.tpot_s
    low, high = BOUNDS[chosen]
    if chosen == "users":
        return int(min(max(round(had * each_s), low), high))
    return float(min(max(float(f"{had / each_s:.3g}"), low), high))


def _replace(step: Step, catalog: Catalog) -> None:
    state = st.session_state
    state["question"], state["preset"], state["rank"] = step.table, step.preset, step.rank
    refill()
    for name, value in values_of(step.table, catalog).items():
        state[key(name)] = value


def refill() -> None:
    """New keys for all widgets of the form; what the old ones held is forgotten."""
    state = st.session_state
    for name in (*BESIDE, *(field.name for field in FIELDS)) if "filling" in state else ():
        state.pop(key(name), None)
    state["filling"] = state.get("filling", -1) + 1


# ---- its past


def _remember() -> None:
    """Keep the question at hand, before another takes its place."""
    if "question" in st.session_state:
        past: list[Step] = st.session_state.setdefault("past", [])
        past.append(Step(st.session_state["preset"], st.session_state["question"], st.session_state["rank"]))
        del past[:-STEPS_KEPT]


def past() -> int:
    """How many steps lead back."""
    return len(st.session_state.get("past", ()))


def undo(catalog: Catalog) -> None:
    """Go one step back: the last change of a number, a preset or an opened question."""
    steps: list[Step] = st.session_state.get("past", [])
    if steps:
        _replace(steps.pop(), catalog)


# ---- what the widgets say


def read(where: str) -> Workload:
    """The question as the widgets have it, checked and kept; a changed one starts from its best plan.

    Raises
    ------
    WorkloadError
        For numbers that contradict each other, or that the form cannot hold; those are not kept.
    """
    check_bounds({name: value(name) for name in BOUNDS})
    table = _table()
    if table != st.session_state["question"]:
        _remember()
        st.session_state["question"], st.session_state["rank"] = table, 1
    return parse_workload(table, where)


def _table() -> dict[str, Any]:
    return table_of(
        st.session_state["question"], {name: value(name) for name in ("load", *(field.name for field in FIELDS))}
    )


def key(name: str) -> str:
    """Key of a widget of the form in its present filling, such as `rate.0`."""
    return f"{name}.{st.session_state['filling']}"


def value(name: str) -> Any:
    """What a widget of the form holds."""
    return st.session_state[key(name)]


# ---- where it goes


def write_link(catalog: Catalog) -> None:
    """The question in the address, beside what widgets keep there; the browser's Back returns to it."""
    now, wanted = st.query_params.to_dict(), parameters(catalog)
    if {name: text for name, text in now.items() if not link.of_a_page(name)} == wanted:
        return
    gone = [n for n in now if n not in wanted and (not link.of_a_page(n) or link.of_another_question(n, mark()))]
    if context := get_script_run_ctx():
        with context.session_state.query_params() as known:
            for name in gone:
                known.discard_param_no_forward_msg(name)
    st.query_params.update(wanted)  # the browser hears of it once, and makes one step of it


def parameters(catalog: Catalog) -> dict[str, str]:
    """What the address says of this question."""
    state = st.session_state
    wanted = link.parameters_of(state["preset"], state["question"], language(), state["rank"])
    if not link.says_all(state["preset"], state["question"], wanted):
        return {link.PACKED: packed.pack(shared(catalog, ""))}
    return wanted


def mark() -> str:
    """Short name of the question at hand, for what was set for it alone."""
    return hashlib.sha256(json.dumps(st.session_state["question"], sort_keys=True).encode()).hexdigest()[:8]


def shared(catalog: Catalog, page: str, view: dict[str, tuple[str, ...]] | None = None) -> packed.Shared:
    """What a compressed link holds of this session.

    Raises
    ------
    WorkloadError
        For numbers that contradict each other.
    """
    state = st.session_state
    return packed.Shared.model_validate({
        "page": page, "preset": state["preset"], "rank": state["rank"], "language": language(), "view": view or {},
        "catalogs": catalog.sha256[:8], "workload": parse_workload(state["question"], "the question"),
    })  # fmt: skip
