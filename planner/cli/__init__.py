"""The command line: parse, call, print."""

from __future__ import annotations

import os
import sys
from collections.abc import Callable
from typing import NoReturn

import click

from planner import __version__
from planner.cli import (
    answers,
    auditing,
    capacity,
    facts,
    learning,
    measuring,
    money,
    risking,
    simulating,
    supplying,
    whatif,
)
from planner.cli.speaking import speaking
from planner.errors import PlannerError
from planner.i18n import language_from_environment, translator


def main() -> None:
    """Console entry: expected failures are one message and exit 1; bugs keep their traceback."""
    language = language_from_environment()
    with speaking(cli, language) as told:
        _run(told, translator(language))


def _run(command: click.Group, _: Callable[[str], str]) -> NoReturn:
    try:
        # Not `command.main`: that answers a reader who left (`planner plan | head`) with exit 1.
        with command.make_context("planner", sys.argv[1:]) as context:
            code = command.invoke(context)
        sys.stdout.flush()
    except click.exceptions.Exit as done:
        sys.exit(done.exit_code)
    except PlannerError as error:
        _stop(error.told(_), 1)
    except (click.exceptions.Abort, KeyboardInterrupt):
        _stop(_("stopped"), 130)
    except click.ClickException as error:
        error.show()
        sys.exit(error.exit_code)
    except BrokenPipeError:
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        sys.exit(0)
    sys.exit(code if isinstance(code, int) else 0)


def _stop(message: str, code: int) -> NoReturn:
    click.echo(f"planner: {message}", err=True)
    sys.exit(code)


@click.group(context_settings={"help_option_names": ["-h", "--help"]})
@click.version_option(__version__, prog_name="planner")
def cli() -> None:
    """Plan, price and deploy LLM serving: what to buy or rent, what it costs, how sure that is."""


for command in (
    answers.plan,
    answers.estimate,
    simulating.simulate,
    capacity.capacity,
    money.cost,
    answers.export,
    answers.lint,
    answers.validate,
    whatif.whatif,
    auditing.audit,
    supplying.mix,
    risking.risk,
    measuring.measure,
    learning.calibrate,
    facts.catalog,
    facts.schema,
    facts.app,
):
    cli.add_command(command)
