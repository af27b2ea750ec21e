"""Files of `planner measure`: read, resolved against the catalog, and set beside its figures."""

from __future__ import annotations

import json
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

from pydantic import ValidationError

from planner.catalog import Catalog
from planner.complaints import complaint
from planner.encoding import decoded
from planner.errors import WorkloadError
from planner.models.precision import BYTES_PER_WEIGHT
from planner.schema import Accelerator, Dtype, Measured
from planner.schema.measured import SCHEMA, Timed
from planner.units import si

MAX_BYTES = 20_000_000
DTYPE: dict[str, Dtype] = {"bf16": "bf16", "fp8": "fp8", "fp8-block": "fp8", "int8": "int8"}
WEIGHT_BYTES = {precision: BYTES_PER_WEIGHT[dtype] for precision, dtype in DTYPE.items()}


@dataclass(frozen=True)
class Reached:
    """One measurement beside the catalog: what was reached, and the share of the figure it leans on."""

    kind: str
    size: str
    value: str
    share: float | None
    of: str
    power_w: float | None


def read_measured(path: Path) -> Measured:
    """Read a file of `planner measure`.

    Raises
    ------
    WorkloadError
        If it cannot be read, is of another version or breaks the schema; naming the key.
    """
    found = _json(path)
    version = found.get("schema")
    if version != SCHEMA:
        raise WorkloadError(
            "{file} is not a file of `planner measure`: its schema is {version!r}.\n"
            "  This planner reads {schema!r}; measure again with it: planner measure --out FILE.",
            file=path.name,
            version=str(version)[:40],
            schema=SCHEMA,
        )
    try:
        return Measured.model_validate(found)
    except ValidationError as error:
        first = error.errors()[0]
        key = ".".join(str(part) for part in first["loc"])
        raise WorkloadError(
            "{file}, {key}: {msg}.\n  Measure again, or mend the file.", file=path.name, key=key, msg=complaint(first)
        ) from None


def is_measured(path: Path) -> bool:
    """Does a file call itself a result of `planner measure`, of any version?"""
    try:
        return str(_json(path).get("schema")).startswith(SCHEMA.partition("/")[0] + "/")
    except WorkloadError:
        return False


def _json(path: Path) -> dict[str, object]:
    try:
        if path.stat().st_size > MAX_BYTES:
            raise WorkloadError("{file} is larger than {max_bytes:,} bytes.", file=path.name, max_bytes=MAX_BYTES)
        found = json.loads(decoded(path.read_bytes()))
    except (OSError, ValueError, RecursionError) as error:
        raise WorkloadError("cannot read {path}: {reason}.", path=path.name, reason=error) from None
    if not isinstance(found, dict):
        raise WorkloadError("{file} is not a file of `planner measure`: a JSON object is expected.", file=path.name)
    return found


def accelerator_of(measured: Measured, catalog: Catalog) -> str:
    """Catalog id of the measured device: as given, else by the driver's name; raises UnknownName."""
    return catalog.accelerator_id(measured.accelerator or measured.device.name, "the measured file")


def reached(measured: Measured, accelerator: Accelerator) -> tuple[Reached, ...]:
    """Every measurement with the share of the catalog figure that it reaches.

    Rows of one `kind` differ in `size` and stand in its order. Matrix products lean on whichever of
    bandwidth and peak they reach a larger share of.
    """
    return tuple(_reached(measured, accelerator))


def ends(rows: Sequence[Reached]) -> tuple[Reached, ...]:
    """Of each kind the first, the last and the largest share: enough to see its limits."""
    kinds: dict[str, list[Reached]] = {}
    for one in rows:
        kinds.setdefault(one.kind, []).append(one)
    return tuple(
        one
        for some in kinds.values()
        for one in some
        if one in (some[0], some[-1], max(some, key=lambda r: r.share or 0.0))
    )


def _reached(measured: Measured, accelerator: Accelerator) -> Iterator[Reached]:
    bandwidth, pcie = accelerator.bandwidth_bytes_per_s, accelerator.pcie_bytes_per_s
    for copy in measured.copies:
        yield _rate("copy", "", copy, copy.moved_bytes, "B/s", bandwidth, "bandwidth")
    for read in measured.reads:
        yield _rate("read", "", read, read.moved_bytes, "B/s", bandwidth, "bandwidth")
    yield from _products(measured, accelerator)
    yield from _attention(measured, accelerator)
    for launch in measured.launches:
        yield Reached(f"launch, {launch.way}", "", f"{launch.time_s * 1e6:.2f} µs", None, "", launch.power_w)
    for transfer in measured.transfers:
        kind = transfer.direction.replace("-", " ")
        yield _rate(kind, "", transfer, transfer.moved_bytes, "B/s", pcie, "PCIe")
    for reduce in measured.all_reduces:
        travelled = 2 * (reduce.ranks - 1) / reduce.ranks * reduce.message_bytes
        size = f"{reduce.message_bytes:,} B in {reduce.time_s * 1e6:.1f} µs"
        link = accelerator.scaleup_bytes_per_s
        yield _rate(f"all-reduce, {reduce.ranks} ranks", size, reduce, travelled, "B/s", link, "scale-up link")
    yield Reached("idle, context open", "", "", None, "", measured.idle.power_w)


def _products(measured: Measured, accelerator: Accelerator) -> Iterator[Reached]:
    for gemm in measured.gemms:
        kind = f"{gemm.precision} product, {gemm.n:,} x {gemm.k:,}"
        yield _product(kind, f"{gemm.rows:,} rows", gemm, gemm.precision, gemm.n * gemm.k, gemm.rows, accelerator)
    for some in measured.grouped_gemms:
        kind = f"{some.experts} {some.precision} experts, {some.n:,} x {some.k:,}"
        size, params = f"{some.rows_per_expert:,} rows each", some.experts * some.n * some.k
        yield _product(kind, size, some, some.precision, params, some.rows_per_expert, accelerator)


def _attention(measured: Measured, accelerator: Accelerator) -> Iterator[Reached]:
    for decode in measured.decode_attention:
        moved = 4 * decode.sequences * decode.context_tokens * decode.kv_heads * decode.head_dim
        kind = f"decode attention, {decode.query_heads} over {decode.kv_heads} heads"
        size = f"{decode.sequences:,} of {decode.context_tokens:,} tokens"
        yield _rate(kind, size, decode, moved, "B/s", accelerator.bandwidth_bytes_per_s, "bandwidth")
    for prompt in measured.prefill_attention:
        flops = 2 * prompt.query_heads * prompt.head_dim * prompt.tokens**2
        kind = f"prefill attention, {prompt.query_heads} over {prompt.kv_heads} heads"
        peak = accelerator.peak_flops_per_s.get("bf16")
        yield _rate(kind, f"{prompt.tokens:,} tokens", prompt, flops, "FLOP/s", peak, "bf16 peak")


def _rate(
    kind: str, size: str, timed: Timed, amount: float, unit: str, figure: float | None, of: str
) -> Reached:  # fmt: skip
    rate = amount / timed.time_s
    share = rate / figure if figure else None
    return Reached(kind, size, si(rate, unit), share, of if figure else "", timed.power_w)


def _product(
    kind: str, size: str, timed: Timed, precision: str, params: int, rows: int, accelerator: Accelerator
) -> Reached:
    """By bytes of weights or by arithmetic, whichever comes closer to its figure."""
    peak, bandwidth = accelerator.peak_flops_per_s.get(DTYPE[precision]), accelerator.bandwidth_bytes_per_s
    by_bytes = _rate(kind, size, timed, params * WEIGHT_BYTES[precision], "B/s", bandwidth, "bandwidth")
    by_flops = _rate(kind, size, timed, 2.0 * params * rows, "FLOP/s", peak, f"{DTYPE[precision]} peak")
    return max(by_bytes, by_flops, key=lambda one: one.share or 0.0)
