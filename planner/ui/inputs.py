"""The question as one row of widgets: widgets -> table -> Workload. Percent and ms exist only here.

The table of the question lives in the session, so pages share it and fields without a widget survive.
Each widget has a key and takes its value from there; a preset or a link overwrites the keys. The keys of a
new filling are new, too: the browser keeps, and sends, what a widget in a closed popover held before.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import streamlit as st

from planner.catalog import Catalog
from planner.errors import PlannerError, WorkloadError
from planner.report.words import preset_words, supply_words
from planner.schema import Workload
from planner.traces import is_shipped
from planner.ui import link
from planner.ui.session import Translate, language
from planner.workloads import load_workload, parse_workload, presets, set_field

WEIGHTS = ("bf16", "fp8", "int8", "int4", "nvfp4", "mxfp4")
CACHES = ("bf16", "fp8")
PERCENT, PER_THOUSAND = 100.0, 1000.0


@dataclass(frozen=True)
class Field:
    """A widget's name, the workload field that it sets, and the widget's units in one SI unit."""

    name: str
    path: str
    scale: float = 1.0


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


def ask(catalog: Catalog, _: Translate) -> Workload:
    """Show the question, keep it in the session and in the link, and return it checked.

    Raises
    ------
    WorkloadError
        For numbers that contradict each other.
    """
    _start(catalog)
    _row(catalog, _)
    if message := st.session_state.pop("unread_link", ""):
        st.error(_("The link cannot be read, so this is the default question."), icon=":material/link_off:")
        st.code(message, language=None, wrap_lines=True)
    table = _table()
    st.session_state["question"] = table
    workload = parse_workload(table, _("the form"))
    _refuse_files(workload, catalog)
    _write_link(table)
    return workload


def _refuse_files(workload: Workload, catalog: Catalog) -> None:
    """A link may name what the catalogs hold, and no file of the machine that serves this page."""
    traffic = workload.traffic
    for field in ("trace", "profile", "lengths"):
        name = getattr(traffic, field)
        if name is not None and name not in ("recorded", "scaled") and not is_shipped(name, catalog):
            raise WorkloadError(
                f"traffic.{field} {name!r} is not in the catalogs.\n  Upload a file on the page Traffic."
            )


def on_page(name: str) -> None:
    """Say which page is shown: widgets of the same keys on another page start empty, so that theirs are new."""
    if st.session_state.setdefault("on_page", name) != name:
        st.session_state["on_page"] = name
        st.session_state["filling"] = st.session_state.get("filling", -1) + 1


def choose_preset(catalog: Catalog, _: Translate) -> None:
    """List of ready questions; choosing one fills the form."""
    _start(catalog)
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


def open_question(workload: Workload, catalog: Catalog) -> None:
    """Put a saved question in place of the one at hand."""
    _start(catalog)
    _fill(workload.model_dump(mode="json"), catalog)


def offer_undo(catalog: Catalog, _: Translate) -> None:
    """A way back to the preset as it was, once something differs from it."""
    if set(st.query_params) - {link.PRESET, link.LANGUAGE}:
        st.button(_("Undo my changes"), on_click=_load_preset, args=(catalog,), icon=":material/undo:", type="tertiary")


def _start(catalog: Catalog) -> None:
    """Fill the session from the link, or from the default; widgets that went away get their values back."""
    if "question" not in st.session_state:
        try:
            preset, table = link.question_of(st.query_params.to_dict())
            _fill(table, catalog)
        except PlannerError as error:
            st.session_state["unread_link"] = str(error)
            preset, table = link.question_of({})
            _fill(table, catalog)
        st.session_state["preset"] = preset
    if st.session_state.setdefault("spoken", language()) != language():
        # Widgets remember what they showed: in another language they are others.
        st.session_state["spoken"] = language()
        st.session_state["filling"] += 1
    st.session_state.setdefault(key("preset"), st.session_state["preset"])
    for name, value in _values(st.session_state["question"], catalog).items():
        st.session_state.setdefault(key(name), value)


def _choose_preset(catalog: Catalog, widget: str) -> None:
    st.session_state["preset"] = st.session_state[widget]
    _load_preset(catalog)


def _load_preset(catalog: Catalog) -> None:
    _fill(load_workload(st.session_state["preset"]).model_dump(mode="json"), catalog)


def _fill(table: dict[str, Any], catalog: Catalog) -> None:
    """Give every widget the value of a table; nothing changes if a name in it is unknown."""
    values = _values(table, catalog)
    _check_bounds(values)
    st.session_state["question"] = table
    st.session_state["filling"] = st.session_state.get("filling", -1) + 1
    for name, value in values.items():
        st.session_state[key(name)] = value


def _check_bounds(values: dict[str, Any]) -> None:
    """Refuse what a widget would replace in silence by the nearest that it can hold."""
    for name, (low, high) in BOUNDS.items():
        if values[name] is not None and not low <= values[name] <= high:
            raise WorkloadError(f"{name} {values[name]:g} is outside {low:g} to {high:g}, which the form can hold.")


def key(name: str) -> str:
    """Key of a widget of the form in its present filling, such as `rate.0`."""
    return f"{name}.{st.session_state['filling']}"


def _value(name: str) -> Any:
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


def _table() -> dict[str, Any]:
    """The question's table with the values of all widgets."""
    table = _copy(st.session_state["question"])
    for field in FIELDS:
        value = _value(field.name)
        if field.name in LOADS and field.name != _value("load"):
            continue
        set_field(table, field.path, round(value / field.scale, 9) if field.scale != 1 else value)
    return table


def _copy(table: dict[str, Any]) -> dict[str, Any]:
    return {name: _copy(value) if isinstance(value, dict) else value for name, value in table.items()}


def _write_link(table: dict[str, Any]) -> None:
    wanted = link.parameters_of(st.session_state["preset"], table, language())
    if st.query_params.to_dict() != wanted:
        st.query_params.from_dict(wanted)


# ---- widgets


def _row(catalog: Catalog, _: Translate) -> None:
    """Everything that people change often, in one line of a laptop's width."""
    with st.container(horizontal=True, vertical_alignment="bottom", gap="xsmall", key="question-row"):
        _llm(catalog, _)
        if _value("load") == "rate":
            _number(_("Requests/s"), "rate", 1.0, "%g", width=88)
        else:
            _number(_("Users at once"), "users", 1, "%d", width=96)
        _number(_("Tokens in"), "tokens_in", 100, "%d", width=84)
        _number(_("Tokens out"), "tokens_out", 100, "%d", width=84)
        _number(_("P99 TTFT, s"), "ttft", 0.1, "%g", width=88)
        _number(_("P99 TPOT, ms"), "tpot", 1.0, "%g", width=98)
        _number(_("Available, %"), "availability", 0.01, "%g", width=88)
        _supply(_)
        _site(catalog, _)
        _more(catalog, _)


def _number(label: str, name: str, step: Any, format: str, **options: Any) -> None:
    low, high = BOUNDS[name]
    st.number_input(label, min_value=low, max_value=high, step=step, format=format, key=key(name), **options)


def _llm(catalog: Catalog, _: Translate) -> None:
    names = {id: row.name for id, row in catalog.llms.items()}
    st.selectbox(_("LLM"), list(names), format_func=names.__getitem__, key=key("llm"), width=168)


def _supply(_: Translate) -> None:
    words = supply_words(_)
    chosen = [words[option] for option in words if option in _value("supply")]
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
    horizon = f"{_value('horizon'):g}"
    with st.popover(_("{site}, {years} y").format(site=_value("site"), years=horizon)):
        st.selectbox(_("Where owned hardware stands"), list(names), format_func=names.__getitem__, key=key("site"))
        _number(_("Years over which a purchase is recovered"), "horizon", 0.5, "%g")
        _number(_("Yearly cost of capital, %"), "discount", 0.5, "%g")


def _more(catalog: Catalog, _: Translate) -> None:
    names = {id: row.name for id, row in catalog.accelerators.items()}
    loads = {"rate": _("requests per second"), "users": _("users at once")}
    upper: Callable[[str], str] = str.upper
    with st.popover(_("More…")):
        st.segmented_control(_("Load given as"), LOADS, format_func=loads.__getitem__, key=key("load"), required=True)
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
        _number(_("Most accelerators per replica"), "max_gpus", 1, "%d")
        _number(_("Prompt tokens found in the prefix cache, %"), "prefix_hits", 5.0, "%g")
