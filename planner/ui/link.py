"""The question in the address of the page: a preset and the fields that differ from it.

`?preset=rag&traffic.rate_per_s=4` asks what `planner plan rag --set traffic.rate_per_s=4` asks. Names with a
hyphen belong to widgets of a page, which Streamlit itself binds to the address and checks.
"""

from __future__ import annotations

from collections.abc import Mapping
from functools import cache
from typing import Any

from planner.errors import UnknownName, WorkloadError
from planner.workloads import DEFAULT, RIVALS, dotted, field_text, field_value, load_workload, presets

PRESET, LANGUAGE, RANK, PACKED = "preset", "lang", "rank", "q"
BESIDE = {PRESET, LANGUAGE, RANK, PACKED}  # say which plan is shown and how, and ask nothing
ONE_QUESTION = "inverse-"
MOST_RANK, MOST_CHARACTERS = 9999, 1500


def question_of(parameters: Mapping[str, str]) -> tuple[str, dict[str, Any]]:
    """Preset and workload table of a link.

    Raises
    ------
    UnknownName, WorkloadError
        For a preset that does not exist, or a field or value that a workload cannot have.
    """
    preset = known_preset(parameters.get(PRESET, DEFAULT))
    fields = {name: field_value(text) for name, text in parameters.items() if asks(name)}
    return preset, load_workload(preset, fields).model_dump(mode="json")


def known_preset(name: str) -> str:
    """A preset's name; a link names no file of the machine that serves it."""
    if name not in presets():
        raise UnknownName("preset", name, presets(), "planner plan --help")
    return name


def asks(name: str) -> bool:
    """Whether a parameter of the address is a field of the question."""
    return name not in BESIDE and not of_a_page(name)


def of_a_page(name: str) -> bool:
    """Whether a parameter of the address is the state of a page's widget."""
    return "-" in name


def of_another_question(name: str, mark: str) -> bool:
    """Whether a parameter was set for one question alone, and that is not the one with this mark."""
    return name.startswith(ONE_QUESTION) and not name.endswith(f".{mark}")


def rank_of(parameters: Mapping[str, str]) -> int:
    """Rank of the plan that a link shows, the best where it names none.

    Raises
    ------
    WorkloadError
        For what is no rank.
    """
    text = parameters.get(RANK, "1")
    if not (text.isascii() and text.isdigit() and len(text) <= 4 and int(text) >= 1):
        raise WorkloadError(
            "{rank} {text!r} is no rank.\n  Ranks are 1 to {most_rank}.", rank=RANK, text=text[:20], most_rank=MOST_RANK
        )
    return int(text)


def parameters_of(preset: str, table: Mapping[str, Any], language: str, rank: int = 1) -> dict[str, str]:
    """Link of a question: only what differs from the preset, so that the usual link is short."""
    before, now = _before(preset), dotted(table)
    changed = {name: value for name, value in now.items() if value is not None and before.get(name) != value}
    head = {PRESET: preset} if preset != DEFAULT else {}
    tail = {LANGUAGE: language} if language != "en" else {}
    shown = {RANK: str(rank)} if rank > 1 else {}
    return {**head, **{name: field_text(value) for name, value in changed.items()}, **shown, **tail}


def says_all(preset: str, table: Mapping[str, Any], parameters: Mapping[str, str]) -> bool:
    """Whether a link is short enough, and leaves out no field that the preset has and the question has not."""
    gone = {name for name, value in _before(preset).items() if value is not None} - {
        name for name, value in dotted(table).items() if value is not None
    }
    return gone <= RIVALS and sum(len(name) + len(text) for name, text in parameters.items()) <= MOST_CHARACTERS


@cache
def _before(preset: str) -> dict[str, Any]:
    return dotted(load_workload(preset).model_dump(mode="json"))
