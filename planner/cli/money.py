"""What a plan costs: `planner cost`."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from planner.cli.answers import plan_of, workload_options
from planner.cli.learning import calibration_option, catalog_under
from planner.cli.output import print_table, wrapped
from planner.i18n import language_from_environment, translator

if TYPE_CHECKING:
    from planner.schema.costs import CostAnswer

PARTS = ("ways", "month", "bill", "units", "apis", "promise")


@click.command()
@click.argument("workload", default="default")
@workload_options
@click.option("--plan", "rank", type=click.IntRange(1, 50), default=1, show_default=True, help="Rank of the plan.")
@click.option("--show", type=click.Choice(PARTS), multiple=True, help="Only these tables; repeatable.")
@calibration_option
@click.option("--json", "as_json", is_flag=True, help="JSON on stdout.")
def cost(
    workload: str,
    assignments: tuple[str, ...],
    rank: int,
    show: tuple[str, ...],
    calibration: tuple[Path, ...],
    as_json: bool,
    **options: Any,
) -> None:
    """Price a plan of WORKLOAD: owned, on every dated cloud price, per token and per promise."""
    from planner.search.cost import cost as run

    catalog = catalog_under(calibration)
    result = plan_of(workload, options, assignments, catalog, max(rank, 12))
    answer = run(result, rank, catalog)
    if as_json:
        click.echo(answer.model_dump_json(indent=2))
        return
    _print(answer, result.workload.slo.ttft_p99_s, show or PARTS)


def _print(answer: CostAnswer, ttft_p99_s: float, show: tuple[str, ...]) -> None:
    """Tables for people, then what is in no total."""
    from planner.report import costs

    _ = translator(language_from_environment())
    tables = (costs.ways_table, costs.lines_table, costs.bill_table, costs.unit_table, costs.api_table, costs.slo_table)
    notes = {
        "units": [costs.split_note(answer, _)],
        "promise": costs.slo_sentences(answer, ttft_p99_s, _),
    }
    click.echo(wrapped(costs.headline(answer, _)))
    for part, table in zip(PARTS, tables, strict=True):
        if part in show:
            print_table(table(answer, _))
    told = [note for part in show for note in notes.get(part, [])]
    age = _("'!' marks prices older than 180 days on {day}: ask for quotes.").format(day=answer.catalog_as_of)
    for note in filter(None, [*told, costs.currency_line(answer, _), *costs.unpriced_lines(answer, _), age]):
        click.echo(wrapped(note))
