"""The reference pages that are generated: what each catalog column means, and which rows there are."""

from __future__ import annotations

import re
import types
import typing
from collections.abc import Callable, Mapping
from pathlib import Path

from pydantic import BaseModel

from planner.catalog import FILES, Catalog
from planner.schema import Sourced

_BLOCK = re.compile(r"(<!-- generated: (\w+) -->\n).*?(<!-- end -->)", re.DOTALL)


def refresh(page: Path, catalog: Catalog) -> str:
    """The page with each block between `<!-- generated: NAME -->` and `<!-- end -->` made anew."""
    blocks: dict[str, Callable[[], str]] = {
        "columns": columns,
        "rows": lambda: rows(catalog),
        "errors": lambda: errors(catalog),
        "held": lambda: held(catalog),
    }
    text = page.read_text(encoding="utf-8")
    return _BLOCK.sub(lambda found: f"{found[1]}\n{blocks[found[2]]()}\n{found[3]}", text)


def columns() -> str:
    """Markdown tables: every column of every file with unit and meaning."""
    shared = _table(Sourced, set())
    parts = [f"### In every file\n\n{shared}"]
    parts += [f"### {name}\n\n{_table(model, set(Sourced.model_fields))}" for name, model in FILES.items()]
    return "\n\n".join(parts) + "\n"


def _table(model: type[Sourced], left_out: set[str]) -> str:
    lines = ["| column | needed | meaning [unit] |", "| --- | --- | --- |"]
    for name, field in model.model_fields.items():
        if name in left_out:
            continue
        needed = "yes" if field.is_required() else ""
        meaning = (field.description or "").replace("|", "\\|")
        nested = _nested(field.annotation)
        lines.append(f"| `{name}` | {needed} | {meaning}{nested} |")
    return "\n".join(lines)


def _nested(annotation: object) -> str:
    """Keys of a nested table, with their meaning."""
    parts: tuple[object, ...] = (
        typing.get_args(annotation) if isinstance(annotation, types.UnionType) else (annotation,)
    )
    for part in parts:
        if isinstance(part, type) and issubclass(part, BaseModel):
            return ": " + "; ".join(f"`{key}` {value.description}" for key, value in part.model_fields.items())
    return ""


def rows(catalog: Catalog) -> str:
    """Markdown: how many rows each kind has, and the ids of what a plan can name."""
    counts = "\n".join(f"| {kind} | {len(found)} |" for kind, found in catalog.everything().items())
    named: dict[str, Mapping[str, Sourced]] = {
        "accelerators": catalog.accelerators,
        "llms": catalog.llms,
        "engines": catalog.engines,
        "sites": catalog.sites,
    }
    lists = "\n\n".join(f"**{kind}**: {', '.join(f'`{id}`' for id in found)}" for kind, found in named.items())
    return f"| kind | rows |\n| --- | --- |\n{counts}\n\n{lists}\n"


def errors(catalog: Catalog) -> str:
    """Markdown: errors with whole curves left out, as the last calibration measured them."""
    row = catalog.parameter("gemm_memory_efficiency", "bf16")
    watts, names = catalog.parameter("power_awake_share"), ("tpot", "ttft", "output_tokens_per_s", "power")
    bands = {name: catalog.parameter(f"band_{name}", "calibrated") for name in names}
    lines = ["| | 80 % of measured over predicted | points |", "| --- | --- | --- |"]
    lines += [f"| {name} | {band.low:g} to {band.high:g} | {band.n} |" for name, band in bands.items()]
    return (
        f"{row.source} ({row.source_date}).\n\nPower: {watts.source} ({watts.source_date}).\n\n"
        + "\n".join(lines)
        + "\n"
    )


def held(catalog: Catalog) -> str:
    """Markdown: the rate that one replica holds, by how the times of the requests come about."""
    first = catalog.held_rates[0]
    rates = {(row.trace, row.arrivals): row.rate_per_s for row in catalog.held_rates}
    lines = [
        f"{first.replica}; P99 TTFT {first.ttft_p99_s:g} s, P99 TPOT {first.tpot_p99_s * 1e3:g} ms.",
        "",
        "| | recorded times | drawn, as bursty | Poisson |",
        "| --- | --- | --- | --- |",
    ]
    for trace in dict.fromkeys(trace for trace, _ in rates):
        recorded, *drawn = (rates[trace, kind] for kind in ("trace", "mmpp", "poisson"))
        cells = [f"{recorded:.3g}/s", *(f"{rate:.3g}/s (× {rate / recorded:.3g})" for rate in drawn)]
        lines.append(f"| {trace} | {' | '.join(cells)} |")
    return "\n".join(lines) + "\n"
