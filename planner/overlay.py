"""Figures that a user measured on one set-up, in a file that lies over the catalog's calibration.

What benchmarks of a server taught holds for one accelerator, LLM and engine together. Public curves say so
(`python bench/learning.py`): fitted on one layout and lengths, they improve other layouts and other lengths of the
same three; carried over to another LLM or another engine on the same accelerator, the error of TPOT grows by a third
to a half. What `planner measure` found of a device's kernels holds for that accelerator, whatever it serves.
"""

from __future__ import annotations

import csv
from collections.abc import Collection, Iterable
from dataclasses import dataclass
from pathlib import Path

from planner.errors import CatalogError, Message, OutputError, Told
from planner.schema import Parameter
from planner.tabular import read_csv

COLUMNS = (
    "name", "scope", "value", "low", "high", "kind", "meaning", "dataset", "n", "source", "source_date", "confidence",
    "notes",
)  # fmt: skip
# Scalars that one set-up can tell apart, and the range beyond which the set-up cannot be what was said.
SCALARS = {
    "time_factor": (0.5, 10.0),
    "prompt_overhead": (0.05, 50.0),
    "ingest_s": (1e-6, 60.0),
}
MEASURED = "measured_points"
KERNEL_RATIO = "kernel_ratio"
KERNELS = (
    "gemm_memory_efficiency", "gemm_compute_efficiency", "moe_memory_efficiency", "moe_compute_efficiency",
    "kv_memory_efficiency", "prefill_attention_efficiency",
)  # fmt: skip
KERNEL_RANGE = (0.2, 3.0)
MAX_BYTES = 1_000_000


def own_scope(accelerator_id: str, llm_id: str, engine_id: str) -> str:
    """Scope of a scalar that was measured on one set-up.

    Examples
    --------
    >>> own_scope("h200-sxm-141gb", "deepseek-r1", "vllm")
    'h200-sxm-141gb|deepseek-r1|vllm'
    """
    return f"{accelerator_id}|{llm_id}|{engine_id}"


def measured_scope(accelerator_id: str, weights: str, llm_id: str, engine_id: str) -> str:
    """Scope of the count of points of one set-up: the precision that was measured belongs to it.

    Examples
    --------
    >>> measured_scope("h200-sxm-141gb", "fp8", "deepseek-r1", "vllm")
    'h200-sxm-141gb|fp8|deepseek-r1|vllm'
    """
    return f"{accelerator_id}|{weights}|{llm_id}|{engine_id}"


def kernel_scope(accelerator_id: str, name: str, scope: str) -> str:
    """Scope of what a kind of kernel reaches on one device, over the reference device.

    Examples
    --------
    >>> kernel_scope("h200-sxm-141gb", "gemm_compute_efficiency", "fp8")
    'h200-sxm-141gb|gemm_compute_efficiency|fp8'
    """
    return f"{accelerator_id}|{name}|{scope}"


@dataclass(frozen=True)
class Names:
    """What the parts of a scope may be."""

    accelerators: Collection[str]
    weights: Collection[str]
    llms: Collection[str]
    engines: Collection[str]


def read_overlay(path: Path, names: Names) -> tuple[Parameter, ...]:
    """Rows of a file of own figures.

    Raises
    ------
    CatalogError
        Naming file, line, column, value and what is allowed.
    """
    _refuse_large(path)
    rows = read_csv(path, Parameter)
    if not rows:
        raise CatalogError(
            "{file}: no rows.\n  Write it with planner calibrate RESULT.json --out {file}", file=path.name
        )
    seen: set[tuple[str, str]] = set()
    for line, row in enumerate(rows, 2):
        where = Message("{file}, line {line}", file=path.name, line=line)
        _check_value(row, where)
        _check_scope(row, names, where)
        if (row.name, row.scope) in seen:
            raise CatalogError(
                "{where}, column scope, value {scope!r}: {row} stands there twice.",
                where=where,
                scope=row.scope,
                row=row.name,
            )
        seen.add((row.name, row.scope))
    return rows


def _refuse_large(path: Path) -> None:
    try:
        size = path.stat().st_size
    except (OSError, ValueError) as error:
        raise CatalogError("cannot read {path}: {reason}.", path=path, reason=error) from None
    if size > MAX_BYTES:
        raise CatalogError("{file} is larger than {max_bytes:,} bytes.", file=path.name, max_bytes=MAX_BYTES)


def _check_value(row: Parameter, where: Told) -> None:
    if row.name not in (*SCALARS, MEASURED, KERNEL_RATIO):
        known = ", ".join((*SCALARS, MEASURED, KERNEL_RATIO))
        raise CatalogError(
            "{where}, column name, value {row!r}: own figures are {known}.", where=where, row=row.name, known=known
        )
    low, high = (SCALARS | {KERNEL_RATIO: KERNEL_RANGE}).get(row.name, (1, 1e9))
    if not low <= row.value <= high:
        raise CatalogError(
            "{where}, column value, value {value!r}: {row} lies between {low:g} and {high:g}.",
            where=where,
            value=row.value,
            row=row.name,
            low=low,
            high=high,
        )


def _check_scope(row: Parameter, names: Names, where: Told) -> None:
    kinds: list[tuple[str, Collection[str]]] = [("accelerator", names.accelerators)]
    kinds += [("weights", names.weights)] if row.name == MEASURED else []
    if row.name == KERNEL_RATIO:
        kinds += [("kernel", KERNELS), ("precision", ("", *names.weights, "fp4", "fp8-block"))]
    else:
        kinds += [("llm", names.llms), ("engine", names.engines)]
    parts = row.scope.split("|")
    wanted = "|".join(kind for kind, _ in kinds)
    if len(parts) != len(kinds):
        raise CatalogError(
            "{where}, column scope, value {scope!r}: give {wanted}.", where=where, scope=row.scope, wanted=wanted
        )
    for part, (kind, known) in zip(parts, kinds, strict=True):
        if part not in known:
            raise CatalogError(
                "{where}, column scope, value {scope!r}: unknown {kind} {part!r} in {wanted}.",
                where=where,
                scope=row.scope,
                kind=kind,
                part=part,
                wanted=wanted,
            )


def write_overlay(path: Path, rows: Iterable[Parameter], force: bool = False) -> None:
    """Write own figures in the columns of catalogs/calibration.csv; beside, then renamed.

    Raises
    ------
    OutputError
        If the file is there already and `force` is not set, or cannot be written.
    """
    if path.exists() and not force:
        raise OutputError("{path} exists.\n  Choose another --out, or replace it with --force.", path=path)
    beside = path.with_name(f".{path.name}.new")
    try:
        with beside.open("w", encoding="utf-8", newline="") as stream:
            writer = csv.DictWriter(stream, COLUMNS, lineterminator="\n", extrasaction="ignore")
            writer.writeheader()
            writer.writerows({k: "" if v is None else v for k, v in row.model_dump().items()} for row in rows)
        beside.replace(path)
    except (OSError, ValueError) as error:
        raise OutputError("cannot write {path}: {reason}.", path=path, reason=error) from None
    finally:
        _remove(beside)


def _remove(beside: Path) -> None:
    """A leftover must not hide why the file could not be written."""
    try:
        beside.unlink(missing_ok=True)
    except (OSError, ValueError):
        return
