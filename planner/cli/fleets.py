"""What `planner simulate` asks and prints about fleets over time."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import TYPE_CHECKING, Any

import click

from planner.cli.output import print_table, wrapped
from planner.complaints import complaint
from planner.errors import Joined, Message, Told, WorkloadError
from planner.i18n import language_from_environment, translator

if TYPE_CHECKING:
    from planner.schema import FleetOptions, Simulated

RULES = ("fixed", "hpa", "keda", "knative", "forecast")
SECTIONS = ("autoscale", "failures", "spot", "surge")


def fleet_options(command: Callable[..., Any]) -> Callable[..., Any]:
    """Options that add sections to a simulation."""
    options = (
        click.option(
            "--autoscale",
            multiple=True,
            type=click.Choice((*RULES, "all")),
            help="A day under an autoscaler; repeatable.",
        ),
        click.option("--failures", is_flag=True, help="Availability with what fails in the field, and repairs."),
        click.option("--spot", is_flag=True, help="Mixes of spot and on-demand replicas."),
        click.option("--surge", type=float, help="A surge of so many times the rate, with and without protection."),
        click.option(
            "--fleet",
            "fleet_fields",
            multiple=True,
            metavar="FIELD=VALUE",
            help="Field of a section: autoscale.storage=object, surge.retries=5. All: planner schema fleet.",
        ),
    )
    for option in reversed(options):
        command = option(command)
    return command


def asked_of(
    autoscale: tuple[str, ...], failures: bool, spot: bool, surge: float | None, fields: tuple[str, ...]
) -> FleetOptions:
    """Sections that were asked for, with their fields.

    Raises
    ------
    WorkloadError
        Naming the field, what was given and what is allowed.
    """
    from pydantic import ValidationError

    from planner.schema import FleetOptions

    table: dict[str, dict[str, Any]] = {}
    if autoscale:
        table["autoscale"] = {} if "all" in autoscale else {"rules": list(autoscale)}
    table |= {"failures": {}} if failures else {}
    table |= {"spot": {}} if spot else {}
    table |= {"surge": {"factor": surge}} if surge is not None else {}
    for assignment in fields:
        section, field, value = _field(assignment)
        table.setdefault(section, {})[field] = value
    try:
        return FleetOptions.model_validate(table)
    except ValidationError as error:
        raise WorkloadError(Joined(*(_complaint(one) for one in error.errors()[:5]))) from None


def _field(assignment: str) -> tuple[str, str, Any]:
    from planner.workloads import field_value

    name, equals, text = assignment.partition("=")
    section, dot, field = name.partition(".")
    if not (equals and dot and field) or section not in SECTIONS:
        raise WorkloadError(
            "--fleet {assignment}: give SECTION.FIELD=VALUE, such as autoscale.storage=object.\n"
            "  Sections: {sections}; fields: planner schema fleet",
            assignment=assignment,
            sections=", ".join(SECTIONS),
        )
    return section, field, field_value(text)


def _complaint(error: Mapping[str, Any]) -> Told:
    name = ".".join(str(part) for part in error["loc"])
    if error["type"] == "extra_forbidden":
        return Message("--fleet {name}: no such field.\n  Fields, units and ranges: planner schema fleet", name=name)
    return Message(
        "--fleet {name} = {given!r}: {msg}.\n  Fields, units and ranges: planner schema fleet",
        name=name,
        given=str(error["input"])[:60],
        msg=complaint(error),
    )


def print_sections(found: Simulated) -> None:
    """Sentences and tables of the sections that are there."""
    from planner.report import fleet as told
    from planner.report.explain import assumption_lines

    _ = translator(language_from_environment())
    if found.autoscale:
        click.echo(wrapped(told.autoscale_sentence(found.autoscale, _)))
        if found.autoscale.spot:
            click.echo(wrapped(told.spot_day_sentence(found.autoscale.spot, _)))
        print_table(told.policy_table(found.autoscale, _))
        print_table(told.day_table(found.autoscale.series[-1], _))
    if found.failures:
        click.echo(wrapped(told.failure_sentence(found.failures, _)))
        print_table(told.failure_table(found.failures, _))
    if found.spot:
        click.echo(wrapped(told.spot_sentence(found.spot, _)))
        print_table(told.spot_table(found.spot, _))
    if found.surge:
        click.echo(wrapped(told.surge_sentence(found.surge, _)))
        print_table(told.surge_table(found.surge, _))
    for section in (found.autoscale, found.failures, found.spot, found.surge):
        for line in assumption_lines(_given(section)):
            click.echo(wrapped(line, "    "))


def _given(section: Any) -> Any:
    return () if section is None else getattr(section, "assumptions", None) or getattr(section, "parts", ())
