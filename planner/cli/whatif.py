"""The command that changes assumptions: whatif."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from planner.cli.horizon_options import horizon_options, outlook_of, tell
from planner.cli.learning import calibration_option, catalog_under
from planner.cli.output import print_table, say, wrapped
from planner.cli.workers import progress_bar, worker_options
from planner.errors import Message, WorkloadError
from planner.i18n import language_from_environment, translator

if TYPE_CHECKING:
    from planner.schema.whatif import Comparison, WhatIf
    from planner.search.change import Change, Question


@click.command()
@click.argument("workload", default="default")
@click.option(
    "--set", "assignments", multiple=True, metavar="FIELD=VALUE",
    help="A field and its new value or share: traffic.rate_per_s=20, prices.h200=2.1, purchases.h200=+20%, "
    "cloud.spot=-10%, site.electricity_usd_per_kwh=0.2, layout.tp=8, accelerators.h200.tdp_w=600; repeatable.",
)  # fmt: skip
@click.option("--sweep", "sweeps", multiple=True, metavar="FIELD=A,B,C", help="Values to try; one or two fields.")
@click.option(
    "--compare", "files", multiple=True, type=click.Path(path_type=Path), metavar="FILE",
    help="A saved scenario or another workload, side by side; repeatable.",
)  # fmt: skip
@horizon_options
@click.option("--keep", is_flag=True, help="Keep accelerator, layout and supply of the plan before; resize it only.")
@click.option("--save", type=click.Path(path_type=Path), help="Write the changes as a scenario file.")
@click.option("--force", is_flag=True, help="Replace a file that exists.")
@worker_options
@calibration_option
@click.option("--json", "as_json", is_flag=True, help="JSON on stdout.")
def whatif(
    workload: str,
    assignments: tuple[str, ...],
    sweeps: tuple[str, ...],
    files: tuple[Path, ...],
    keep: bool,
    save: Path | None,
    force: bool,
    workers: int | None,
    cluster: str | None,
    calibration: tuple[Path, ...],
    as_json: bool,
    **ahead: Any,
) -> None:
    """Change assumptions of WORKLOAD, plan again: before, after, and what the difference consists of.

    With --years, --growth, --dearer, --delivery-weeks or --next: what to buy when, over the years to come.
    """
    from planner.search.change import Question, apply, parse_change
    from planner.search.horizon import horizon
    from planner.search.scenarios import write_scenario
    from planner.search.spread import Workers
    from planner.search.whatif import sweep
    from planner.search.whatif import whatif as run
    from planner.workloads import load_workload

    question = Question(load_workload(workload), catalog_under(calibration))
    changes = [parse_change(text) for text in assignments]
    outlook = outlook_of(ahead, question.workload.horizon_years)
    if outlook is not None:
        if sweeps or files or keep:
            raise WorkloadError("--years and the like go with --set alone, not with --sweep, --compare or --keep.")
        tell(horizon(apply(question, changes)[0], outlook), as_json)
    elif sweeps and files:
        raise WorkloadError("--sweep and --compare: give one of them.")
    elif keep and (sweeps or files):
        raise WorkloadError("--keep goes with --set alone; pin with --set layout.tp=8 and others instead.")
    elif (workers or cluster) and not sweeps:
        raise WorkloadError("--workers and --cluster go with --sweep: one plan is not worth them.")
    elif sweeps:
        who = Workers(1 if workers is None else workers, cluster)
        with progress_bar(translator(language_from_environment())("Planning")) as progress:
            found = sweep(question, _fields(sweeps), changes, who, progress)
        _tell_cases(found, as_json)
    elif files:
        _tell_cases(_compared(question, changes, files), as_json)
    else:
        _tell(run(question, changes, keep), as_json)
    if save is not None:
        write_scenario(save, save.stem, changes, force)
        say(Message("{out} written", out=save), err=True)


def _fields(sweeps: tuple[str, ...]) -> dict[str, list[str]]:
    found: dict[str, list[str]] = {}
    for text in sweeps:
        field, _, values = text.partition("=")
        parts = [part.strip() for part in values.split(",") if part.strip()]
        if not field or not parts:
            raise WorkloadError("--sweep {text}: give FIELD=A,B,C, such as traffic.rate_per_s=5,10,20.", text=text)
        if field in found:
            raise WorkloadError("--sweep {field}: is given twice.\n  Give all its values in one.", field=field)
        found[field] = parts
    return found


def _compared(question: Question, changes: list[Change], files: tuple[Path, ...]) -> Comparison:
    from planner.search.change import apply
    from planner.search.scenarios import read_scenario
    from planner.search.whatif import compare

    base = question.workload.name or question.workload.llm
    cases = {base: apply(question, changes)}
    for file in files:
        name, start, own = read_scenario(file, question)
        if name in cases:
            raise WorkloadError(
                "{file}: a scenario named {name!r} is there already.\n  Give it another name.",
                file=file.name,
                name=name,
            )
        cases[name] = apply(start, [*changes, *own])
    return compare(cases)


def _tell(answer: WhatIf, as_json: bool) -> None:
    from planner.report import whatif as report

    if as_json:
        click.echo(answer.model_dump_json(indent=2))
        return
    _ = translator(language_from_environment())
    click.echo(wrapped(report.sentence(answer, _)))
    print_table(report.difference_table(answer, _))
    for table in report.driver_tables(answer, _):
        print_table(table)
    if answer.refusal:
        click.echo(answer.refusal)


def _tell_cases(answer: Comparison, as_json: bool) -> None:
    from planner.report import whatif as report

    if as_json:
        click.echo(answer.model_dump_json(indent=2))
        return
    _ = translator(language_from_environment())
    print_table(report.comparison_table(answer, _))
    for case in answer.cases:
        if case.refusal:
            click.echo(wrapped(f"{case.name}: {report.reason(case, _)}"))
