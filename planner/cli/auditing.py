"""The command that checks what others state: audit."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

import click

from planner.cli.output import print_table, wrapped
from planner.i18n import language_from_environment, translator

if TYPE_CHECKING:
    from planner.schema import AuditResult


@click.command()
@click.argument("claims", default="article")
@click.option("--template", is_flag=True, help="Print a file of claims to start a quote from.")
@click.option("--out", type=click.Path(path_type=Path, dir_okay=False), help="Also write a document: .md or .xlsx.")
@click.option("--force", is_flag=True, help="Replace a document that exists.")
@click.option("--json", "as_json", is_flag=True, help="JSON on stdout.")
def audit(claims: str, template: bool, out: Path | None, force: bool, as_json: bool) -> None:
    """Recompute the figures that CLAIMS states: a vendor's quote, an article (default: the one that ships)."""
    from planner import audit as auditing
    from planner.catalog import load_catalog

    if template:
        click.echo(auditing.template(), nl=False)
        return
    language = language_from_environment()
    _, catalog = translator(language), load_catalog()
    found = auditing.audit(auditing.read_claims(claims), catalog, _, language)
    if out is not None:
        auditing.write(found, out, catalog.as_of, _, force)
    if as_json:
        click.echo(found.model_dump_json(indent=2))
    else:
        _print(found, out)


def _print(found: AuditResult, out: Path | None) -> None:
    from planner.report import audit as told

    _ = translator(language_from_environment())
    click.echo(wrapped(told.headline(found, _)))
    print_table(told.table(found, _))
    for line in told.refusals(found, _):
        click.echo(wrapped(line))
    if out is not None:
        click.echo(_("Written: {path}").format(path=out))
