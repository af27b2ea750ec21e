"""Commands that bring prices up to date: catalog refresh, catalog history."""

from __future__ import annotations

from datetime import date
from pathlib import Path
from typing import TYPE_CHECKING

import click

from planner.cli.output import print_table, wrapped
from planner.errors import PlannerError
from planner.i18n import language_from_environment, translator

if TYPE_CHECKING:
    from planner.catalog import Catalog
    from planner.market.offered import Fetched
    from planner.schema.market import Refresh

folder_option = click.option(
    "--catalogs", type=click.Path(path_type=Path), help="Folder of catalogs; default: those that ship."
)


@click.command()
@click.option(
    "--provider", "providers", multiple=True, help="aws, azure, gcp, lambda, nebius or oci; repeatable; default: all."
)
@click.option(
    "--skypilot",
    type=click.Path(path_type=Path),
    help="A vms.csv of SkyPilot's public catalog instead, of the cloud that its folder or --provider names.",
)
@click.option("--dated", default="", help="When that file was recorded, YYYY-MM-DD or coarser: it carries no date.")
@click.option(
    "--quotes", type=click.Path(path_type=Path),
    help="A CSV of your own quotes instead: accelerator, term, price, provider, source, source_date and more.",
)  # fmt: skip
@folder_option
@click.option("--write", "writes", is_flag=True, help="Replace prices; without it, differences are only shown.")
@click.option(
    "--jumps", is_flag=True, help="Take prices that are more than three times, or less than a third, of before."
)
@click.option("--json", "as_json", is_flag=True, help="JSON on stdout.")
def refresh(
    providers: tuple[str, ...],
    skypilot: Path | None,
    dated: str,
    quotes: Path | None,
    catalogs: Path | None,
    writes: bool,
    jumps: bool,
    as_json: bool,
) -> None:
    """Cloud prices through gpuhunt, from SkyPilot's catalog, or your own QUOTES: what differs; --write replaces it.

    What is replaced is kept in history/. GPUHUNT_CATALOG_DIR names a folder of recorded provider files.
    """
    from planner.catalog import load_catalog
    from planner.market.compare import compare
    from planner.market.offered import refuse_future
    from planner.market.write import write
    from planner.schema.market import Refresh

    catalog, today = load_catalog(catalogs), date.today()
    fetched = _fetched(providers, skypilot, dated, quotes, catalog, today)
    refuse_future(fetched, today)
    found = compare(fetched, catalog)
    if writes:
        write(catalog, found, today, jumps)
    answer = Refresh(
        sources=fetched.sources,
        failed=fetched.failed,
        changes=tuple(change for change, _ in found.changes),
        confirmed=len(found.confirmed),
        left_out=found.left_out,
        not_seen=found.not_seen,
        written=writes,
    )
    _tell(answer, as_json)


def _fetched(
    providers: tuple[str, ...],
    skypilot: Path | None,
    dated: str,
    quotes: Path | None,
    catalog: Catalog,
    today: date,
) -> Fetched:
    from planner.market.offered import from_gpuhunt, from_quotes
    from planner.market.skypilot import from_skypilot

    if quotes is not None and (providers or skypilot):
        raise PlannerError("--quotes and --provider or --skypilot: give one of them; quotes name who quotes.")
    if dated and skypilot is None:
        raise PlannerError("--dated is the date of a --skypilot file; quotes have a source_date of their own.")
    if quotes is not None:
        return from_quotes(quotes, catalog)
    if skypilot is None:
        return from_gpuhunt(providers, today.isoformat())
    if len(providers) > 1:
        raise PlannerError("--skypilot reads the file of one cloud; give one --provider.")
    return from_skypilot(skypilot, "".join(providers), dated, catalog)


def _tell(answer: Refresh, as_json: bool) -> None:
    from planner.report import market as report

    if as_json:
        click.echo(answer.model_dump_json(indent=2))
        return
    _ = translator(language_from_environment())
    if answer.changes:
        print_table(report.change_table(answer, _))
    for remark in report.remarks(answer, _):
        click.echo(wrapped(remark))


@click.command("history")
@click.argument("name", default="")
@folder_option
def price_history(name: str, catalogs: Path | None) -> None:
    """Prices that a refresh replaced; NAME picks those whose provider or item contains it."""
    from planner.catalog import load_catalog
    from planner.market.write import history
    from planner.report.market import history_table

    rows = history(load_catalog(catalogs).folder)
    found = [row for row in rows if name.lower() in " ".join(row.values()).lower()]
    _ = translator(language_from_environment())
    if not found:
        click.echo(_("No price was replaced yet.") if not rows else _("No replaced price matches."))
        return
    print_table(history_table(found, _))
