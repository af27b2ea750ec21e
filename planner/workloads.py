"""Workloads from files, presets and command-line options."""

from __future__ import annotations

import difflib
import json
import tomllib
from collections.abc import Iterable, Mapping
from functools import cache
from pathlib import Path
from typing import Any

from pydantic import BaseModel, ValidationError

from planner.assets import catalogs_dir
from planner.catalog import Catalog, load_catalog
from planner.complaints import complaint
from planner.encoding import decoded
from planner.errors import Joined, Message, Told, UnknownName, WorkloadError
from planner.models.precision import made_from
from planner.schema import Workload

MAX_FILE_BYTES = 1_000_000
DEFAULT = "default"
NAMED_TABLES = {"prices", "unit_prices", "commitment_discounts"}  # tables whose keys are names, not fields
RIVALS = {"traffic.rate_per_s", "traffic.concurrency"}  # setting one unsets the other
WEIGHTS = {"limits", "limits.weights", "layout.weights"}  # changes that state the weights' precision


def presets() -> dict[str, Path]:
    """Workloads that ship with the planner, by name, the default first."""
    files = {p.stem: p for p in sorted((catalogs_dir() / "workloads").glob("*.toml"))}
    return {DEFAULT: files.pop(DEFAULT), **files}


def load_workload(name: str = DEFAULT, changes: Mapping[str, Any] | None = None) -> Workload:
    """Read a preset or a TOML file, with some dotted fields replaced; a preset's weights yield to another LLM.

    Parameters
    ----------
    name : a preset's name or a path.
    changes : new values by dotted field, such as {"traffic.rate_per_s": 20}.

    Raises
    ------
    UnknownName, WorkloadError
        If there is no such file or preset, or it is not a workload.
    """
    path = _find(name)
    table = _read(path)
    for field, value in (changes or {}).items():
        set_field(table, field, value)
    if name in presets() and changes_only_llm(changes or ()):
        yield_weights(table, load_catalog())
    return parse_workload(table, Message("{file} with your options", file=path.name) if changes else path.name)


def parse_workload(table: Mapping[str, Any], where: str | Told) -> Workload:
    """Check a parsed table against the schema.

    Raises
    ------
    WorkloadError
        Naming file, field, value and what is allowed.
    """
    try:
        return Workload.model_validate(table)
    except ValidationError as error:
        raise WorkloadError(Joined(*(_complaint(where, one) for one in _innermost(error)[:5]))) from None


def set_field(table: dict[str, Any], field: str, value: Any) -> None:
    """Set a dotted field of a nested table; a rate replaces a concurrency and the other way round.

    Raises
    ------
    WorkloadError
        If a part on the way is no table.
    """
    *way, last = field.split(".")
    here = table
    for part in way:
        here = here.setdefault(part, {})
        if not isinstance(here, dict):
            raise WorkloadError(
                "{field}: {part} is a value and has no fields.\n  See: planner schema workload", field=field, part=part
            )
    rivals = {"rate_per_s": "concurrency", "concurrency": "rate_per_s"}
    if way == ["traffic"] and last in rivals:
        here.pop(rivals[last], None)
    here[last] = value


def changes_only_llm(fields: Iterable[str]) -> bool:
    """Whether these changes choose an LLM without saying in which precision."""
    return "llm" in set(fields) and not WEIGHTS & set(fields)


def yield_weights(table: dict[str, Any], catalog: Catalog) -> bool:
    """Drop a preset's precisions that its changed LLM cannot be served in; its published one then counts."""
    limits, llm = table.get("limits") or {}, table["llm"]
    weights = tuple(limits.get("weights") or ())
    try:
        published = catalog.llms[catalog.llm_id(str(llm))].weights
    except UnknownName:  # told where the LLM is looked up
        return False
    if weights not in _preset_weights() or set(weights) <= set(made_from(published)):
        return False
    limits["weights"] = []
    return True


@cache
def _preset_weights() -> set[tuple[str, ...]]:
    tables = [_read(path) for path in presets().values()]
    return {tuple(table.get("limits", {}).get("weights", ())) for table in tables}


def field_value(text: str) -> Any:
    """Value of a field as written in an option or a link: JSON where it is, else the text itself.

    Examples
    --------
    >>> field_value("2.5"), field_value('["own"]'), field_value("deepseek-r1")
    (2.5, ['own'], 'deepseek-r1')
    """
    try:
        return json.loads(text)
    except (ValueError, RecursionError):  # a number of thousands of digits is a ValueError too
        return text


def field_text(value: Any) -> str:
    """A field's value as `field_value` reads it back: words as they are, unless they would be read as something else.

    Examples
    --------
    >>> field_text("deepseek-r1"), field_text("2.5"), field_text(4.0), field_text(["own"])
    ('deepseek-r1', '"2.5"', '4', '["own"]')
    """
    if isinstance(value, str) and field_value(value) == value:
        return value
    if isinstance(value, float) and value.is_integer():
        value = int(value)
    return json.dumps(value, separators=(",", ":"), ensure_ascii=False)


def dotted(table: Mapping[str, Any], prefix: str = "") -> dict[str, Any]:
    """Dotted names of all values of a workload's table; tables whose keys are names, not fields, stay whole."""
    found: dict[str, Any] = {}
    for name, value in table.items():
        if isinstance(value, Mapping) and name not in NAMED_TABLES:
            found |= dotted(value, f"{prefix}{name}.")
        else:
            found[f"{prefix}{name}"] = value
    return found


def _find(name: str) -> Path:
    known = presets()
    if name in known:
        return known[name]
    path = Path(name)
    if not path.is_file():
        if path.suffix == ".toml" or path.parent != Path():
            raise WorkloadError(
                "no workload file {name!r}.\n  Give a TOML file or a preset: {known}.",
                name=name,
                known=", ".join(known),
            )
        raise UnknownName("workload", name, known, Message("planner plan --help (presets), or give a TOML file"))
    return path


def _read(path: Path) -> dict[str, Any]:
    try:
        if path.stat().st_size > MAX_FILE_BYTES:
            raise WorkloadError(
                "{file} is larger than {max_file_bytes:,} bytes: not a workload file.",
                file=path.name,
                max_file_bytes=MAX_FILE_BYTES,
            )
        return tomllib.loads(decoded(path.read_bytes()))
    except tomllib.TOMLDecodeError as error:
        raise WorkloadError(
            "{file} is not valid TOML: {error}.\n  See the presets for the form.", file=path.name, error=error
        ) from None
    except (OSError, UnicodeDecodeError, RecursionError) as error:
        raise WorkloadError("cannot read {file}: {error}.", file=path.name, error=error) from None


def _innermost(error: ValidationError) -> list[Any]:
    """Errors less those of a list or table that only repeat what is wrong within it."""
    found = error.errors()
    inside = {one["loc"][:n] for one in found for n in range(len(one["loc"]))}
    return [one for one in found if one["loc"] not in inside]


def _complaint(where: str | Told, error: Mapping[str, Any]) -> Told:
    field = ".".join(str(part) for part in error["loc"]) or "workload"
    value = "" if error["type"] == "missing" or isinstance(error["input"], dict) else f" = {str(error['input'])[:60]!r}"
    if error["type"] == "extra_forbidden":
        near = difflib.get_close_matches(field, _field_names(Workload), n=3, cutoff=0.6)
        return Message(
            "{where}: {field}{value}: no such field.{hint}\n  Fields, units and ranges: planner schema workload",
            where=where,
            field=field,
            value=value,
            hint=Message(" Nearest: {names}.", names=", ".join(repr(name) for name in near)) if near else "",
        )
    return Message(
        "{where}: {field}{value}: {msg}.\n  Fields, units and ranges: planner schema workload",
        where=where,
        field=field,
        value=value,
        msg=complaint(error),
    )


def _field_names(model: type[BaseModel], prefix: str = "") -> list[str]:
    """Dotted names of all fields, sections included."""
    found = []
    for name, field in model.model_fields.items():
        found.append(f"{prefix}{name}")
        kind = field.annotation
        if isinstance(kind, type) and issubclass(kind, BaseModel):
            found += _field_names(kind, f"{prefix}{name}.")
    return found
