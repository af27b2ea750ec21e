"""What commands print: tables for people, wrapped text."""

from __future__ import annotations

import sys
from typing import TYPE_CHECKING

import click

from planner.errors import Told
from planner.i18n import language_from_environment, translator

if TYPE_CHECKING:
    from planner.report.tables import TextTable

WIDTH_WHEN_PIPED = 150


def print_table(table: TextTable) -> None:
    from rich.console import Console
    from rich.table import Table

    width = None if sys.stdout.isatty() else WIDTH_WHEN_PIPED
    grid = Table(
        title=table.title, title_justify="left", box=None, pad_edge=False, padding=(0, 1, 0, 0), title_style="bold"
    )
    for number, heading in enumerate(table.headings):
        numeric = number >= table.numeric_from
        grid.add_column(
            heading,
            justify="right" if numeric else "left",
            overflow="fold",
            no_wrap=numeric or (number in (0, 1) and len(table.headings) > 3),
        )
    for row in table.rows:
        grid.add_row(*(cell.replace("[", r"\[") for cell in row))
    click.echo()
    Console(width=width, highlight=False).print(grid)
    click.echo()


def say(text: Told, err: bool = False) -> None:
    """A line in the language of the user's environment."""
    click.echo(text.told(translator(language_from_environment())), err=err)


def wrapped(text: str, indent: str = "") -> str:
    width = WIDTH_WHEN_PIPED if not sys.stdout.isatty() else None
    return click.wrap_text(text, width or 100, indent, indent + ("  " if indent else ""))
