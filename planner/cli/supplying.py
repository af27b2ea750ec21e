"""The command that mixes supply: mix."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import click

from planner.cli.answers import changes_of, workload_options
from planner.cli.learning import calibration_option, catalog_under
from planner.cli.output import print_table, wrapped
from planner.errors import WorkloadError
from planner.i18n import language_from_environment, translator


@click.command()
@click.argument("workload", default="default")
@workload_options
@click.option("--plan", "rank", type=click.IntRange(1, 50), default=1, show_default=True, help="Rank of the plan.")
@click.option(
    "--load", default=None, show_default="ownership.load_profile, else servegen-r1-day",
    help="How the load varies: a rate profile of the catalogs, constant, or a CSV of rate_per_s, an hour a row.",
)  # fmt: skip
@click.option("--region", "regions", multiple=True, help="Region to buy in, side by side; repeatable; default: any.")
@click.option(
    "--own-site", "sites", multiple=True,
    help="Where owned servers may stand, side by side; repeatable; default: --site.",
)  # fmt: skip
@click.option(
    "--quota",
    "quotas",
    multiple=True,
    metavar="WAY=N",
    help="Most accelerators: on_demand=64, spot@REGION=8, own@SITE=32.",
)
@click.option("--firm-share", type=float, help="Share of the load that Spot must not carry; default: by availability.")
@calibration_option
@click.option("--json", "as_json", is_flag=True, help="JSON on stdout.")
def mix(
    workload: str,
    assignments: tuple[str, ...],
    rank: int,
    load: str | None,
    regions: tuple[str, ...],
    sites: tuple[str, ...],
    quotas: tuple[str, ...],
    firm_share: float | None,
    calibration: tuple[Path, ...],
    as_json: bool,
    **options: Any,
) -> None:
    """How much of WORKLOAD's load to own, commit, rent on demand and on Spot, hour by hour of its load curve."""
    from planner.report import mix as report
    from planner.search.load_curve import DEFAULT, load_curve
    from planner.search.mix import mix as run
    from planner.workloads import load_workload

    catalog = catalog_under(calibration)
    question = load_workload(workload, changes_of(options, assignments))
    curve = load_curve(load or question.ownership.load_profile or DEFAULT, catalog)
    answer = run(question, catalog, curve, rank, _quotas(quotas), regions, firm_share, sites)
    if as_json:
        click.echo(answer.model_dump_json(indent=2))
        return
    _ = translator(language_from_environment())
    click.echo(wrapped(report.sentence(answer, _)))
    print_table(report.mix_table(answer, _))
    print_table(report.policy_table(answer, _))
    for remark in report.remarks(answer, _):
        click.echo(wrapped(remark))


def _quotas(texts: tuple[str, ...]) -> dict[str, float]:
    found = {}
    for text in texts:
        name, _, number = text.partition("=")
        try:
            found[name] = float(number)
        except ValueError:
            raise WorkloadError("--quota {text}: give WAY=NUMBER, such as on_demand=64.", text=text) from None
    return found
