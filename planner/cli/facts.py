"""Commands about what the planner knows: catalog, schema; and the dashboard."""

from __future__ import annotations

import json
import sys
from datetime import date
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from planner.cli.output import say, wrapped
from planner.cli.refreshing import price_history, refresh
from planner.errors import Message
from planner.units import value_text

if TYPE_CHECKING:
    from pydantic import BaseModel


@click.group()
def catalog() -> None:
    """The facts: list, show, check, import, refresh, history."""


@catalog.command("ls")
@click.argument("kind", required=False)
def catalog_ls(kind: str | None) -> None:
    """List the rows of KIND (accelerators, llms, engines, prices, sites, …), or the kinds.

    An exclamation mark after a date marks prices older than 180 days.
    """
    from planner.catalog import load_catalog
    from planner.errors import UnknownName

    found = load_catalog()
    everything = found.everything()
    if kind is None:
        for name, rows in everything.items():
            click.echo(f"{name:<16} {len(rows):>6}")
        return
    if kind not in everything:
        raise UnknownName("catalog", kind, everything, "planner catalog ls")
    for id, row in everything[kind].items():
        click.echo(f"{id:<28} {_label(row)}  ({row.source_date}{_old(row, found.as_of)}, {row.confidence})")


def _old(row: Any, today: date) -> str:
    """The mark of a price that is older than 180 days."""
    from planner.search.offers import STALE_AFTER

    priced = any("usd" in field and value is not None for field, value in row)
    return " !" if priced and today - row.dated > STALE_AFTER else ""


_LABELS = (
    "name", "meaning", "provider", "item", "accelerator", "instance_type", "model_key", "pool", "metric", "region",
    "zone", "term", "kind", "owner", "scope", "period",
)  # fmt: skip


def _label(row: Any) -> str:
    """What tells a row from its neighbours: its name, or who sells what where, and the figure."""
    parts = [str(value) for field in _LABELS if (value := getattr(row, field, None))]
    figures = [
        f"{field} {value:,.6g}"
        for field, value in row
        if (isinstance(value, float) and "usd" in field) or field == "value"
    ]
    return " ".join([parts[0] if hasattr(row, "name") else ", ".join(parts), *figures])


@catalog.command("show")
@click.argument("id")
@click.option("--json", "as_json", is_flag=True, help="JSON on stdout.")
def catalog_show(id: str, as_json: bool) -> None:
    """Show a row with the source, date and confidence of each figure."""
    from planner.catalog import load_catalog

    found = load_catalog()
    kind, name, row = found.find(id)
    if as_json:
        click.echo(row.model_dump_json(indent=2))
        return
    click.secho(f"{kind} {name}", bold=True)
    for field, value in row:
        if field not in ("source", "source_date", "confidence", "unverified", "notes") and value not in (
            None,
            "",
            (),
            {},
        ):
            confidence = row.provenance(name, field).confidence
            click.echo(f"  {field:<32} {value_text(value):<40} {confidence}")
    click.echo(wrapped(f"source: {row.source} ({row.source_date}{_old(row, found.as_of)})", "  "))
    if row.notes:
        click.echo(wrapped(f"notes: {row.notes}", "  "))


@catalog.command("check")
@click.argument("folder", type=click.Path(path_type=Path, exists=True, file_okay=False), required=False)
def catalog_check(folder: Path | None) -> None:
    """Read and validate every catalog file, traces by their checksums."""
    from planner.catalog import load_catalog
    from planner.traces import check_files

    found = load_catalog(folder)
    rows = sum(len(kind) for kind in found.everything().values())
    check_files(found)
    told = Message(
        "{files} files, {rows} rows, all with source, date and confidence; {hash}",
        files=len(found.files()),
        rows=rows,
        hash=found.sha256[:8],
    )
    say(told)


@catalog.command("import")
@click.argument("config", type=click.Path(path_type=Path))
@click.option("--id", "id_", help="Id of the new entry; default: from the file's folder or name.")
@click.option("--out", type=click.Path(path_type=Path), help="Append to this llms.toml; default: print.")
def catalog_import(config: Path, id_: str | None, out: Path | None) -> None:
    """Turn a Hugging Face config.json into an LLM entry."""
    from planner.catalog import add_llm, load_catalog
    from planner.huggingface import llm_from_config, llm_slug, llm_to_toml, read_config

    name = id_ or (config.parent.name if config.name == "config.json" else config.stem) or "imported"
    entry = llm_from_config(read_config(config), name, load_catalog().as_of)
    text = llm_to_toml(llm_slug(name), entry)
    if out is None:
        click.echo(text, nl=False)
    else:
        add_llm(out, text)
        say(Message("{id} added to {out}", id=llm_slug(name), out=out))


catalog.add_command(refresh)
catalog.add_command(price_history)


_ANSWERS = {  # by name of the schema: module in planner.schema, class
    "plan": "results.PlanResult",
    "cost": "costs.CostAnswer",
    "estimate": "results.Estimate",
    "whatif": "whatif.WhatIf",
    "sweep": "whatif.Comparison",
    "horizon": "horizon.HorizonResult",
    "mix": "mix.MixResult",
    "risk": "risk.RiskResult",
    "refresh": "market.Refresh",
    "simulated": "simulated.Simulated",
    "audit": "audited.AuditResult",
    "fleet": "fleet.FleetOptions",
    "capacity": "capacity.Capacity",
    "calibrate": "learning.Calibrated",
    "workload": "workload.Workload",
    "validate": "results.Validation",
    "measure": "measured.Measured",
}


@click.command()
@click.argument("name", type=click.Choice(list(_ANSWERS)))
def schema(name: str) -> None:
    """Print the JSON schema of an answer or of a workload file."""
    from importlib import import_module

    module, kind = _ANSWERS[name].split(".")
    model: type[BaseModel] = getattr(import_module(f"planner.schema.{module}"), kind)
    click.echo(json.dumps(model.model_json_schema(), indent=2))


@click.command()
@click.option("--port", type=click.IntRange(1, 65535), default=8501, show_default=True, help="Port to listen on.")
def app(port: int) -> None:
    """Start the dashboard."""
    from planner.ui.launch import serve

    say(Message("Dashboard: {address}  (Ctrl+C stops it)", address=f"http://localhost:{port}"))
    sys.stdout.flush()
    serve(port)
