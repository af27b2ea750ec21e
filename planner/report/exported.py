"""Arguments that `planner export` wrote, started on a real engine: what was measured beside what is predicted."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

from planner.calibration.points import Point, read_points
from planner.calibration.predict import predict
from planner.catalog import Catalog
from planner.errors import CatalogError
from planner.report.accuracy import PLOT_UNITS

_WORDS = """## Exported arguments on a real engine

vLLM 0.20.0 was started with the arguments of an exported bundle, unchanged, on rented GPUs (2026-11-26), with random
weights in place of a checkpoint (`--load-format dummy`), and driven by its own `vllm bench serve`. The 32B distill was
ready after 204 s, of which 86 s compilation; DeepSeek-R1 in INT4 (AWQ) on four H200 after 316 s. The rows are
catalogs/measured/exported_runs.csv; nothing is fitted to them.

- The distill's prompts and answers are all of equal length, which keeps users in step: at 32 and 64 users every wave
  of prompts queues like the first, and TTFT is about three times the prediction, which is for lengths that differ.
- Random weights send most tokens of DeepSeek-R1 to the same experts. At eight users the median step took 0.7 ms longer
  than at one; reading the experts that eight different tokens need would take over 3 ms at the full bandwidth. Only its
  single user says something about the prediction.
- DeepSeek-R1 in INT4 stopped at 32 users: a prompt cut in two by the token budget meets a fault of this vLLM (MLA
  attention over weights without a `weight` of their own; still there in 0.22.1). Bundles of such plans now serve
  prompts whole and without a prefix cache."""


def runs_file(catalog: Catalog) -> Path:
    """Measured rows, with the columns of `planner validate`."""
    return catalog.folder / "measured" / "exported_runs.csv"


def section(catalog: Catalog) -> str:
    """Markdown with one row for each measured figure.

    Raises
    ------
    CatalogError
        If a row cannot be resolved.
    WorkloadError
        If the file cannot be read.
    """
    points, refused = read_points(runs_file(catalog), catalog)
    if refused:
        raise CatalogError(
            "{file}, {id}: {reason}", file=runs_file(catalog).name, id=refused[0].id, reason=refused[0].reason
        )
    return "\n".join([_WORDS, "", *_table(points, catalog)])


def _table(points: Sequence[Point], catalog: Catalog) -> list[str]:
    head = ["| LLM | GPUs | weights | users | figure | measured | predicted | error |"]
    head.append("| --- | --- | --- | --: | --- | --: | --: | --: |")
    return head + [_row(p, float(value)) for p, value in zip(points, predict(points, catalog), strict=True)]


def _row(point: Point, predicted: float) -> str:
    unit, scale = PLOT_UNITS[point.metric]
    figure = {"ttft": "TTFT, mean", "tpot": "TPOT, mean", "output": "output"}[point.metric]
    value, found = (f"{amount * scale:,.4g} {unit}" for amount in (point.value, predicted))
    cells = [point.llm, f"{point.gpus} × {point.accelerator}", point.weights, f"{point.load:g}", figure, value, found]
    return f"| {' | '.join([*cells, f'{predicted / point.value - 1:+.0%}'])} |"
