"""The question at hand: one table in the session, shared by all pages, with its past and its link.

Each widget of the form has a key and takes its value from the table; a preset, a link or a step back overwrites
the keys. The keys of a new filling are new, too: the browser keeps, and sends, what a widget in a closed
popover held before.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import streamlit as st
from streamlit.runtime.scriptrunner import get_script_run_ctx

from planner.catalog import Catalog
from planner.errors import PlannerError, WorkloadError
from planner.schema import Workload
from planner.ui import link, packed
from planner.ui.session import language
from planner.workloads import DEFAULT, load_workload, parse_workload, presets, set_field

PERCENT, PER_THOUSAND = 100.0, 1000.0
STEPS_KEPT = 50


@dataclass(frozen=True)
class Field:
    """A widget's name, the workload field that it sets, and the widget's units in one SI unit."""

    name: str
    path: str
    scale: float = 1.0


@dataclass(frozen=True)
class Step:
    """A question as it was, to come back to."""

    preset: str
    table: dict[str, Any]
    rank: int


FIELDS = (
    Field("llm", "llm"),
    Field("rate", "traffic.rate_per_s"),
    Field("users", "traffic.concurrency"),
    Field("tokens_in", "traffic.input_tokens"),
    Field("tokens_out", "traffic.output_tokens"),
    Field("ttft", "slo.ttft_p99_s"),
    Field("tpot", "slo.tpot_p99_s", PER_THOUSAND),
    Field("availability", "slo.availability", PERCENT),
    Field("supply", "supply.options"),
    Field("site", "site"),
    Field("horizon", "horizon_years"),
    Field("weights", "limits.weights"),
    Field("kv", "limits.kv"),
    Field("accelerators", "limits.accelerators"),
    Field("max_gpus", "limits.max_gpus_per_replica"),
    Field("prefix_hits", "traffic.prefix_hit_rate", PERCENT),
    Field("discount", "discount_rate", PERCENT),
)
LOADS = ("rate", "users")
# What the number fields can hold, in their own units.
BOUNDS: dict[str, tuple[Any, Any]] = {
    "rate": (1e-6, 1e6),
    "users": (1, 10_000_000),
    "tokens_in": (1, 10_000_000),
    "tokens_out": (1, 10_000_000),
    "ttft": (1e-3, 3600.0),
    "tpot": (0.01, 60_000.0),
    "availability": (0.1, 99.999999),
    "horizon": (0.25, 15.0),
    "discount": (0.0, 99.0),
    "max_gpus": (1, 512),
    "prefix_hits": (0.0, 99.0),
}


# ---- where it comes from


def start(catalog: Catalog) -> None:
    """Fill the session from the link, or from the default; widgets that went away get their values back."""
    state = st.session_state
    if "question" not in state or _went_back():
        _follow_link(catalog)
    if state.setdefault("spoken", language()) != language():
        # Widgets remember what they showed: in another language they are others.
        state["spoken"] = language()
        state["filling"] += 1
    state.setdefault(key("preset"), state["preset"])
    for name, value in _values(state["question"], catalog).items():
        state.setdefault(key(name), value)


def _went_back() -> bool:
    """Whether the browser's own Back or Forward asked for this run: then the address says what to show."""
    context = get_script_run_ctx()
    return context is not None and context.is_history_navigation


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
        st.session_state["unread_link"] = str(error)
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
    values = _values(table, catalog)
    _check_bounds(values)
    _remember()
    _replace(Step(preset, _table(table, values), rank), catalog)


def _replace(step: Step, catalog: Catalog) -> None:
    state = st.session_state
    state["question"], state["preset"], state["rank"] = step.table, step.preset, step.rank
    state["filling"] = state.get("filling", -1) + 1
    for name, value in _values(step.table, catalog).items():
        state[key(name)] = value


def _check_bounds(values: dict[str, Any]) -> None:
    """Refuse what a widget would replace in silence by the nearest that it can hold."""
    for name, (low, high) in BOUNDS.items():
        if values[name] is not None and not low <= values[name] <= high:
            raise WorkloadError(f"{name} {values[name]:g} is outside {low:g} to {high:g}, which the form can hold.")


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
        For numbers that contradict each other.
    """
    table = _table(
        st.session_state["question"], {field.name: value(field.name) for field in (*FIELDS, Field("load", ""))}
    )
    if table != st.session_state["question"]:
        _remember()
        st.session_state["question"], st.session_state["rank"] = table, 1
    return parse_workload(table, where)


def key(name: str) -> str:
    """Key of a widget of the form in its present filling, such as `rate.0`."""
    return f"{name}.{st.session_state['filling']}"


def value(name: str) -> Any:
    """What a widget of the form holds."""
    return st.session_state[key(name)]


def _values(table: dict[str, Any], catalog: Catalog) -> dict[str, Any]:
    """Widget values of a workload table; synonyms become ids."""
    found: dict[str, Any] = {}
    for field in FIELDS:
        value: Any = table
        for part in field.path.split("."):
            value = value.get(part) if value else None
        found[field.name] = round(value * field.scale, 9) if field.scale != 1 and value is not None else value
    found["llm"] = catalog.llm_id(found["llm"])
    found["site"] = catalog.site(found["site"]).id
    found["accelerators"] = [catalog.accelerator_id(name) for name in found["accelerators"]]
    found["horizon"] = float(found["horizon"])
    found["load"] = "rate" if found["rate"] is not None else "users"
    found["rate"] = float(found["rate"] or 5.0)
    found["users"] = found["users"] or 100
    return found


def _table(before: dict[str, Any], values: dict[str, Any]) -> dict[str, Any]:
    """A question's table with the values of all widgets."""
    table = _copy(before)
    for field in FIELDS:
        value = values[field.name]
        if field.name in LOADS and field.name != values["load"]:
            continue
        set_field(table, field.path, round(value / field.scale, 9) if field.scale != 1 else value)
    return table


def _copy(table: dict[str, Any]) -> dict[str, Any]:
    return {name: _copy(value) if isinstance(value, dict) else value for name, value in table.items()}


# ---- where it goes


def write_link(catalog: Catalog) -> None:
    """The question in the address, beside what widgets of the page keep there; the browser's Back returns to it."""
    state, now = st.session_state, st.query_params.to_dict()
    wanted = link.parameters_of(state["preset"], state["question"], language(), state["rank"])
    if not link.says_all(state["preset"], state["question"], wanted):
        wanted = {link.PACKED: packed.pack(shared(catalog, ""))}
    if {name: text for name, text in now.items() if not link.of_a_page(name)} == wanted:
        return
    for name in [name for name in now if not link.of_a_page(name) and name not in wanted]:
        del st.query_params[name]
    st.query_params.update(wanted)


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
