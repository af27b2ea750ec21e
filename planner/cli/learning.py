"""Commands that learn from what users measured: calibrate."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from planner.cli.output import print_table, wrapped
from planner.errors import WorkloadError
from planner.i18n import language_from_environment, translator

if TYPE_CHECKING:
    from planner.catalog import Catalog
    from planner.schema import Calibrated, Parameter


def calibration_option(command: Callable[..., Any]) -> Callable[..., Any]:
    """Own figures over the catalog's."""
    return click.option(
        "--calibration",
        multiple=True,
        type=click.Path(path_type=Path),
        help="Own figures over the catalog's, from planner calibrate; repeatable.",
    )(command)


def catalog_under(calibration: tuple[Path, ...]) -> Catalog:
    """The catalogs that ship, under the user's own figures."""
    from planner.catalog import load_catalog

    found = load_catalog()
    for path in calibration:
        found = found.with_calibration(path)
    return found


@click.command()
@click.argument("results", nargs=-1, required=True, type=click.Path(path_type=Path))
@click.option("--llm", default="", help="LLM id or synonym; default: as the files name it.")
@click.option("--accelerator", default="", help="Accelerator id or synonym; default: as planner measure found.")
@click.option("--gpus", type=int, default=8, show_default=True, help="Accelerators of the server that was measured.")
@click.option("--tp", type=int, help="Tensor parallel; default: all accelerators.")
@click.option("--dp", type=int, default=1, show_default=True, help="Attention data parallel.")
@click.option("--pp", type=int, default=1, show_default=True, help="Pipeline parallel.")
@click.option("--ep", type=int, default=1, show_default=True, help="Expert parallel: 1 or tp x dp.")
@click.option("--weights", help="Weight precision; default: as published.")
@click.option("--kv", default="bf16", show_default=True, help="KV cache precision.")
@click.option("--engine", default="vllm", show_default=True, help="Engine.")
@click.option("--out", type=click.Path(path_type=Path), help="File to write, for --calibration; default: show only.")
@click.option("--force", is_flag=True, help="Replace a file that exists.")
@click.option("--json", "as_json", is_flag=True, help="JSON on stdout.")
def calibrate(results: tuple[Path, ...], out: Path | None, force: bool, as_json: bool, **setup: Any) -> None:
    """Learn from RESULTS of aiperf, guidellm or vllm bench serve, all of one set-up, which the options name.

    Or from files of planner measure, all of one accelerator.
    """
    from planner.overlay import write_overlay

    if out is not None and any(out.resolve() == result.resolve() for result in results):
        raise WorkloadError("--out {out}: is one of the results.\n  Give another file.", out=out)
    answer, rows = _learn(results, setup)
    if out is not None:
        write_overlay(out, rows, force)
        answer = answer.model_copy(update={"out": str(out)})
    if as_json:
        click.echo(answer.model_dump_json(indent=2))
    else:
        _print(answer)


def _learn(results: tuple[Path, ...], setup: dict[str, Any]) -> tuple[Calibrated, tuple[Parameter, ...]]:
    """From kernels where all files are of planner measure, else from benchmarks of a server."""
    from planner.calibration.device import learn_device
    from planner.calibration.learn import learn
    from planner.calibration.measured import is_measured
    from planner.catalog import load_catalog
    from planner.search.question import Question

    kernels = [path for path in results if is_measured(path)]
    if kernels and len(kernels) < len(results):
        raise WorkloadError(
            "{kernels} is of planner measure, others are not.\n  Give one kind at a time.", kernels=kernels[0].name
        )
    if kernels:
        return learn_device(results, load_catalog(), setup["accelerator"])
    if not setup["accelerator"]:
        raise WorkloadError("--accelerator is missing.\n  A benchmark's file does not say what it ran on; name it.")
    return learn(results, load_catalog(), Question(**setup))


def _print(answer: Calibrated) -> None:
    from planner.report import learned

    _ = translator(language_from_environment())
    tables = (learned.point_table, learned.scalar_table, learned.score_table)
    for table in tables if answer.points else (learned.scalar_table,):
        print_table(table(answer, _))
    for remark in learned.remarks(answer, _):
        click.echo(wrapped(remark))
    if answer.out is None:
        click.echo(_("Nothing was written; give --out FILE to keep this."))
    else:
        click.echo(_("Written. Plan with it: planner plan --calibration {file}").format(file=answer.out))
