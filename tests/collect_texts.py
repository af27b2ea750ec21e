"""Texts that no call marks: help of the commands, meanings of catalog columns and parameters, what click says.

`make messages` prints them as calls that Babel reads: `python tests/collect_texts.py > texts.py`.
"""

from __future__ import annotations

import sys
from collections.abc import Iterator
from pathlib import Path

import click
from babel.messages.extract import extract_from_file

from planner.catalog import load_catalog
from planner.cli import cli
from planner.schema import Parameter

CLICK = ("core", "decorators", "exceptions", "formatting", "parser", "types")
KEYWORDS = {"_": None, "ngettext": (1, 2)}


def texts() -> dict[str, str]:
    """Each text that has no plural, with the place that it was found at."""
    found = {text: place for place, text in (*_of_commands(cli, "planner"), *_of_catalogs())}
    return found | {text: place for place, text in _of_click() if isinstance(text, str)}


def plurals() -> dict[tuple[str, str], str]:
    """Each text that has one, singular and plural, with its place."""
    return {(text[0], text[1]): place for place, text in _of_click() if isinstance(text, tuple)}


def _of_commands(command: click.Command, name: str) -> Iterator[tuple[str, str]]:
    helps = [command.help, *(one.help for one in command.params if isinstance(one, click.Option))]
    yield from ((f"{name} --help", text) for text in helps if text)
    if isinstance(command, click.Group):
        for of_it, below in command.commands.items():
            yield from _of_commands(below, f"{name} {of_it}")


def _of_catalogs() -> Iterator[tuple[str, str]]:
    for kind, rows in load_catalog().everything().items():
        for shape in {type(row).__name__: type(row) for row in rows.values()}.values():
            fields = shape.model_fields.items()
            yield from ((f"{kind}.{name}", field.description) for name, field in fields if field.description)
        yield from ((f"{kind} {id}", row.meaning) for id, row in rows.items() if isinstance(row, Parameter))


def _of_click() -> Iterator[tuple[str, str | tuple[str, ...]]]:
    for module in CLICK:
        path = Path(click.__file__).with_name(f"{module}.py")
        for line, text, *_ in extract_from_file("python", path, keywords=KEYWORDS):
            yield f"click/{module}.py:{line}", tuple(text) if isinstance(text, tuple) else text


if __name__ == "__main__":
    for single in texts():
        sys.stdout.write(f"_({single!r})\n")
    for one, many in plurals():
        sys.stdout.write(f"ngettext({one!r}, {many!r}, n)\n")
