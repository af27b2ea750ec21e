"""Options of commands that may compute for long: who computes, and how far they are."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any

import click


def worker_options(command: Callable[..., Any]) -> Callable[..., Any]:
    """Options that say who computes."""
    for flag, kind, text in (
        ("--cluster", str, "Dask scheduler, such as tcp://10.0.0.1:8786, in place of --workers."),
        ("--workers", int, "Processes on this machine; default: this one alone."),
    ):
        command = click.option(flag, type=kind, help=text)(command)
    return command


@contextmanager
def progress_bar(text: str) -> Iterator[Callable[[int, int], None]]:
    """A bar on stderr that shows how many are done; nothing where nobody watches."""
    from rich.console import Console
    from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeRemainingColumn

    columns = (TextColumn("{task.description}"), BarColumn(), MofNCompleteColumn(), TimeRemainingColumn())
    console = Console(stderr=True)
    with Progress(*columns, console=console, transient=True, disable=not console.is_terminal) as bar:
        task = bar.add_task(text, total=None)
        yield lambda done, total: bar.update(task, completed=done, total=total)
