"""The command that searches for largest rates: capacity."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import click

from planner.cli.answers import changes_of, workload_options
from planner.cli.learning import calibration_option, catalog_under
from planner.cli.output import print_table
from planner.cli.workers import progress_bar, worker_options
from planner.i18n import language_from_environment, translator


@click.command()
@click.argument("workload", default="default")
@click.option("--trace", "traces", multiple=True, help="Recorded requests: a name or a file; repeatable.")
@click.option("--seeds", type=click.IntRange(1, 10_000), default=1, show_default=True, help="Draws of each trace.")
@click.option("--top", type=click.IntRange(1, 50), default=3, show_default=True, help="Plans to search.")
@worker_options
@workload_options
@calibration_option
@click.option("--json", "as_json", is_flag=True, help="JSON on stdout.")
def capacity(
    workload: str,
    traces: tuple[str, ...],
    seeds: int,
    top: int,
    workers: int | None,
    cluster: str | None,
    assignments: tuple[str, ...],
    calibration: tuple[Path, ...],
    as_json: bool,
    **options: Any,
) -> None:
    """Largest rate that one replica of each plan of WORKLOAD holds, by trace and seed."""
    from planner.report.capacity import capacity_table
    from planner.search.capacity import capacity as run
    from planner.search.spread import Workers
    from planner.workloads import load_workload

    _ = translator(language_from_environment())
    who = Workers(1 if workers is None else workers, cluster)
    question = load_workload(workload, changes_of(options, assignments))
    with progress_bar(_("Searching")) as progress:
        found = run(question, catalog_under(calibration), traces, seeds, top, who, progress)
    if as_json:
        click.echo(found.model_dump_json(indent=2))
        return
    print_table(capacity_table(found, _))
    told = _("{n:,} searches in {s:.1f} s; catalogs {hash}.")
    click.echo(told.format(n=found.simulations, s=found.wall_s, hash=found.catalog_sha256[:8]))
