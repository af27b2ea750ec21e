"""One changed assumption: any field of the workload, its layout, its site, a catalog row or the market's prices.

traffic.rate_per_s=20            a field of the workload
prices.h200=2.1                  the user's own price per accelerator and hour
layout.tp=8                      sizes and precisions that the answer may have
site.electricity_usd_per_kwh=-20%   the site of the workload; sites.ID.FIELD: any
accelerators.h200.tdp_w=600      accelerators, llms, engines, cpus, drives, calibration: ID.FIELD
purchases.h200=+20%              purchase prices by item, or of all
cloud.commitment=-10%            cloud prices of an option, accelerator, provider, region, or all
"""

from __future__ import annotations

import json
import re
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass
from functools import lru_cache
from typing import Any, TypeVar

from pydantic import BaseModel, ValidationError

from planner.catalog import Catalog
from planner.complaints import complaint
from planner.errors import Message, UnknownName, WorkloadError
from planner.schema import Price, Purchase, Workload
from planner.schema.whatif import Applied
from planner.search.offers import OPTION_TERMS
from planner.workloads import changes_only_llm, field_value, parse_workload, set_field, yield_weights

Value = float | str | bool | None
Row = TypeVar("Row", bound=BaseModel)
RELATIVE = re.compile(r"^(?:([+-]\d+(?:\.\d+)?)\s*%|[x×*]\s*(\d+(?:\.\d+)?))$")
LAYOUT = {"weights": "weights", "kv": "kv", "engine": "engines", "tp": "tp", "dp": "dp", "pp": "pp", "ep": "ep"}
ROWS = ("accelerators", "llms", "engines", "cpus", "drives", "sites")
SHARE_NAMES = ("_share", "_efficiency", "_fraction", "_correlation", "headroom")
ALL = "all"
LIKE = Message("such as traffic.rate_per_s=20, prices.h200=2.1 or purchases.h200=+20%")


@dataclass(frozen=True)
class Change:
    """A field and what becomes of it, as written."""

    field: str
    asked: str

    @property
    def factor(self) -> float | None:
        """What a relative change multiplies by; None for a plain value.

        Examples
        --------
        >>> Change("traffic.rate_per_s", "+20%").factor, Change("traffic.rate_per_s", "x2").factor
        (1.2, 2.0)
        """
        found = RELATIVE.match(self.asked.strip())
        if found is None:
            return None
        percent, times = found.groups()
        return 1 + float(percent) / 100 if percent else float(times)

    def of(self, now: Any) -> Any:
        """New value of a field that holds `now`.

        Raises
        ------
        WorkloadError
            For a relative change of something that is no number.
        """
        if self.factor is None:
            return field_value(self.asked)
        if isinstance(now, bool) or not isinstance(now, int | float):
            raise WorkloadError(
                "{field}={asked}: {field} has no number to change{instead}.\n  Give a value instead of a share.",
                field=self.field,
                asked=self.asked,
                instead=Message(", it is {now!r}", now=now) if now not in (None, "", ()) else "",
            )
        return round(now * self.factor) if isinstance(now, int) else now * self.factor


@dataclass(frozen=True)
class Question:
    """A workload against a catalog, both perhaps changed."""

    workload: Workload
    catalog: Catalog


def parse_change(text: str) -> Change:
    """FIELD=VALUE.

    Raises
    ------
    WorkloadError
    """
    field, equals, asked = text.partition("=")
    if not equals or not field.strip() or not asked.strip():
        raise WorkloadError("--set {text}: give FIELD=VALUE, {like}.", text=text, like=LIKE)
    return Change(field.strip(), asked.strip())


def apply(question: Question, changes: Iterable[Change]) -> tuple[Question, tuple[Applied, ...]]:
    """The question with the changes made one after the other; a preset's weights yield to another LLM.

    Raises
    ------
    UnknownName, WorkloadError
        For a field that nothing has, or a value that it cannot hold.
    """
    applied, fields = [], []
    for change in changes:
        question, one = _apply(question, change)
        applied.append(one)
        fields.append(change.field)
    return _yielding(question) if changes_only_llm(fields) else question, tuple(applied)


def _yielding(question: Question) -> Question:
    table = question.workload.model_dump(mode="json")
    if not yield_weights(table, question.catalog):
        return question
    return Question(Workload.model_validate(table), question.catalog)


def _apply(question: Question, change: Change) -> tuple[Question, Applied]:
    kind, _, rest = change.field.partition(".")
    if kind == "layout":
        return _layout(question, change, rest)
    if kind == "cloud":
        return _cloud(question, change, rest)
    if kind == "purchases":
        return _purchase(question, change, rest)
    if kind == "calibration":
        return _calibration(question, change, rest)
    if kind == "site" and rest:
        return _row(question, change, "sites", f"{question.workload.site}.{rest}")
    if kind in ROWS:
        return _row(question, change, kind, rest)
    return _workload(question, change)


def _workload(question: Question, change: Change) -> tuple[Question, Applied]:
    """A field of the workload; synonyms of accelerators in [prices] are one."""
    table = question.workload.model_dump(mode="json")
    now = _at(table, change.field)
    new = change.of(now)
    set_field(table, change.field, new)
    workload = parse_workload(table, f"--set {change.field}={change.asked}")
    return Question(workload, question.catalog), _told(change, now, new)


def _at(table: Mapping[str, Any], field: str) -> Any:
    here: Any = table
    for part in field.split("."):
        here = here.get(part) if isinstance(here, Mapping) else None
    return here


def _layout(question: Question, change: Change, name: str) -> tuple[Question, Applied]:
    if name not in LAYOUT:
        raise UnknownName("field of a layout", name, LAYOUT, Message("planner schema workload (limits)"), change.field)
    if change.factor is not None:
        raise WorkloadError(
            "{field}={asked}: give a size or a precision, not a share.", field=change.field, asked=change.asked
        )
    field = f"limits.{LAYOUT[name]}"
    now = _at(question.workload.model_dump(mode="json"), field)
    table = question.workload.model_dump(mode="json")
    value = field_value(change.asked)
    set_field(table, field, value if isinstance(value, list) else [value])
    workload = parse_workload(table, f"--set {change.field}={change.asked}")
    return Question(workload, question.catalog), _told(change, now, value)


def _row(question: Question, change: Change, kind: str, rest: str) -> tuple[Question, Applied]:
    """A field of a catalog row, or a value of one of its tables, such as peak_flops_per_s.fp8."""
    rows: Mapping[str, BaseModel] = getattr(question.catalog, kind)
    id, field = _row_and_field(question.catalog, kind, rest, rows)
    table = rows[id].model_dump()
    now = _at(table, field)
    if field.split(".")[0] not in table:
        raise UnknownName(
            Message("field of {kind}", kind=kind), field, table, f"planner catalog show {id}", change.field
        )
    new = change.of(now)
    set_field(table, field, new)
    row = _checked(type(rows[id]), {**table, **_provenance(table, now)}, change)
    changed = question.catalog.with_facts(f"{change.field}={change.asked}", **{kind: {**rows, id: row}})
    return Question(question.workload, changed), _told(change, now, new)


def _row_and_field(catalog: Catalog, kind: str, rest: str, rows: Mapping[str, Any]) -> tuple[str, str]:
    """Row and field of ID.FIELD; ids and synonyms may have dots of their own."""
    resolve: dict[str, Callable[[str], str]] = {
        "accelerators": catalog.accelerator_id,
        "llms": catalog.llm_id,
        "engines": catalog.engine_id,
        "cpus": catalog.cpu_id,
    }
    parts = rest.split(".")
    if len(parts) < 2 or not all(parts):
        raise WorkloadError(
            "{kind}.{rest}: give {kind}.ID.FIELD.\n  List the rows: planner catalog ls {kind}", kind=kind, rest=rest
        )
    for cut in range(len(parts) - 1, 0, -1):
        name = ".".join(parts[:cut])
        try:
            id = resolve[kind](name) if kind in resolve else name
        except UnknownName:
            continue
        if id in rows:
            return id, ".".join(parts[cut:])
    raise UnknownName(
        Message("row of {kind}", kind=kind), parts[0], rows, f"planner catalog ls {kind}", f"{kind}.{rest}"
    )


def _calibration(question: Question, change: Change, rest: str) -> tuple[Question, Applied]:
    """A parameter of the models, NAME or NAME/SCOPE."""
    name, _, scope = rest.partition("/")
    row = question.catalog.calibration.get((name, scope))
    if row is None:
        known = {f"{n}/{s}" if s else n for n, s in question.catalog.calibration}
        raise UnknownName("parameter", rest, known, "planner catalog ls calibration", change.field)
    new = change.of(row.value)
    _check_parameter(change, name, row.value, new)
    changed = _checked(
        type(row), {**row.model_dump(), "value": new, **_provenance(row.model_dump(), row.value)}, change
    )
    rows = {**question.catalog.calibration, (name, scope): changed}
    catalog = question.catalog.with_facts(f"{change.field}={change.asked}", calibration=rows)
    return Question(question.workload, catalog), _told(change, row.value, new)


def _check_parameter(change: Change, name: str, now: float, new: Any) -> None:
    """Parameters carry no ranges of their own: what is above zero stays so, shares stay shares."""
    most = 1.0 if name.endswith(SHARE_NAMES) else 1e15
    number = isinstance(new, int | float) and not isinstance(new, bool)
    if not number or not (new > 0 or now <= 0) or not abs(new) <= most:
        raise WorkloadError(
            "--set {field}={asked}: {name} is {now:g}; give a number above 0 and up to {most:g}.",
            field=change.field,
            asked=change.asked,
            name=name,
            now=now,
            most=most,
        )


def _purchase(question: Question, change: Change, item: str) -> tuple[Question, Applied]:
    """Purchase prices of an item: a share moves both ends of what was seen, a value replaces them."""
    catalog = question.catalog
    items = {p.item for p in catalog.purchases}
    id = item if item in items or item == ALL else catalog.accelerator_id(item, change.field)
    chosen = [p for p in catalog.purchases if item == ALL or p.item == id]
    if not chosen:
        raise WorkloadError(
            "{field}={asked}: {id} has no sourced purchase price to change.\n"
            "  Give a rent, prices.{id}=USD per hour; sourced ones: planner catalog ls purchases",
            field=change.field,
            asked=change.asked,
            id=id,
        )
    if change.factor is None and len(chosen) > 1:
        raise WorkloadError(
            "{field}={asked}: names {count} prices.\n  Give a share, such as +20%.",
            field=change.field,
            asked=change.asked,
            count=len(chosen),
        )

    def moved(row: Purchase) -> Purchase:
        ends = {f: change.of(getattr(row, f)) for f in ("price_usd_low", "price_usd_high")}
        middle = (row.price_usd_low + row.price_usd_high) / 2
        return _checked(Purchase, {**row.model_dump(), **ends, **_provenance(row.model_dump(), middle)}, change)

    rows = tuple(moved(p) if p in chosen else p for p in catalog.purchases)
    now = (chosen[0].price_usd_low + chosen[0].price_usd_high) / 2 if len(chosen) == 1 else None
    new = change.of(now) if now is not None else None
    changed = catalog.with_facts(f"{change.field}={change.asked}", purchases=rows)
    return Question(question.workload, changed), _told(change, now, new)


def _cloud(question: Question, change: Change, name: str) -> tuple[Question, Applied]:
    """Cloud prices of an option, accelerator, provider, region, or all, by a share."""
    if change.factor is None:
        raise WorkloadError(
            "{field}={asked}: cloud prices change by a share, such as +20%.\n"
            "  Your own price of an accelerator and hour: --set prices.{name}={asked}",
            field=change.field,
            asked=change.asked,
            name=name,
        )
    return Question(question.workload, _repriced(question.catalog, change, name)), _told(change, 1.0, change.factor)


@lru_cache(maxsize=16)
def _repriced(catalog: Catalog, change: Change, name: str) -> Catalog:
    """The catalogs with the cloud prices of an option, accelerator, provider, region, or all, moved by a share."""
    concerns, factor = _concerned(catalog, name, change.field), change.factor
    assert factor is not None

    def moved(row: Price) -> dict[str, float | None]:
        per_gpu = row.price_usd_per_gpu_hour
        return {
            "price_usd_per_hour": row.price_usd_per_hour * factor,
            "price_usd_per_gpu_hour": None if per_gpu is None else per_gpu * factor,
        }

    for end in _ends([p for p in catalog.prices if concerns(p)]):  # what these may be, those between may be
        _checked(Price, {**end.model_dump(), **moved(end)}, change)
    rows = tuple(p.model_copy(update=moved(p)) if concerns(p) else p for p in catalog.prices)
    return catalog.with_facts(f"{change.field}={change.asked}", prices=rows)


def _ends(prices: list[Price]) -> list[Price]:
    """The lowest price of an accelerator and the highest of a unit, if there is one."""
    low = sorted(prices, key=lambda row: row.price_usd_per_gpu_hour or row.price_usd_per_hour)
    return low[:1] + sorted(prices, key=lambda row: row.price_usd_per_hour)[-1:]


def _concerned(catalog: Catalog, name: str, where: str) -> Callable[[Price], bool]:
    """Which prices a name stands for."""
    if name == ALL:
        return lambda price: True
    options: dict[str, tuple[str, ...]] = {str(option): terms for option, terms in OPTION_TERMS.items()}
    if name in options:
        return lambda price: price.term in options[name]
    if name in {p.provider for p in catalog.prices} | {p.region for p in catalog.prices if p.region}:
        return lambda price: name in (price.provider, price.region)
    id = catalog.accelerator_id(name, where)
    shapes = {(i.provider, i.instance_type) for i in catalog.instances if i.accelerator == id}
    return lambda price: (price.provider, price.instance_type) in shapes


def _checked(model: type[Row], table: dict[str, Any], change: Change) -> Row:
    try:
        return model.model_validate(table)
    except ValidationError as error:
        first = error.errors()[0]
        raise WorkloadError(
            "--set {field}={asked}: {msg}.\n  Columns, units and ranges: catalogs/README.md",
            field=change.field,
            asked=change.asked,
            msg=complaint(first),
        ) from None


def _provenance(table: Mapping[str, Any], now: Any) -> dict[str, str]:
    """An assumption does not borrow the source of the figure that it replaces."""
    told = f"{now:,.6g}" if isinstance(now, float | int) else str(now)
    return {"source": f"assumed in this what-if; before: {told}, {table['source']}"}


def _told(change: Change, now: Any, new: Any) -> Applied:
    def plain(value: Any) -> Value:
        if isinstance(value, list | tuple):
            return ", ".join(map(str, value)) or None
        if isinstance(value, Mapping):
            return json.dumps(value)
        return value if isinstance(value, float | str | bool) or value is None else float(value)

    return Applied(field=change.field, asked=change.asked, before=plain(now), after=plain(new))
