"""Saved scenarios: named changes in a TOML file, to be compared side by side."""

from __future__ import annotations

import json
import tomllib
from collections.abc import Sequence
from pathlib import Path
from typing import Annotated, Any

from pydantic import Field, StringConstraints, ValidationError

from planner.complaints import complaint
from planner.encoding import decoded
from planner.errors import Message, OutputError, WorkloadError
from planner.schema import Strict
from planner.search.change import Change, Question
from planner.workloads import MAX_FILE_BYTES, load_workload, parse_workload, presets

SetValue = float | int | str | bool | list[str] | list[int]


class Scenario(Strict):
    """A scenario file: a name, perhaps the workload that it starts from, and the changes."""

    name: Annotated[str, StringConstraints(min_length=1, max_length=80)] = Field(description="title for people")
    workload: str = Field("", description="preset or file that it starts from; empty: the command's")
    set: dict[str, SetValue] = Field(min_length=1, max_length=50, description="new values by field, or shares: '+20%'")

    @property
    def changes(self) -> tuple[Change, ...]:
        """The changes in the order of the file."""
        return tuple(Change(field, v if isinstance(v, str) else json.dumps(v)) for field, v in self.set.items())


def read_scenario(path: Path, base: Question) -> tuple[str, Question, tuple[Change, ...]]:
    """Name, question and changes of a scenario file; a workload file is a scenario without changes.

    Raises
    ------
    WorkloadError
        Naming file, field, value and what is allowed.
    """
    return _parsed(_table(path), path.name, base)


def uploaded_scenario(content: bytes, name: str, base: Question) -> tuple[str, Question, tuple[Change, ...]]:
    """The same of bytes that a visitor sent, who may name presets and no files of the server.

    Raises
    ------
    WorkloadError
        Naming file, field, value and what is allowed.
    """
    if len(content) > MAX_FILE_BYTES:
        raise WorkloadError(
            "{file} is larger than {max_file_bytes:,} bytes: not a scenario file.",
            file=name,
            max_file_bytes=MAX_FILE_BYTES,
        )
    try:
        table = tomllib.loads(decoded(content))
    except (tomllib.TOMLDecodeError, ValueError, RecursionError) as error:
        raise WorkloadError("{file} is not valid TOML: {error}.", file=name, error=error) from None
    start = table.get("workload", "")
    if start and start not in presets():
        raise WorkloadError(
            "{name}: workload {start!r}: give one of {allowed}, or none.",
            name=name,
            start=str(start)[:60],
            allowed=", ".join(presets()),
        )
    return _parsed(table, name, base)


def _parsed(table: dict[str, Any], file: str, base: Question) -> tuple[str, Question, tuple[Change, ...]]:
    if "set" not in table and "llm" in table:
        workload = parse_workload(table, file)
        return workload.name or Path(file).stem, Question(workload, base.catalog), ()
    try:
        scenario = Scenario.model_validate(table)
    except ValidationError as error:
        first = error.errors()[0]
        field = ".".join(map(str, first["loc"])) or Message("the file")
        raise WorkloadError(
            "{file}: {field}: {msg}.\n"
            '  A scenario has name = "…" and a table [set] of "field" = value; planner whatif --save '
            "FILE writes one.",
            file=file,
            field=field,
            msg=complaint(first),
        ) from None
    start = Question(load_workload(scenario.workload), base.catalog) if scenario.workload else base
    return scenario.name, start, scenario.changes


def _table(path: Path) -> dict[str, Any]:
    try:
        if path.stat().st_size > MAX_FILE_BYTES:
            raise WorkloadError(
                "{file} is larger than {max_file_bytes:,} bytes: not a scenario file.",
                file=path.name,
                max_file_bytes=MAX_FILE_BYTES,
            )
        return tomllib.loads(decoded(path.read_bytes()))
    except tomllib.TOMLDecodeError as error:
        raise WorkloadError("{file} is not valid TOML: {error}.", file=path.name, error=error) from None
    except (OSError, ValueError) as error:
        raise WorkloadError("cannot read scenario {path}: {error}.", path=path, error=error) from None


def scenario_text(name: str, changes: Sequence[Change]) -> str:
    """Changes as a scenario file."""
    lines = [f"name = {json.dumps(name, ensure_ascii=False)}", "", "[set]"]
    lines += [f"{json.dumps(c.field)} = {json.dumps(c.asked, ensure_ascii=False)}" for c in changes]
    return "\n".join(lines) + "\n"


def write_scenario(path: Path, name: str, changes: Sequence[Change], force: bool = False) -> None:
    """Write changes as a scenario file; beside, then renamed.

    Raises
    ------
    OutputError
        If the file is there already and `force` is not set, or cannot be written.
    """
    if path.exists() and not force:
        raise OutputError("{path} exists.\n  Choose another --save, or replace it with --force.", path=path)
    beside = path.with_name(f".{path.name}.new")
    try:
        beside.write_text(scenario_text(name, changes), encoding="utf-8")
        beside.replace(path)
    except OSError as error:
        raise OutputError("cannot write {path}: {reason}.", path=path, reason=error) from None
    finally:
        if beside.exists():
            beside.unlink()
