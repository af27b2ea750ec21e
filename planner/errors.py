"""Every expected failure of the planner.

    PlannerError                      the command prints the message and exits 1
    |-- UnknownName                   a name that no catalog row has
    |-- CatalogError                  a catalog file that breaks its own rules
    |-- MissingFact                   a blank that a model needs
    |   `-- NoSpotPrice               an accelerator that no cloud is known to sell on Spot
    |-- WorkloadError                 a question that contradicts itself or cannot be read
    |   `-- TooSmall                a set-up whose memory does not hold the LLM
    |-- NoPlan                        a good question without an answer; carries the rejections
    `-- OutputError                   a file that cannot be written

A message says what was asked, what is allowed and what to do next. It is an English template with what fills it, so
that whoever shows it can tell it in the reader's language.
"""

from __future__ import annotations

import copyreg
import difflib
from collections.abc import Callable, Iterable, Sequence
from typing import Any, Protocol, runtime_checkable

Translate = Callable[[str], str]


@runtime_checkable
class Told(Protocol):
    """Text for a person that does not know his language yet; `str` of it is English."""

    def told(self, _: Translate) -> str:
        """The text, in the language of `_`."""
        ...


class Message:
    """An English template, a literal that `make messages` finds, and the values that fill it.

    Parameters
    ----------
    template : text with fields as in `str.format`
    values : of its fields; those that are `Told` are told in the same language

    Examples
    --------
    >>> why = Message("{n} is no {kind}", n=7, kind=Message("power of two"))
    >>> str(why), why.told({"{n} is no {kind}": "{n} 不是{kind}", "power of two": "2 的幂"}.get)
    ('7 is no power of two', '7 不是2 的幂')
    """

    def __init__(self, template: str, /, **values: object):
        self.template, self.values = template, values

    def told(self, _: Translate) -> str:
        """The text, in the language of `_`."""
        return _(self.template).format(**{name: text_of(value, _) for name, value in self.values.items()})

    def __str__(self) -> str:
        return self.told(str)


class Joined:
    """Several texts, with something between: a line each where nothing else is said."""

    def __init__(self, *parts: object, between: str = "\n"):
        self.parts, self.between = parts, between

    def told(self, _: Translate) -> str:
        """The text, in the language of `_`."""
        return self.between.join(str(text_of(part, _)) for part in self.parts)

    def __str__(self) -> str:
        return self.told(str)


# What an operating system says most, for `make messages`; anything else it says stays as it is.
_SYSTEM = (
    Message("No such file or directory"),
    Message("Permission denied"),
    Message("Is a directory"),
    Message("Not a directory"),
    Message("File name too long"),
    Message("No space left on device"),
    Message("Read-only file system"),
)


def text_of(value: object, _: Translate) -> object:
    """What is told in the language of `_`, an error of the system without its number; anything else as it is."""
    if isinstance(value, OSError) and value.strerror:
        return _(value.strerror)
    return value.told(_) if isinstance(value, Told) else value


class Telling(Exception):
    """An exception whose message is told in the reader's language.

    Parameters
    ----------
    message : an English template, or a text that is told
    values : of the template's fields
    """

    def __init__(self, message: str | Told, /, **values: object):
        self.message = Message(message, **values) if isinstance(message, str) else message
        super().__init__(self.message)

    def told(self, _: Translate) -> str:
        """The message, in the language of `_`."""
        return self.message.told(_)

    def __str__(self) -> str:
        return self.told(str)

    def __reduce__(self) -> tuple[Any, ...]:  # from a worker's process: as it was, not made anew from its arguments
        return copyreg.__newobj__, (type(self), *self.args), self.__dict__  # type: ignore[attr-defined]


class Invalid(Telling, ValueError):
    """A value that a schema's own rule refuses: raised inside pydantic, which adds where it stands."""


class PlannerError(Telling):
    """Base of all expected failures. Anything else is a bug and keeps its traceback."""


class UnknownName(PlannerError):
    """A name that is not in a catalog.

    Parameters
    ----------
    kind : what it names: one of KINDS, or a text
    list_command : what lists those that are
    where : the field or option that names it
    """

    # For `make messages`.
    KINDS = (
        Message("API"),
        Message("accelerator"),
        Message("catalog"),
        Message("catalog row"),
        Message("cpu"),
        Message("drive"),
        Message("engine"),
        Message("field of a layout"),
        Message("llm"),
        Message("load curve"),
        Message("parameter"),
        Message("preset"),
        Message("provider"),
        Message("quota"),
        Message("rate profile"),
        Message("region"),
        Message("server"),
        Message("site"),
        Message("trace"),
        Message("workload"),
    )

    def __init__(
        self, kind: str | Told, asked: str, known: Iterable[str], list_command: str | Told, where: str | Told = ""
    ):
        self.kind, self.asked = kind, asked
        names = sorted(known)
        nearest = difflib.get_close_matches(asked.lower(), names, n=3, cutoff=0.45)
        listed = ", ".join(repr(name) for name in nearest)
        told = Message(
            "unknown {kind} {asked!r}{place}.{hint}\n  List them: {command}",
            kind=Message(kind) if isinstance(kind, str) else kind,
            asked=asked,
            place=Message(" in {where}", where=where) if where else "",
            hint=Message(" Nearest: {names}.", names=listed) if nearest else "",
            command=list_command,
        )
        super().__init__(told)


class CatalogError(PlannerError):
    """A catalog file that breaks its schema: file, line, column, value, what is allowed."""


class MissingFact(PlannerError):
    """A figure that nobody sourced, needed by a model."""

    def __init__(self, row: str | Told, field: str | Told, needed_for: str | Told, next_step: Told):
        self.row, self.field = row, field
        told = Message(
            "{row} has no sourced {field}, which {needed_for} needs.\n  {next_step}",
            row=row,
            field=field,
            needed_for=needed_for,
            next_step=next_step,
        )
        super().__init__(told)


class NoSpotPrice(MissingFact):
    """An accelerator without a sourced spot price; `option` states one."""

    def __init__(self, accelerator: str, option: str):
        step = Message("Give the spot price over on-demand: --fleet {option}=0.4", option=option)
        super().__init__(accelerator, Message("spot price"), option, step)


class WorkloadError(PlannerError):
    """A workload that cannot be read or that contradicts itself."""


class TooSmall(WorkloadError):
    """A set-up whose memory does not hold the weights, the reserve and one sequence."""


class NoPlan(PlannerError):
    """No candidate satisfies the workload; carries the rejections of those that came closest, where they are known."""

    def __init__(self, message: str | Told, /, nearest: Sequence[Any] = (), **values: object):
        self.nearest = tuple(nearest)
        super().__init__(message, **values)


class OutputError(PlannerError):
    """A result that cannot be written where it was asked for."""
