"""Commands that answer: plan, estimate, export, lint, validate."""

from __future__ import annotations

import json
import re
from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from planner.cli.learning import calibration_option, catalog_under
from planner.cli.output import print_table, say, wrapped
from planner.errors import Message, NoPlan, WorkloadError
from planner.i18n import language_from_environment, translator
from planner.workloads import field_value

if TYPE_CHECKING:
    from planner.catalog import Catalog
    from planner.schema import PlanResult


def workload_options(command: Callable[..., Any]) -> Callable[..., Any]:
    """Options that replace fields of a workload."""
    for flags, field, kind, text in reversed(_FIELDS):
        many = field in _MANY
        command = click.option(*flags, field.replace(".", "__"), type=kind, multiple=many, default=None, help=text)(
            command
        )
    help_text = "Replace any field: traffic.rate_per_s=20, prices.h200=2.1."
    return click.option("--set", "assignments", multiple=True, metavar="FIELD=VALUE", help=help_text)(command)


pools_option = click.option(
    "--pools", metavar="P:D", help="The plan in two pools: P engines compute prompts, D answer, in groups."
)

_FIELDS: list[tuple[tuple[str, ...], str, Any, str]] = [
    (("--llm",), "llm", str, "LLM id or synonym."),
    (("--rate",), "traffic.rate_per_s", float, "Mean requests per second of the fleet."),
    (("--concurrency",), "traffic.concurrency", int, "Requests in service at once, in place of a rate."),
    (("--input",), "traffic.input_tokens", int, "Mean prompt tokens."),
    (("--output",), "traffic.output_tokens", int, "Mean answer tokens."),
    (("--prefix-hit-rate",), "traffic.prefix_hit_rate", float, "Share of prompt tokens in the prefix cache."),
    (("--router",), "traffic.router", str, "Who gets a request: round-robin, least-load or prefix."),
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


def changes_of(options: dict[str, Any], assignments: tuple[str, ...]) -> dict[str, Any]:
    """New field values: named options, then --set in order."""
    changes = {
        k.replace("__", "."): list(v) if isinstance(v, tuple) else v for k, v in options.items() if v not in (None, ())
    }
    if {"traffic.rate_per_s", "traffic.concurrency"} <= changes.keys():
        raise WorkloadError("--rate and --concurrency: give one of them; a load is either open or closed.")
    for assignment in assignments:
        field, equals, text = assignment.partition("=")
        if not equals or not field:
            raise WorkloadError(
                "--set {assignment}: give FIELD=VALUE, such as traffic.rate_per_s=20.", assignment=assignment
            )
        changes[field] = field_value(text)
    return changes


@click.command()
@click.argument("workload", default="default")
@workload_options
@pools_option
@calibration_option
@click.option("--top", type=click.IntRange(1, 50), default=12, show_default=True, help="Plans to return.")
@click.option("--explain", is_flag=True, help="Formula, inputs, sources and band of each headline number.")
@click.option("--json", "as_json", is_flag=True, help="JSON on stdout.")
def plan(
    workload: str,
    assignments: tuple[str, ...],
    pools: str | None,
    calibration: tuple[Path, ...],
    top: int,
    explain: bool,
    as_json: bool,
    **options: Any,
) -> None:
    """Answer WORKLOAD: a preset (default, article, chat, rag, code, reasoning, 2000-concurrent) or a TOML file."""
    catalog = catalog_under(calibration)
    result = plan_of(workload, options, assignments, catalog, top)
    if pools is not None:
        result = _apart(result, 1, pools, catalog)
    if explain:
        _print_explanations(result, catalog, as_json)
    elif as_json:
        click.echo(result.model_dump_json(indent=2))
    else:
        _print_plan(result)
        if calibration:
            _tell_own_figures(result, catalog)


def _tell_own_figures(result: PlanResult, catalog: Catalog) -> None:
    """Own figures hold for their set-up only; a plan of another one is as it was."""
    from planner.search.learned import own_names

    _ = translator(language_from_environment())
    touched = [str(p.rank) for p in result.plans if own_names(catalog, [(p.accelerator, p.llm, p.engine)])]
    told = _("Own figures apply to the plans {ranks}.") if touched else _("Own figures apply to none of these plans.")
    click.echo(told.format(ranks=", ".join(touched)))


def plan_of(
    workload: str, options: dict[str, Any], assignments: tuple[str, ...], catalog: Catalog, top: int = 12
) -> PlanResult:
    """Plan a workload under the options of a command; where nothing keeps its promise, say what could be kept."""
    from planner.search.plan import plan as run
    from planner.workloads import load_workload

    asked = load_workload(workload, changes_of(options, assignments))
    try:
        return run(asked, catalog, top)
    except NoPlan as refused:
        from planner.report.easing import with_ways_out
        from planner.search.easing import eased

        raise with_ways_out(refused, eased(asked, catalog)) from None


def _print_plan(result: PlanResult) -> None:
    from planner.report import tables
    from planner.report.sizing import sizing_sentence

    _ = translator(language_from_environment())
    click.echo(wrapped(tables.sentence(result, _)))
    click.echo(wrapped(sizing_sentence(result.plans[0], _)))
    print_table(tables.plan_table(result, _))
    print_table(tables.rejection_table(result, _))
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


def _print_explanations(result: PlanResult, catalog: Catalog, as_json: bool) -> None:
    from planner.report.explain import assumption_lines, explain
    from planner.report.words import explanation_words

    if as_json:
        click.echo(json.dumps([e.model_dump() for e in explain(result, catalog)], indent=2, ensure_ascii=False))
        return
    _ = translator(language_from_environment())
    for one in explain(result, catalog, _=_):
        click.secho(f"{explanation_words(_)[one.name]}: {one.value}", bold=True)
        click.echo(wrapped(f"= {one.formula}", "    "))
        for line in assumption_lines(one.inputs):
            click.echo(wrapped(line, "      "))
        click.echo(wrapped(one.band, "    "))


@click.command()
@click.option("--llm", required=True, help="LLM id or synonym.")
@click.option("--accelerator", required=True, help="Accelerator id or synonym.")
@click.option("--gpus", type=int, show_default="8", help="Accelerators of the replica.")
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
@click.option("--speculation", help="Drafts per step: mtp:K, ngram:K or draft:LLM:K.")
@click.option("--acceptance", type=float, help="Share of drafts that hold; default: as measured for mtp.")
@click.option("--sparsity", help="2:4, two of four weights pruned.")
@click.option("--offload", help="In host memory: experts:cpu, experts:pcie or layers:pcie, then :SHARE.")
@click.option("--host", help="Host processor of --offload.")
@click.option("--sockets", type=int, default=2, show_default=True, help="Processors of --host.")
@click.option("--host-memory-gb", type=float, help="Host memory; default: 128 GB per channel.")
@click.option("--profile", default="tuned", show_default=True, help="Software: tuned, default flags, or old.")
@click.option("--mode", default="aggregated", show_default=True, help="aggregated or disaggregated.")
@click.option("--prefill-gpus", type=int, help="Accelerators of the prefill pool.")
@click.option("--decode-gpus", type=int, help="Accelerators of the decode pool; --tp and others lay out its replicas.")
@click.option("--prefill-tp", type=int, help="Tensor parallel of a prefill replica; default: the whole pool.")
@click.option(
    "--prefill-dp", type=int, default=1, show_default=True, help="Attention data parallel of a prefill replica."
)
@click.option("--prefill-ep", type=int, default=1, show_default=True, help="Expert parallel of a prefill replica.")
@calibration_option
@click.option("--json", "as_json", is_flag=True, help="JSON on stdout.")
def estimate(calibration: tuple[Path, ...], as_json: bool, gpus: int | None, **question: Any) -> None:
    """Memory, latency, throughput and power of one layout at one concurrency."""
    from planner.report.tables import estimate_table
    from planner.search.estimate import Question
    from planner.search.estimate import estimate as run

    if gpus is not None and question["mode"] == "disaggregated":
        raise WorkloadError("--gpus with --mode disaggregated: give --prefill-gpus and --decode-gpus instead.")
    answer = run(catalog_under(calibration), Question(**question | ({} if gpus is None else {"gpus": gpus})))
    if as_json:
        click.echo(answer.model_dump_json(indent=2))
    else:
        print_table(estimate_table(answer, translator(language_from_environment())))


@click.command()
@click.argument("workload", default="default")
@workload_options
@click.option("--plan", "rank", type=click.IntRange(1, 50), default=1, show_default=True, help="Rank of the plan.")
@pools_option
@click.option("--from", "saved", type=click.Path(path_type=Path), help="Answer of planner plan --json, kept in a file.")
@click.option("--out", type=click.Path(path_type=Path), required=True, help="Folder to write.")
@calibration_option
@click.option("--force", is_flag=True, help="Replace a folder that exists.")
def export(
    workload: str,
    assignments: tuple[str, ...],
    rank: int,
    pools: str | None,
    saved: Path | None,
    out: Path,
    calibration: tuple[Path, ...],
    force: bool,
    **options: Any,
) -> None:
    """Write the bundle of a plan: what deploys, watches and explains it."""
    from planner.bundle.write import documents, write_bundle

    catalog = catalog_under(calibration)
    if saved is None:
        result = plan_of(workload, options, assignments, catalog, max(rank, 12))
    else:
        result = _saved(saved, workload, changes_of(options, assignments), catalog)
    if rank > len(result.plans):
        raise WorkloadError(
            "--plan {rank}: there are {count} plans.\n  List them: planner plan {workload}",
            rank=rank,
            count=len(result.plans),
            workload=workload,
        )
    if pools is not None:
        result, rank = _apart(result, rank, pools, catalog), 1
    files = documents(result, rank, catalog)
    write_bundle(files, out, force)
    say(Message("{title}: {n} files in {out}", title=result.plans[rank - 1].title, n=len(files), out=out))
    if result.catalog_sha256 != catalog.sha256:
        text = Message(
            "Planned with other catalogs ({before}) than those here ({now}): plan again before you rely on it.",
            before=f"{result.catalog_as_of}, {result.catalog_sha256[:8]}",
            now=f"{catalog.as_of}, {catalog.sha256[:8]}",
        )
        say(text, err=True)


def _apart(result: PlanResult, rank: int, pools: str, catalog: Catalog) -> PlanResult:
    """One of the plans in two pools."""
    from planner.search.apart import two_pools

    found = re.fullmatch(r"(\d{1,4}):(\d{1,4})", pools)
    if found is None:
        raise WorkloadError(
            "--pools {pools}: give engines that compute prompts and that answer, such as 1:1 or 1:2.", pools=pools
        )
    return two_pools(result, rank, catalog, (int(found[1]), int(found[2])))


def _saved(path: Path, workload: str, changes: dict[str, Any], catalog: Catalog) -> PlanResult:
    """Plans of a file; they are what they are, so nothing else may be asked."""
    from planner.bundle.saved import read_plans

    if workload != "default" or changes:
        asked = ", ".join(([workload] if workload != "default" else []) + sorted(changes))
        raise WorkloadError(
            "--from {path} and {asked}: a saved plan answers its own workload.\n  Give one of them.",
            path=path,
            asked=asked,
        )
    return read_plans(path, catalog)


@click.command()
@click.argument("folder", type=click.Path(path_type=Path))
@click.option("--strict", is_flag=True, help="A check that could not run is a failure.")
@click.option("--record", is_flag=True, help="Write the verdicts, with the tools' versions, to validation.json.")
@click.option("--json", "as_json", is_flag=True, help="JSON on stdout.")
def lint(folder: Path, strict: bool, record: bool, as_json: bool) -> int:
    """Check a bundle: checksums, cross references, engine arguments, and the tools that read its files."""
    from planner.bundle.lint import lint as run

    findings = run(folder)
    if record:
        from planner.bundle.validation import record as keep

        keep(folder, findings)
    bad = [f for f in findings if f.severity == "error" or (strict and f.severity == "not_checked")]
    if as_json:
        click.echo(json.dumps([f.__dict__ for f in findings], indent=2))
    else:
        for finding in findings:
            click.echo(f"{finding.severity:<12} {finding.rule:<28} {finding.file}: {finding.message}")
        say(Message("{n} findings, {bad} failures", n=len(findings), bad=len(bad)))
    return 1 if bad else 0


@click.command()
@click.argument("points", type=click.Path(path_type=Path))
@click.option("--json", "as_json", is_flag=True, help="JSON on stdout.")
def validate(points: Path, as_json: bool) -> None:
    """Compare predictions with the measurements in POINTS.csv, with errors by group."""
    from planner.calibration.score import validate as run
    from planner.catalog import load_catalog
    from planner.report.tables import validation_table

    _ = translator(language_from_environment())
    result = run(points, load_catalog(), _)
    if as_json:
        click.echo(result.model_dump_json(indent=2))
        return
    print_table(validation_table(result, _))
    missing = [p for p in result.points if p.reason]
    rows = len(result.points)
    say(Message("{n} of {rows} rows predicted", n=rows - len(missing), rows=rows))
    for one in missing[:10]:
        click.echo(wrapped(f"{one.id} {one.metric}: {one.reason}", "  "))
    if len(missing) > 10:
        say(Message("  and {n} more, see --json", n=len(missing) - 10))
