"""Measured points as people write them: read, resolved against the catalogs, or refused by row."""

from __future__ import annotations

import csv
import gzip
import math
import re
import zlib
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, replace
from pathlib import Path

from planner.catalog import Catalog
from planner.errors import PlannerError, Told, WorkloadError
from planner.models.precision import compute_dtype
from planner.schema import Harness
from planner.search.space import possible_weights

COLUMNS = (
    "id", "source", "model", "precision_weights", "precision_kv", "framework", "framework_version",
    "accelerator", "n_accelerators", "tp", "pp", "ep", "dp", "scenario", "isl", "osl", "concurrency_or_qps",
    "metric", "value", "notes", "curve",
)  # fmt: skip
NEEDED = ("id", "model", "precision_weights", "framework", "accelerator", "tp", "concurrency_or_qps", "metric", "value")

# What each metric is, in SI, and the range outside which a unit must be wrong.
METRICS = {
    "ttft": (re.compile(r"ttft_ms_(p50|mean|p99)"), 1e-3, 1e-3, 3600.0),
    "tpot": (re.compile(r"(tpot|itl)_ms_(p50|mean|p99)"), 1e-3, 2e-4, 10.0),
    "output": (re.compile(r"output_tok_s_(total|per_gpu)"), 1.0, 0.1, 1e7),
    "power": (re.compile(r"power_w_per_gpu"), 1.0, 10.0, 3000.0),
}
PRECISIONS = {
    "bf16": "bf16", "fp16": "bf16", "fp8": "fp8", "int8": "int8", "w8a8": "int8", "int4": "int4",
    "awq-int4": "int4", "awq": "int4", "gptq": "int4", "fp4": "nvfp4", "nvfp4": "nvfp4", "mxfp4": "mxfp4",
}  # fmt: skip
MAX_BYTES = 200_000_000


@dataclass(frozen=True)
class Point:
    """One measurement, resolved. Sizes in accelerators, lengths in tokens, value in SI.

    Attributes
    ----------
    kind : `closed` (a number of users), `saturated` (all that fits), `burst` (n at once) or `open` (a rate)
    load : users, burst size or requests per second; infinite when saturated
    replicas : independent copies behind the measured total
    requests_per_user, length_spread, held_steps : how the run was driven, see `planner.models.loop.Loop`
    budget_tokens : of one step, where the harness set it; 0: the engine's default [token]
    profile : software generation and tuning, empty where it is tuned
    """

    id: str
    source: str
    llm: str
    weights: str
    kv: str
    engine: str
    version: str
    accelerator: str
    gpus: int
    tp: int
    dp: int
    pp: int
    ep: int
    replicas: int
    input_tokens: float
    output_tokens: float
    kind: str
    load: float
    metric: str
    per_gpu: bool
    statistic: str
    value: float
    unit_scale: float
    curve: str
    requests_per_user: float
    length_spread: float
    held_steps: float
    budget_tokens: float
    profile: str
    row: int = 0  # line of the file, as an editor counts; 0 outside a file


@dataclass(frozen=True)
class Refusal:
    """A row that cannot be predicted, and why."""

    id: str
    metric: str
    value: float | None
    reason: Told
    row: int = 0


def read_points(path: Path, catalog: Catalog) -> tuple[list[Point], list[Refusal]]:
    """Read a POINTS.csv (or .csv.gz): every row becomes a point or a refusal.

    Raises
    ------
    WorkloadError
        If the file cannot be read at all.
    """
    points: list[Point] = []
    refused: list[Refusal] = []
    seen: set[str] = set()
    for line, row in _rows(path):
        id = row.get("id", "")
        try:
            if id and id in seen:
                raise WorkloadError("id {id!r} stands more than once; its first row is the one that counts", id=id[:40])
            points.append(replace(resolve(row, catalog), row=line))
        except PlannerError as error:
            refused.append(Refusal(id, row.get("metric", ""), _number_or_none(row.get("value", "")), error, line))
        seen.add(id)
    return points, refused


def _rows(path: Path) -> Iterator[tuple[int, dict[str, str]]]:
    try:
        if path.stat().st_size > MAX_BYTES:
            raise WorkloadError("{file} is larger than {max_bytes:,} bytes.", file=path.name, max_bytes=MAX_BYTES)
        opener = gzip.open if path.suffix == ".gz" else open
        with opener(path, "rt", encoding="utf-8-sig", newline="") as stream:
            reader = csv.DictReader(stream)
            missing = [c for c in NEEDED if c not in (reader.fieldnames or ())]
            if missing:
                raise WorkloadError(
                    "{file} lacks the columns {missing}.\n  Columns: {columns}.",
                    file=path.name,
                    missing=", ".join(missing),
                    columns=", ".join(COLUMNS),
                )
            for row in reader:
                cells = {k: (v or "").strip() for k, v in row.items() if k is not None and isinstance(v, str | None)}
                yield reader.line_num, cells
    except UnicodeDecodeError:
        raise WorkloadError("{name} is not UTF-8 text.", name=path.name) from None
    except (OSError, csv.Error, EOFError, zlib.error) as error:
        raise WorkloadError("cannot read {path}: {reason}.", path=path.name, reason=error) from None


def resolve(row: Mapping[str, str], catalog: Catalog) -> Point:
    """One row as a point.

    Raises
    ------
    PlannerError
        Naming the column and what is wrong with it.
    """
    missing = [c for c in NEEDED if not row.get(c)]
    if missing:
        raise WorkloadError("{missing} missing", missing=", ".join(missing))
    metric, scale, low, high = _metric(row["metric"])
    value = _number(row, "value") * scale
    if not low <= value <= high:
        raise WorkloadError(
            "{metric} {value} is outside {low:g} to {high:g}: check its unit",
            metric=row["metric"],
            value=row["value"],
            low=low / scale,
            high=high / scale,
        )
    if re.search(r"_p99$", row["metric"]) and not row["concurrency_or_qps"].lower().startswith(("qps", "inf(")):
        raise WorkloadError(
            "{metric}: tails of a closed loop are not predicted; give p50 or mean", metric=row["metric"]
        )
    llm, accelerator, engine = _names(row, catalog)
    weights = _weights(row, catalog, llm, accelerator)
    tp, pp = _size(row, "tp"), _size(row, "pp", 1)
    gpus = _size(row, "n_accelerators", tp * pp)
    dp, replicas = _data_parallel(row, gpus, tp, pp, catalog.llms[llm].moe is not None)
    tp = tp // dp if dp > 1 and tp * pp * dp > gpus else tp
    kind, load = _load(row)
    inputs, outputs, spread = _lengths(row)
    _check_lengths(catalog, llm, metric, inputs, outputs)
    harness = harness_of(catalog, row.get("source", ""), engine, llm, accelerator, tp, inputs, outputs)
    return Point(
        id=row["id"], source=row.get("source", ""), llm=llm, weights=weights,
        kv=_kv(row, catalog, accelerator, harness), engine=engine,
        version=row.get("framework_version", ""), accelerator=accelerator, gpus=gpus, tp=tp, dp=dp, pp=pp,
        ep=tp * dp if _size(row, "ep", 1) > 1 else 1, replicas=replicas, input_tokens=inputs, output_tokens=outputs,
        kind=kind, load=load, metric=metric, per_gpu=row["metric"].endswith("per_gpu"),
        statistic=row["metric"].rsplit("_", 1)[-1], value=value, unit_scale=scale, curve=row.get("curve", ""),
        requests_per_user=harness.requests_per_user,
        length_spread=spread if harness.length_spread is None else harness.length_spread,
        held_steps=harness.held_steps, budget_tokens=_budget(harness, inputs, load), profile=harness.profile,
    )  # fmt: skip


def _check_lengths(catalog: Catalog, llm: str, metric: str, inputs: float, outputs: float) -> None:
    longest = catalog.llms[llm].max_context_tokens
    if longest and inputs + outputs > longest:
        raise WorkloadError(
            "isl {inputs:g} and osl {outputs:g} exceed the {longest}-token context of {llm}",
            inputs=inputs,
            outputs=outputs,
            longest=longest,
            llm=llm,
        )
    if metric == "tpot" and outputs < 2:
        raise WorkloadError("osl {outputs:g}: one token has no time per further token", outputs=outputs)


def _metric(name: str) -> tuple[str, float, float, float]:
    for metric, (pattern, scale, low, high) in METRICS.items():
        if pattern.fullmatch(name):
            return metric, scale, low, high
    raise WorkloadError(
        "metric {name!r} is not predicted; known: ttft_ms_*, tpot_ms_*, itl_ms_*, output_tok_s_*, power_w_per_gpu",
        name=name,
    )


def _names(row: Mapping[str, str], catalog: Catalog) -> tuple[str, str, str]:
    accelerator = re.sub(r"\(.*\)", "", row["accelerator"])
    return (
        catalog.llm_id(row["model"]),
        catalog.accelerator_id(accelerator),
        catalog.engine_id(row["framework"]),
    )


def _weights(row: Mapping[str, str], catalog: Catalog, llm: str, accelerator: str) -> str:
    written = row["precision_weights"].split("(")[0].strip().lower()
    weights = PRECISIONS.get(written)
    if weights is None:
        raise WorkloadError(
            "precision_weights {written!r} is not one of {allowed}", written=written, allowed=", ".join(PRECISIONS)
        )
    if catalog.llms[llm].weights == "mxfp4" and weights in ("nvfp4", "fp8"):
        weights = "mxfp4"  # the only checkpoint that such an LLM has; fp8 then names its arithmetic
    if weights not in possible_weights(catalog.llms[llm]):
        raise WorkloadError("{llm} cannot be served in {weights}", llm=llm, weights=weights)
    if compute_dtype(weights, frozenset(catalog.accelerators[accelerator].peak_flops_per_s)) is None:
        raise WorkloadError("{accelerator} cannot compute in {weights}", accelerator=accelerator, weights=weights)
    return weights


def harness_of(
    catalog: Catalog,
    source: str,
    engine: str,
    llm: str,
    accelerator: str,
    tp: int,
    input_tokens: float,
    output_tokens: float,
) -> Harness:
    """The last rule of harnesses.csv that matches a run."""

    def matches(rule: Harness) -> bool:
        return (
            source.startswith(rule.match_source)
            and rule.match_engine in ("", engine)
            and rule.match_llm in ("", llm)
            and rule.match_accelerator in ("", accelerator)
            and tp <= (rule.match_max_tp or tp)
            and input_tokens <= (rule.match_max_input_tokens or input_tokens)
            and output_tokens <= (rule.match_max_output_tokens or output_tokens)
        )

    return [rule for rule in catalog.harnesses.values() if matches(rule)][-1]


def _budget(harness: Harness, input_tokens: float, load: float) -> float:
    """Tokens of one step as the harness set them, 0 where it did not."""
    if harness.budget_prompts is not None and math.isfinite(load):
        return harness.budget_prompts * input_tokens + load
    return float(harness.budget_tokens or 0)


def _kv(row: Mapping[str, str], catalog: Catalog, accelerator: str, harness: Harness) -> str:
    """KV cache precision; where neither the run nor its harness says, fp8 is the custom on Blackwell."""
    written = row.get("precision_kv", "") or harness.kv or ""
    if written and not written.lower().startswith(("fp8", "bf16", "fp16", "auto")):
        raise WorkloadError("precision_kv {written!r} is none of bf16, fp16, fp8, auto", written=written[:20])
    unsaid = not written and catalog.accelerators[accelerator].architecture.startswith("Blackwell")
    return "fp8" if written.startswith("fp8") or unsaid else "bf16"


def _data_parallel(row: Mapping[str, str], gpus: int, tp: int, pp: int, sparse: bool) -> tuple[int, int]:
    """Attention data-parallel size and number of independent replicas.

    A dp inside the tensor-parallel group is attention data-parallelism; accelerators beyond
    one group are further copies of a dense LLM, or attention ranks of a mixture of experts.
    """
    dp = _size(row, "dp", 1)
    if tp * pp > gpus:
        raise WorkloadError("tp x pp = {product} exceeds n_accelerators {gpus}", product=tp * pp, gpus=gpus)
    if gpus % (tp * pp):
        raise WorkloadError(
            "n_accelerators {gpus} is not a multiple of tp x pp = {product}", gpus=gpus, product=tp * pp
        )
    copies = max(gpus // (tp * pp), 1)
    if dp > 1 and tp * pp * dp > gpus:
        if tp % dp:
            raise WorkloadError("dp {dp} does not divide tp {tp}", dp=dp, tp=tp)
        return dp, copies
    if copies > 1 and not sparse:
        return 1, copies
    return copies, 1


def _load(row: Mapping[str, str]) -> tuple[str, float]:
    text = row["concurrency_or_qps"].lower()
    if text in ("inf", "infinity"):
        return "saturated", math.inf
    burst = re.fullmatch(r"inf\((\d+)[^)]*\)", text)
    rate = re.fullmatch(r"qps=(.*)", text)
    load = _number_or_none((burst or rate or [text, text])[1])
    if load is None:
        raise WorkloadError(
            "concurrency_or_qps {text!r} is none of: users (64), qps=RATE, inf, inf(REQUESTS)", text=text[:40]
        )
    if not 0 < load <= 1e6:
        raise WorkloadError("concurrency_or_qps {text} must be above 0 and at most 1e6", text=text[:40])
    if not rate and load < 1:
        raise WorkloadError(
            "concurrency_or_qps {text}: at least one user or request; a rate is qps=RATE", text=text[:40]
        )
    return ("burst" if burst else "open" if rate else "closed"), load


def _lengths(row: Mapping[str, str]) -> tuple[float, float, float]:
    """Mean prompt and answer tokens, and how far they spread below the nominal.

    A prompt length that the source withholds counts as a short question. Recorded chats scatter over all lengths.
    """
    notes = row.get("notes", "")
    inputs = _number(row, "isl") if row.get("isl") else 256.0
    if not row.get("osl"):
        raise WorkloadError("osl missing")
    outputs = _number(row, "osl")
    if not (1 <= inputs <= 1e7 and 1 <= outputs <= 1e7):
        raise WorkloadError(
            "isl {inputs:g} or osl {outputs:g} is not between 1 and 1e7", inputs=inputs, outputs=outputs
        )
    ratio = re.search(r"range ratio (0?\.\d+)", notes)
    shortest = float(ratio[1]) if ratio else 0.0 if "ShareGPT" in notes else 1.0
    mean = (1 + shortest) / 2 if ratio else 1.0
    return max(inputs * mean, 1.0), max(outputs * mean, 1.0), round(1 - shortest, 6)


def _size(row: Mapping[str, str], column: str, default: int | None = None) -> int:
    if default is not None and row.get(column, "") in ("", "0", "0.0"):
        return default
    size = _number(row, column)
    if size != int(size) or not 1 <= size <= 4096:
        raise WorkloadError("{column} {row} is not a whole number from 1 to 4096", column=column, row=row[column])
    return int(size)


def _number(row: Mapping[str, str], column: str) -> float:
    number = _number_or_none(row[column])
    if number is None:
        raise WorkloadError("{column} {row!r} is not a number", column=column, row=row[column][:40])
    return number


def _number_or_none(text: str) -> float | None:
    try:
        number = float(text)
    except ValueError:
        return None
    return number if math.isfinite(number) else None
