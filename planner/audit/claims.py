"""Files of claims: read, refused claim by claim, and a template for a quote."""

from __future__ import annotations

import tomllib
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from pydantic import TypeAdapter, ValidationError

from planner.assets import catalogs_dir
from planner.complaints import complaint
from planner.encoding import decoded
from planner.errors import Joined, Message, Told, WorkloadError
from planner.schema import Claim, ClaimsFile

MAX_BYTES = 1_000_000
ARTICLE = "article"
_CLAIM: TypeAdapter[Claim] = TypeAdapter(Claim)


@dataclass(frozen=True)
class Claims:
    """Claims of one file, and those that cannot be read."""

    title: str
    source: str
    claims: tuple[Claim, ...]
    refused: tuple[tuple[str, Told], ...]  # id, and why
    folder: Path | None = None
    title_zh: str = ""
    source_zh: str = ""


def shipped() -> dict[str, Path]:
    """Files of claims that ship with the planner, by name."""
    return {path.stem: path for path in sorted((catalogs_dir() / "claims").glob("*.toml"))}


def template() -> str:
    """A file of claims to start a quote from."""
    return (catalogs_dir() / "claims" / "template.toml.txt").read_text(encoding="utf-8")


def read_claims(name: str | Path) -> Claims:
    """Claims of a file, or of one that ships.

    Raises
    ------
    WorkloadError
        If there is no such file, or it is no file of claims at all; single claims are refused one by one.
    """
    path = Path(name)
    if not path.is_file():
        known = shipped()
        if str(name) not in known:
            raise WorkloadError(
                "no file {name!r}, and no claims of that name ship ({known} does).\n"
                "  Start one of your own: planner audit --template > quote.toml",
                name=str(name),
                known=", ".join(known),
            )
        path = known[str(name)]
    return parse_claims(_table(path), path.name, path.parent)


def _table(path: Path) -> dict[str, Any]:
    try:
        if path.stat().st_size > MAX_BYTES:
            raise WorkloadError("{file} is larger than {max_bytes:,} bytes.", file=path.name, max_bytes=MAX_BYTES)
        return tomllib.loads(decoded(path.read_bytes()))
    except (OSError, UnicodeDecodeError, tomllib.TOMLDecodeError, RecursionError) as error:
        raise WorkloadError(
            "cannot read {file}: {error}.\n  Start from: planner audit --template", file=path.name, error=error
        ) from None


def parse_claims(table: dict[str, Any], where: str, folder: Path | None = None) -> Claims:
    """A parsed file, claim by claim.

    Raises
    ------
    WorkloadError
        If it has no title or no claims.
    """
    try:
        file = ClaimsFile.model_validate(table)
    except ValidationError as error:
        first = error.errors()[0]
        place = ".".join(str(part) for part in first["loc"])
        raise WorkloadError(
            "{where}, {place}: {msg}.\n  Start from: planner audit --template",
            where=where,
            place=place,
            msg=complaint(first),
        ) from None
    claims: list[Claim] = []
    refused: list[tuple[str, Told]] = []
    seen: set[str] = set()
    for position, row in enumerate(file.claims, 1):
        id = str(row.get("id", f"claim {position}"))[:40]
        try:
            if id in seen:
                raise WorkloadError("the id stands more than once; its first claim is the one that counts")
            claims.append(_CLAIM.validate_python(row))
        except ValidationError as error:
            refused.append((id, _missing(error)))
        except WorkloadError as error:
            refused.append((id, error))
        seen.add(id)
    return Claims(file.title, file.source, tuple(claims), tuple(refused), folder, file.title_zh, file.source_zh)


def _missing(error: ValidationError) -> Told:
    """What is missing or wrong, field by field."""
    found: list[Told] = []
    for one in error.errors()[:4]:
        place = ".".join(str(part) for part in one["loc"][1:] or one["loc"])
        found.append(Message("{place}: {msg}", place=place, msg=complaint(one)) if place else complaint(one))
    return Joined(*found, between="; ")
