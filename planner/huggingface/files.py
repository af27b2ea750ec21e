"""Reading a config.json from disk, spelling a catalog row as TOML."""

from __future__ import annotations

import json
import re
from pathlib import Path

from pydantic import TypeAdapter, ValidationError

from planner.encoding import decoded
from planner.errors import CatalogError, Message
from planner.schema.base import Id, Sourced
from planner.schema.facts import Llm

MAX_CONFIG_BYTES = 5_000_000


def read_config(path: str | Path) -> dict[str, object]:
    """Read a config.json of at most 5 MB.

    Raises
    ------
    CatalogError
        If the file is missing, too large, not JSON or not an object.
    """
    where = Path(path)
    try:
        with where.open("rb") as file:
            raw = file.read(MAX_CONFIG_BYTES + 1)
    except (OSError, ValueError) as error:
        raise CatalogError(
            "cannot read {where}: {error}.\n  Give a model's config.json.", where=where, error=error
        ) from error
    if len(raw) > MAX_CONFIG_BYTES:
        raise CatalogError("{where} is larger than 5 MB; a model's config.json has a few kB.", where=where)
    try:
        found: object = json.loads(decoded(raw))
    except (ValueError, RecursionError) as error:
        raise CatalogError(
            "{where} is not JSON: {error}.\n  Give a model's config.json.", where=where, error=error
        ) from error
    if not isinstance(found, dict):
        raise CatalogError("{where} holds a JSON {kind}; allowed: an object.", where=where, kind=type(found).__name__)
    return found


def llm_to_toml(id: str, llm: Llm) -> str:
    """Spell a row as catalogs/llms.toml has it: defaults left out, tables inline, provenance last.

    Raises
    ------
    CatalogError
        If `id` is not an identifier.
    """
    try:
        TypeAdapter(Id).validate_python(id)
    except ValidationError as error:
        allowed = Message("lower-case letters, digits, '.', '+' and '-', at most 64, a letter or digit first")
        raise CatalogError("{id!r} is not an id; allowed: {allowed}.", id=id, allowed=allowed) from error
    provenance = list(Sourced.model_fields)
    columns = [name for name in Llm.model_fields if name not in provenance] + provenance
    values = llm.model_dump(exclude_defaults=True)
    lines = [f"{name} = {_toml(values[name])}" for name in columns if name in values]
    header = id if re.fullmatch(r"[a-z0-9-]+", id) else f'"{id}"'
    return "\n".join([f"[{header}]", *lines]) + "\n"


def _toml(value: object) -> str:
    if isinstance(value, bool):
        return str(value).lower()
    if isinstance(value, int):
        return f"{value:_}" if abs(value) >= 10_000 else str(value)
    if isinstance(value, str):
        return json.dumps(value, ensure_ascii=False).replace("\x7f", "\\u007f")
    if isinstance(value, dict):
        return "{ " + ", ".join(f"{key} = {_toml(item)}" for key, item in value.items()) + " }"
    if isinstance(value, list | tuple):
        return "[" + ", ".join(_toml(item) for item in value) + "]"
    return repr(value)


def llm_slug(name: str) -> str:
    """An id from any name: lower case, hyphens.

    Examples
    --------
    >>> llm_slug("Qwen/Qwen3_Next 80B")
    'qwen-qwen3-next-80b'
    """
    return re.sub(r"[^a-z0-9.]+", "-", name.lower()).strip("-.")[:64] or "imported"
