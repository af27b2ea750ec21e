"""Options of whatif that look at the years to come."""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING, Any

import click

from planner.cli.output import print_table, wrapped
from planner.complaints import complaint
from planner.errors import WorkloadError
from planner.i18n import language_from_environment, translator

if TYPE_CHECKING:
    from planner.schema.horizon import HorizonResult, Outlook

OPTIONS = ("years", "growth", "dearer", "rent_dearer", "delivery_weeks", "order_months", "later")


def horizon_options(command: Callable[..., Any]) -> Callable[..., Any]:
    """Growth, prices that move, delivery, hardware that comes later."""
    options = (
        click.option(
            "--years", type=float, help="Look so many years ahead: what to buy when, what to rent until then."
        ),
        click.option("--growth", help="Growth of the load a year: 100% doubles it."),
        click.option("--dearer", help="Change of purchase prices a year, such as 20%."),
        click.option("--rent-dearer", help="Change of rents a year, such as -10%."),
        click.option("--delivery-weeks", type=float, help="Weeks from order to service; rented until then."),
        click.option("--order-months", type=int, help="Months between chances to order; default 3."),
        click.option("--next", "later", multiple=True, metavar="ACCELERATOR=YEARS", help="Hardware that comes later."),
    )
    for option in reversed(options):
        command = option(command)
    return command


def outlook_of(given: dict[str, Any], default_years: float) -> Outlook | None:
    """The outlook that the options ask for; None where none is given.

    Raises
    ------
    WorkloadError
    """
    if all(given[name] in (None, ()) for name in OPTIONS):
        return None
    from pydantic import ValidationError

    from planner.schema.horizon import Outlook

    table = {
        "years": default_years if given["years"] is None else given["years"],
        "growth_per_year": _share("growth", given["growth"]),
        "dearer_per_year": _share("dearer", given["dearer"]),
        "rent_dearer_per_year": _share("rent-dearer", given["rent_dearer"]),
        "delivery_weeks": given["delivery_weeks"] or 0.0,
        "order_months": 3 if given["order_months"] is None else given["order_months"],
        "later": dict(_later(text) for text in given["later"]),
    }
    try:
        outlook = Outlook.model_validate(table)
    except ValidationError as error:
        first = error.errors()[0]
        raise WorkloadError(
            "outlook: {field} = {input}: {msg}.",
            field=".".join(map(str, first["loc"])),
            input=first["input"],
            msg=complaint(first),
        ) from None
    _refuse_too_late(outlook)
    return outlook


def _refuse_too_late(outlook: Outlook) -> None:
    """Hardware that comes after the end would silently play no part."""
    for name, years in outlook.later.items():
        if years >= outlook.years:
            raise WorkloadError(
                "--next {name}={years:g}: it comes after the {most:g} years that are looked at.\n"
                "  Look further with --years, or leave it out.",
                name=name,
                years=years,
                most=outlook.years,
            )


def _share(name: str, text: str | None) -> float:
    """A share written as 20%, or as 0.2."""
    if text is None:
        return 0.0
    body, percent, rest = text.strip().partition("%")
    try:
        if rest:
            raise ValueError
        return float(body) / 100 if percent else float(body)
    except ValueError:
        raise WorkloadError(
            "--{name} {text}: give a share a year, such as 20% or -10%.", name=name, text=text
        ) from None


def _later(text: str) -> tuple[str, float]:
    name, _, years = text.partition("=")
    try:
        value = float(years)
    except ValueError:
        value = -1.0
    if not name or not 0 < value <= 10:
        raise WorkloadError("--next {text}: give ACCELERATOR=YEARS until it can be ordered, such as b300=1.", text=text)
    return name, value


def tell(answer: HorizonResult, as_json: bool) -> None:
    """Print the answer."""
    from planner.report import horizon as report

    if as_json:
        click.echo(answer.model_dump_json(indent=2))
        return
    _ = translator(language_from_environment())
    click.echo(wrapped(report.sentence(answer, _)))
    for table in (report.order_table, report.year_table, report.policy_table):
        print_table(table(answer, _))
    for remark in report.remarks(answer, _):
        click.echo(wrapped(remark))
