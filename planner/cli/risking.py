"""The command about uncertainty: risk."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import click

from planner.cli.answers import changes_of, workload_options
from planner.cli.learning import calibration_option, catalog_under
from planner.cli.output import print_table, wrapped
from planner.cli.workers import progress_bar, worker_options
from planner.i18n import language_from_environment, translator


@click.command()
@click.argument("workload", default="default")
@workload_options
@click.option(
    "--uncertain", "ranges", multiple=True, metavar="FIELD=LOW,MID,HIGH",
    help="An uncertain field of `planner whatif`, values or shares: traffic.rate_per_s=-20%,+50%; then :uniform or "
    "another distribution (pert, triangular, lognormal), then @GROUP for those that move together; repeatable.",
)  # fmt: skip
@click.option("--budget", type=float, help="US dollars a month, for the chance to stay within.")
@click.option("--top", type=click.IntRange(1, 12), default=3, show_default=True, help="Plans to compare.")
@click.option("--draws", type=int, default=8192, show_default=True, help="Sobol points, a power of two.")
@click.option("--seed", type=click.IntRange(0), default=1, show_default=True, help="Of the draws.")
@click.option(
    "--metric", default="usd_per_month", show_default=True,
    help="Of the tornado: usd_per_month, usd_per_million_output_tokens, ttft_p99_s or tpot_p99_s.",
)  # fmt: skip
@worker_options
@calibration_option
@click.option("--json", "as_json", is_flag=True, help="JSON on stdout.")
def risk(
    workload: str,
    assignments: tuple[str, ...],
    ranges: tuple[str, ...],
    budget: float | None,
    top: int,
    draws: int,
    seed: int,
    metric: str,
    workers: int | None,
    cluster: str | None,
    calibration: tuple[Path, ...],
    as_json: bool,
    **options: Any,
) -> None:
    """How sure cost and promise of WORKLOAD's plans are: percentiles, chances, regret, what matters most.

    The predictions' own bands, and purchase prices of which a range is sourced, are always drawn.
    """
    from planner.report import risk as report
    from planner.search.change import Question
    from planner.search.risk import Setting
    from planner.search.risk import risk as run
    from planner.search.spread import Workers
    from planner.search.uncertain import parse
    from planner.workloads import load_workload

    _ = translator(language_from_environment())
    question = Question(load_workload(workload, changes_of(options, assignments)), catalog_under(calibration))
    stated = [parse(question, text) for text in ranges]
    who = Workers(1 if workers is None else workers, cluster)
    with progress_bar(_("Drawing")) as progress:
        answer = run(question, stated, Setting(top, draws, seed, budget, metric), who, progress)
    if as_json:
        click.echo(answer.model_dump_json(indent=2))
        return
    click.echo(wrapped(report.sentence(answer, _)))
    for table in (report.plan_table, report.ranking_table, report.tornado_table):
        print_table(table(answer, _))
    for remark in report.remarks(answer, _):
        click.echo(wrapped(remark))
