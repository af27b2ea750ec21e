"""The command that lets traffic run: simulate."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from planner.cli.answers import changes_of, workload_options
from planner.cli.fleets import asked_of, fleet_options, print_sections
from planner.cli.learning import calibration_option, catalog_under
from planner.cli.output import print_table, wrapped
from planner.i18n import language_from_environment, translator

if TYPE_CHECKING:
    from planner.schema import Simulated


@click.command()
@click.argument("workload", default="default")
@click.option("--trace", help="Recorded requests: a name of planner catalog ls traces, or a CSV or JSONL file.")
@click.option("--profile", help="Rate over time: a name of planner catalog ls traces, or a CSV file.")
@click.option("--busiest", "busiest_h", type=click.FloatRange(0, 168, True), help="Hours of --profile, its busiest.")
@click.option("--arrivals", help="Times: trace; mmpp, drawn as bursty; poisson. Default: trace, along a profile mmpp.")
@click.option(
    "--lengths",
    help="recorded; scaled to --input and --output; statistics: lognormal, by traffic.input_cv, output_cv and "
    "rank_correlation; or a trace or list of lengths to draw from.",
)
@workload_options
@calibration_option
@click.option("--plan", "rank", type=click.IntRange(1, 50), default=1, show_default=True, help="Rank of the plan.")
@click.option("--replicas", type=click.IntRange(1, 100_000), help="Replicas that serve; default: as planned.")
@click.option("--drop-longer", is_flag=True, help="Refuse requests longer than the context; they count as broken.")
@click.option("--seed", type=click.IntRange(0), default=0, show_default=True, help="Seed of whatever is drawn.")
@fleet_options
@click.option("--json", "as_json", is_flag=True, help="JSON on stdout.")
def simulate(
    workload: str,
    trace: str | None,
    profile: str | None,
    busiest_h: float | None,
    arrivals: str | None,
    lengths: str | None,
    assignments: tuple[str, ...],
    calibration: tuple[Path, ...],
    rank: int,
    replicas: int | None,
    drop_longer: bool,
    seed: int,
    autoscale: tuple[str, ...],
    failures: bool,
    spot: bool,
    surge: float | None,
    fleet_fields: tuple[str, ...],
    as_json: bool,
    **options: Any,
) -> None:
    """Let recorded requests run through a plan of WORKLOAD: percentiles by time, and how much more it holds."""
    from planner.search.simulated import simulate as run
    from planner.workloads import load_workload

    names = {"trace": trace, "profile": profile, "arrivals": arrivals, "lengths": lengths}
    own = {f"traffic__{name}": value for name, value in names.items()}
    question = load_workload(workload, changes_of({**options, **own}, assignments))
    asked = asked_of(autoscale, failures, spot, surge, fleet_fields)
    found = run(question, catalog_under(calibration), rank, replicas, drop_longer, seed, busiest_h, fleet=asked)
    if as_json:
        click.echo(found.model_dump_json(indent=2))
    else:
        _print(found)
        print_sections(found)


def _print(found: Simulated) -> None:
    from planner.report import simulated as told

    _ = translator(language_from_environment())
    click.echo(wrapped(told.headline(found, _)))
    print_table(told.percentile_table(found, _))
    click.echo(wrapped(told.margin_sentence(found, _)))
    print_table(told.window_table(found, _))
    for remark in told.remarks(found, _):
        click.echo(wrapped(remark))
    note = _("{requests:,} requests, planned and simulated in {s:.2f} s; catalogs {hash}.")
    click.echo(note.format(requests=found.requests, s=found.wall_s, hash=found.catalog_sha256[:8]))
