"""The command line: parse, call, print."""

from __future__ import annotations

import json
import os
import re
import sys
from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from planner.errors import PlannerError, WorkloadError
from planner.i18n import language_from_environment, translator

if TYPE_CHECKING:
    from pydantic import BaseModel

    from planner.report.tables import TextTable
    from planner.schema import PlanResult

WIDTH_WHEN_PIPED = 150


def main() -> None:
    """Console entry: expected failures are one message and exit 1; bugs keep their traceback."""
    try:
        code = cli.main(prog_name="planner", standalone_mode=False)
    except PlannerError as error:
        _stop(str(error), 1)
    except click.exceptions.Abort:
        _stop("stopped", 130)
    except click.ClickException as error:
        error.show()
        sys.exit(error.exit_code)
    except BrokenPipeError:
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        sys.exit(0)
    sys.exit(code if isinstance(code, int) else 0)


def _stop(message: str, code: int) -> None:
    click.echo(f"planner: {message}", err=True)
    sys.exit(code)


@click.group(context_settings={"help_option_names": ["-h", "--help"]})
@click.version_option(package_name="llm-capacity-planner", prog_name="planner")
def cli() -> None:
    """Plan, price and deploy LLM serving: what to buy or rent, what it costs, how sure that is."""


def workload_options(command: Callable[..., Any]) -> Callable[..., Any]:
    """Options that replace fields of a workload."""
    for flags, field, kind, text in reversed(_FIELDS):
        many = field in _MANY
        command = click.option(*flags, field.replace(".", "__"), type=kind, multiple=many, default=None, help=text)(
            command
        )
    help_text = "Replace any field: traffic.rate_per_s=20, prices.h200=2.1."
    return click.option("--set", "assignments", multiple=True, metavar="FIELD=VALUE", help=help_text)(command)


_FIELDS: list[tuple[tuple[str, ...], str, Any, str]] = [
    (("--llm",), "llm", str, "LLM id or synonym."),
    (("--rate",), "traffic.rate_per_s", float, "Mean requests per second of the fleet."),
    (("--concurrency",), "traffic.concurrency", int, "Requests in service at once, in place of a rate."),
    (("--input",), "traffic.input_tokens", int, "Mean prompt tokens."),
    (("--output",), "traffic.output_tokens", int, "Mean answer tokens."),
    (("--prefix-hit-rate",), "traffic.prefix_hit_rate", float, "Share of prompt tokens in the prefix cache."),
    (("--ttft-p99",), "slo.ttft_p99_s", float, "P99 time to first token, seconds."),
    (("--tpot-p99",), "slo.tpot_p99_s", float, "P99 time per output token, seconds."),
    (("--availability",), "slo.availability", float, "Share of time in which the promise holds."),
    (("--accelerator",), "limits.accelerators", str, "Accelerator to consider; repeatable."),
    (("--weights",), "limits.weights", str, "Weight precision to consider; repeatable."),
    (("--kv",), "limits.kv", str, "KV cache precision to consider; repeatable."),
    (("--engine",), "limits.engines", str, "Engine to consider; repeatable."),
    (("--max-gpus",), "limits.max_gpus_per_replica", int, "Largest replica."),
    (("--supply",), "supply.options", str, "own, on_demand, commitment or spot; repeatable."),
    (("--provider",), "supply.providers", str, "Cloud to consider; repeatable."),
    (("--site",), "site", str, "Where owned hardware stands."),
    (("--horizon",), "horizon_years", float, "Years over which a purchase is recovered."),
]
_MANY = {
    "limits.accelerators",
    "limits.weights",
    "limits.kv",
    "limits.engines",
    "supply.options",
    "supply.providers",
}


def _changes(options: dict[str, Any], assignments: tuple[str, ...]) -> dict[str, Any]:
    """New field values: named options, then --set in order."""
    changes = {
        k.replace("__", "."): list(v) if isinstance(v, tuple) else v for k, v in options.items() if v not in (None, ())
    }
    if {"traffic.rate_per_s", "traffic.concurrency"} <= changes.keys():
        raise WorkloadError("--rate and --concurrency: give one of them; a load is either open or closed.")
    for assignment in assignments:
        field, equals, text = assignment.partition("=")
        if not equals or not field:
            raise WorkloadError(f"--set {assignment}: give FIELD=VALUE, such as traffic.rate_per_s=20.")
        changes[field] = _value(text)
    return changes


def _value(text: str) -> Any:
    try:
        return json.loads(text)
    except (json.JSONDecodeError, RecursionError):
        return text


@cli.command()
@click.argument("workload", default="default")
@workload_options
@click.option("--top", type=click.IntRange(1, 50), default=12, show_default=True, help="Plans to return.")
@click.option("--explain", is_flag=True, help="Formula, inputs, sources and band of each headline number.")
@click.option("--json", "as_json", is_flag=True, help="JSON on stdout.")
def plan(workload: str, assignments: tuple[str, ...], top: int, explain: bool, as_json: bool, **options: Any) -> None:
    """Answer WORKLOAD: a preset (default, article, chat, rag, code, reasoning, 2000-concurrent) or a TOML file."""
    result = _plan(workload, options, assignments, top)
    if explain:
        _print_explanations(result, as_json)
    elif as_json:
        click.echo(result.model_dump_json(indent=2))
    else:
        _print_plan(result)


def _plan(workload: str, options: dict[str, Any], assignments: tuple[str, ...], top: int = 12) -> PlanResult:
    from planner.catalog import load_catalog
    from planner.search.plan import plan as run
    from planner.workloads import load_workload

    return run(load_workload(workload, _changes(options, assignments)), load_catalog(), top)


def _print_plan(result: PlanResult) -> None:
    from planner.report import tables

    _ = translator(language_from_environment())
    click.echo(_wrapped(tables.sentence(result, _)))
    _print_table(tables.plan_table(result, _))
    _print_table(tables.rejection_table(result, _))
    note = _(
        "{n:,} candidates in {s:.2f} s; catalogs of {day}, {hash}. '!' marks prices older than 180 days. "
        "Explain: planner plan --explain"
    )
    click.echo(
        note.format(
            n=result.candidates_evaluated,
            s=result.wall_s,
            day=result.catalog_as_of,
            hash=result.catalog_sha256[:8],
        )
    )


def _print_explanations(result: PlanResult, as_json: bool) -> None:
    from planner.catalog import load_catalog
    from planner.report.explain import explain

    found = explain(result, load_catalog())
    if as_json:
        click.echo(json.dumps([e.model_dump() for e in found], indent=2, ensure_ascii=False))
        return
    for one in found:
        click.secho(f"{one.name}: {one.value}", bold=True)
        click.echo(_wrapped(f"= {one.formula}", "    "))
        for given in one.inputs:
            value = f"{given.value:,.6g}" if isinstance(given.value, float | int) else given.value
            click.echo(_wrapped(f"{given.name} = {value} {given.unit}: {given.source}", "      "))
        click.echo(_wrapped(one.band, "    "))


@cli.command()
@click.option("--llm", required=True, help="LLM id or synonym.")
@click.option("--accelerator", required=True, help="Accelerator id or synonym.")
@click.option("--gpus", type=int, default=8, show_default=True, help="Accelerators of the replica.")
@click.option("--tp", type=int, help="Tensor parallel; default: all accelerators.")
@click.option("--dp", type=int, default=1, show_default=True, help="Attention data parallel.")
@click.option("--pp", type=int, default=1, show_default=True, help="Pipeline parallel.")
@click.option("--ep", type=int, default=1, show_default=True, help="Expert parallel: 1 or tp x dp.")
@click.option("--weights", help="Weight precision; default: as published.")
@click.option("--kv", default="bf16", show_default=True, help="KV cache precision.")
@click.option("--engine", default="vllm", show_default=True, help="Engine.")
@click.option("--input", "input_tokens", type=int, default=1024, show_default=True, help="Prompt tokens.")
@click.option("--output", "output_tokens", type=int, default=1024, show_default=True, help="Answer tokens.")
@click.option("--concurrency", type=int, default=64, show_default=True, help="Requests in service at once.")
@click.option("--utilisation", type=float, help="Share of memory that the engine takes; default: the engine's.")
@click.option("--prefix-hit-rate", type=float, default=0.0, show_default=True, help="Share of prompt tokens cached.")
@click.option("--site", default="us-average", show_default=True, help="Site, for its PUE.")
@click.option("--json", "as_json", is_flag=True, help="JSON on stdout.")
def estimate(as_json: bool, **question: Any) -> None:
    """Memory, latency, throughput and power of one layout at one concurrency."""
    from planner.catalog import load_catalog
    from planner.report.tables import estimate_table
    from planner.search.estimate import Question
    from planner.search.estimate import estimate as run

    answer = run(load_catalog(), Question(**question))
    if as_json:
        click.echo(answer.model_dump_json(indent=2))
    else:
        _print_table(estimate_table(answer, translator(language_from_environment())))


@cli.command()
@click.argument("workload", default="default")
@workload_options
@click.option("--plan", "rank", type=click.IntRange(1, 50), default=1, show_default=True, help="Rank of the plan.")
@click.option("--out", type=click.Path(path_type=Path), required=True, help="Folder to write.")
@click.option("--force", is_flag=True, help="Replace a folder that exists.")
def export(workload: str, assignments: tuple[str, ...], rank: int, out: Path, force: bool, **options: Any) -> None:
    """Write the bundle of a plan: what deploys, watches and explains it."""
    from planner.bundle.write import documents, write_bundle
    from planner.catalog import load_catalog

    result = _plan(workload, options, assignments, max(rank, 12))
    if rank > len(result.plans):
        raise WorkloadError(
            f"--plan {rank}: there are {len(result.plans)} plans.\n  List them: planner plan {workload}"
        )
    files = documents(result, rank, load_catalog())
    write_bundle(files, out, force)
    click.echo(f"{result.plans[rank - 1].title}: {len(files)} files in {out}")


@cli.command()
@click.argument("folder", type=click.Path(path_type=Path))
@click.option("--strict", is_flag=True, help="A check that could not run is a failure.")
@click.option("--json", "as_json", is_flag=True, help="JSON on stdout.")
def lint(folder: Path, strict: bool, as_json: bool) -> int:
    """Check a bundle: checksums, schemas, cross references, engine arguments."""
    from planner.bundle.lint import lint as run

    findings = run(folder)
    bad = [f for f in findings if f.severity == "error" or (strict and f.severity == "not_checked")]
    if as_json:
        click.echo(json.dumps([f.__dict__ for f in findings], indent=2))
    else:
        for finding in findings:
            click.echo(f"{finding.severity:<12} {finding.rule:<28} {finding.file}: {finding.message}")
        click.echo(f"{len(findings)} findings, {len(bad)} failures")
    return 1 if bad else 0


@cli.command()
@click.argument("points", type=click.Path(path_type=Path))
@click.option("--json", "as_json", is_flag=True, help="JSON on stdout.")
def validate(points: Path, as_json: bool) -> None:
    """Compare predictions with the measurements in POINTS.csv, with errors by group."""
    from planner.calibration.score import validate as run
    from planner.catalog import load_catalog
    from planner.report.tables import validation_table

    result = run(points, load_catalog())
    if as_json:
        click.echo(result.model_dump_json(indent=2))
        return
    _print_table(validation_table(result, translator(language_from_environment())))
    missing = [p for p in result.points if p.reason]
    click.echo(f"{len(result.points) - len(missing)} of {len(result.points)} rows predicted")
    for one in missing[:10]:
        click.echo(_wrapped(f"{one.id} {one.metric}: {one.reason}", "  "))
    if len(missing) > 10:
        click.echo(f"  and {len(missing) - 10} more, see --json")


@cli.group()
def catalog() -> None:
    """The facts: list, show, check, import."""


@catalog.command("ls")
@click.argument("kind", required=False)
def catalog_ls(kind: str | None) -> None:
    """List the rows of KIND (accelerators, llms, engines, prices, sites, …), or the kinds."""
    from planner.catalog import load_catalog
    from planner.errors import UnknownName

    everything = load_catalog().everything()
    if kind is None:
        for name, rows in everything.items():
            click.echo(f"{name:<16} {len(rows):>6}")
        return
    if kind not in everything:
        raise UnknownName("catalog", kind, everything, "planner catalog ls")
    for id, row in everything[kind].items():
        label = getattr(row, "name", "") or getattr(row, "instance_type", "") or getattr(row, "meaning", "")
        click.echo(f"{id:<28} {label}  ({row.source_date}, {row.confidence})")


@catalog.command("show")
@click.argument("id")
@click.option("--json", "as_json", is_flag=True, help="JSON on stdout.")
def catalog_show(id: str, as_json: bool) -> None:
    """Show a row with the source, date and confidence of each figure."""
    from planner.catalog import load_catalog

    kind, name, row = load_catalog().find(id)
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
            click.echo(f"  {field:<32} {_shown(value):<40} {confidence}")
    click.echo(_wrapped(f"source: {row.source} ({row.source_date})", "  "))
    if row.notes:
        click.echo(_wrapped(f"notes: {row.notes}", "  "))


def _shown(value: Any) -> str:
    if isinstance(value, float | int) and not isinstance(value, bool):
        return f"{value:,.6g}"
    if isinstance(value, dict):
        return ", ".join(f"{k} {_shown(v)}" for k, v in value.items())
    return ", ".join(map(str, value)) if isinstance(value, tuple) else str(value)


@catalog.command("check")
@click.argument("folder", type=click.Path(path_type=Path, exists=True, file_okay=False), required=False)
def catalog_check(folder: Path | None) -> None:
    """Read and validate every catalog file."""
    from planner.catalog import load_catalog

    found = load_catalog(folder)
    rows = sum(len(kind) for kind in found.everything().values())
    click.echo(f"{len(found.files())} files, {rows} rows, all with source, date and confidence; {found.sha256[:8]}")


@catalog.command("import")
@click.argument("config", type=click.Path(path_type=Path))
@click.option("--id", "id_", help="Id of the new entry; default: from the file's folder or name.")
@click.option("--out", type=click.Path(path_type=Path), help="Append to this llms.toml; default: print.")
def catalog_import(config: Path, id_: str | None, out: Path | None) -> None:
    """Turn a Hugging Face config.json into an LLM entry."""
    from planner.catalog import add_llm, load_catalog
    from planner.huggingface import llm_from_config, llm_to_toml, read_config

    name = id_ or (config.parent.name if config.name == "config.json" else config.stem) or "imported"
    entry = llm_from_config(read_config(config), name, load_catalog().as_of)
    text = llm_to_toml(llm_slug(name), entry)
    if out is None:
        click.echo(text, nl=False)
    else:
        add_llm(out, text)
        click.echo(f"{llm_slug(name)} added to {out}")


def llm_slug(name: str) -> str:
    """An id from any name: lower case, hyphens.

    Examples
    --------
    >>> llm_slug("Qwen/Qwen3_Next 80B")
    'qwen-qwen3-next-80b'
    """
    return re.sub(r"[^a-z0-9.]+", "-", name.lower()).strip("-.")[:64] or "imported"


@cli.command()
@click.argument("name", type=click.Choice(["plan", "estimate", "workload"]))
def schema(name: str) -> None:
    """Print the JSON schema of an answer or of a workload file."""
    from planner import schema as schemas

    models: dict[str, type[BaseModel]] = {
        "plan": schemas.PlanResult,
        "estimate": schemas.Estimate,
        "workload": schemas.Workload,
    }
    model = models[name]
    click.echo(json.dumps(model.model_json_schema(), indent=2))


@cli.command()
@click.option("--port", type=click.IntRange(1, 65535), default=8501, show_default=True, help="Port to listen on.")
def app(port: int) -> None:
    """Start the dashboard."""
    from planner.assets import app_file

    click.echo(f"Dashboard: http://localhost:{port}  (Ctrl+C stops it)")
    sys.stdout.flush()
    file = app_file()
    os.chdir(file.parent)
    os.execv(sys.executable, [sys.executable, "-m", "streamlit", "run", file.name, "--server.port", str(port)])


def _print_table(table: TextTable) -> None:
    from rich.console import Console
    from rich.table import Table

    width = None if sys.stdout.isatty() else WIDTH_WHEN_PIPED
    grid = Table(
        title=table.title, title_justify="left", box=None, pad_edge=False, padding=(0, 1, 0, 0), title_style="bold"
    )
    for number, heading in enumerate(table.headings):
        numeric = number >= table.numeric_from
        grid.add_column(
            heading,
            justify="right" if numeric else "left",
            overflow="fold",
            no_wrap=numeric or (number in (0, 1) and len(table.headings) > 3),
        )
    for row in table.rows:
        grid.add_row(*(cell.replace("[", r"\[") for cell in row))
    click.echo()
    Console(width=width, highlight=False).print(grid)
    click.echo()


def _wrapped(text: str, indent: str = "") -> str:
    width = WIDTH_WHEN_PIPED if not sys.stdout.isatty() else None
    return click.wrap_text(text, width or 100, indent, indent + ("  " if indent else ""))
