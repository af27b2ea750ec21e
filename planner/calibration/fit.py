"""Fit the few scalars of the step-time model to measured points, and say how well they generalise.

`python -m planner.calibration.fit` (or `make calibrate`) fits on catalogs/measured/points.csv.gz,
scores with whole curves left out, and writes catalogs/calibration.csv.
"""

from __future__ import annotations

import csv
import hashlib
import sys
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from numpy.typing import NDArray
from scipy.optimize import least_squares

from planner.assets import catalogs_dir
from planner.calibration.points import Point, read_points
from planner.calibration.predict import Array, predict
from planner.catalog import Catalog, load_catalog

Key = tuple[str, str]
Values = dict[Key, float]

FOLDS = 6
# Log error beyond which a point counts less (soft L1): what repeats of one set-up and unstated flags explain.
ERROR_SCALE = {"tpot": 0.2, "output": 0.2, "ttft": 0.4}


@dataclass(frozen=True)
class Free:
    """A scalar to fit: log-normal prior around what kernels measure, and a physical ceiling.

    `also` names scopes without data of their own that take the same value.
    """

    name: str
    scope: str
    prior: float
    sigma: float
    ceiling: float | None = None
    also: tuple[str, ...] = ()

    @property
    def keys(self) -> list[Key]:
        """Rows of calibration.csv that it sets."""
        return [(self.name, scope) for scope in (self.scope, *self.also)]


# Priors are medians of kernel timings and of an earlier prototype; tight where physics speaks.
FREE = (
    Free("gemm_memory_efficiency", "bf16", 0.82, 0.02, 0.97),
    Free("gemm_memory_efficiency", "fp8", 0.76, 0.05, 0.97, ("int8",)),
    Free("gemm_memory_efficiency", "nvfp4", 0.68, 0.08, 0.97, ("mxfp4", "int4")),
    Free("gemm_compute_efficiency", "bf16", 0.72, 0.06, 0.97),
    Free("gemm_compute_efficiency", "fp8", 0.60, 0.06, 0.97, ("int8",)),
    Free("gemm_compute_efficiency", "fp4", 0.43, 0.10, 0.97),
    Free("gemm_extra_rows", "", 80, 0.4),
    Free("moe_memory_efficiency", "", 0.65, 0.10, 0.97),
    Free("moe_compute_efficiency", "", 0.33, 0.20, 0.97),
    Free("moe_memory_efficiency", "fp8", 0.65, 0.15, 0.97),
    Free("moe_compute_efficiency", "fp8", 0.33, 0.25, 0.97),
    Free("moe_memory_efficiency", "nvfp4", 0.65, 0.15, 0.97),
    Free("moe_compute_efficiency", "nvfp4", 0.33, 0.25, 0.97),
    Free("moe_memory_efficiency", "mxfp4", 0.65, 0.15, 0.97),
    Free("moe_compute_efficiency", "mxfp4", 0.33, 0.25, 0.97),
    Free("moe_memory_efficiency", "int4", 0.65, 0.15, 0.97),
    Free("moe_compute_efficiency", "int4", 0.33, 0.25, 0.97),
    Free("moe_extra_rows", "", 20, 0.3),
    Free("moe_imbalance", "", 4.6, 0.1),
    Free("kv_memory_efficiency", "", 0.75, 0.08, 0.97),
    Free("latent_kv_factor", "", 0.70, 0.20, 1.0),
    Free("latent_fp8_kv_factor", "Blackwell", 1.0, 0.05),
    Free("prefill_attention_efficiency", "", 0.50, 0.10, 0.90),
    Free("host_layer_s", "", 4e-5, 0.6),
    Free("host_moe_layer_s", "", 4e-5, 0.6),
    Free("host_step_s", "", 5e-4, 0.6),
    Free("host_sequence_s", "", 3e-6, 0.5),
    Free("elementwise_passes", "", 8, 0.4),
    Free("interference_share", "", 0.75, 0.15),
    Free("stream_sequence_s", "", 3e-5, 0.3),
    Free("stream_sequence_s", "old", 6.5e-5, 0.2),
    Free("generation_time_factor", "old", 1.1, 0.1),
    Free("generation_time_factor", "default", 1.2, 0.1),
    Free("collective_latency_s", "scale-up", 6e-6, 0.3),
    Free("collective_latency_s", "pcie", 2e-5, 0.3),
    Free("collective_efficiency", "pcie", 0.37, 0.3),
    Free("ingest_s", "", 0.01, 0.7),
    Free("prompt_overhead", "", 1.0, 0.1),
    Free("first_token_steps", "vllm", 3, 0.4, also=("",)),
    Free("first_token_steps", "tensorrt-llm", 4, 0.4),
    Free("first_token_steps", "sglang", 3, 0.4),
    # A prompt that comes as another's ends waits for the step in progress, and its token for the overlapped next one.
    Free("met_prompts", "tensorrt-llm", 2, 0.15, also=("",)),
    Free("met_prompts", "vllm", 1, 0.3),
    Free("met_prompts", "sglang", 1, 0.3),
)
# Rows in which something else than the model's subject is seen, by rule.
DOUBTFUL_IDS = {"M19221", "M19225", "M19227", "M19229", "M17607", "M17649", "M14560", "M14637"}
SMALL_QWEN = {"qwen3-8b", "qwen3-14b", "qwen3-30b-a3b"}


def excluded(point: Point) -> str:
    """Why a point counts neither in the fit nor in its score; empty if it does."""
    if point.llm == "gpt-oss-120b" and point.accelerator == "h100-sxm-80gb" and point.load == 512:
        return "the server capped its sequences"
    if point.llm in SMALL_QWEN and point.accelerator == "b200-sxm-180gb" and point.output_tokens > 5000:
        return "32 ms between tokens at a batch of 8: the front end, not the accelerator"
    if point.llm == "deepseek-v3.2":
        return "runs with and without its sparse attention are not told apart"
    return "" if point.kind in ("closed", "saturated") else f"{point.kind} load"


def doubtful(point: Point) -> str:
    """Why a point is kept out of the fit although it counts in the score; empty if it is not."""
    if point.id in DOUBTFUL_IDS:
        return "faster than its prompts or its experts can be computed"
    if point.llm == "deepseek-r1" and point.accelerator == "b300-sxm-288gb" and point.engine == "sglang":
        return "seconds to the first token with four users"
    return ""


@dataclass(frozen=True)
class Score:
    """Errors with whole curves left out."""

    metric: str
    n: int
    mape: float
    median: float
    low: float
    high: float


def fit(
    points: list[Point], catalog: Catalog, free: tuple[Free, ...], rounds: int = 9, start: Array | None = None
) -> Values:
    """Values that fit the points best, priors included.

    Minimises soft-L1 of log errors over their `ERROR_SCALE` plus squared log distances from the
    priors over their sigmas; values above their ceiling are pushed back.
    """
    value = np.array([point.value for point in points])
    scale = np.array([ERROR_SCALE[point.metric] for point in points])

    def residuals(x: Array) -> Array:
        error = np.log(predict(points, catalog.calibrated(_values(free, x))) / value)
        pull = np.array([step / one.sigma for one, step in zip(free, x, strict=True)])
        over = [
            max(0.0, np.log(one.prior / one.ceiling) + s) * 100 if one.ceiling else 0.0
            for one, s in zip(free, x, strict=True)
        ]
        return np.concatenate([np.nan_to_num(error, nan=0.0) / scale, pull, over])

    first = np.zeros(len(free)) if start is None else start
    found = least_squares(residuals, first, loss="soft_l1", max_nfev=rounds, diff_step=0.02)
    return _values(free, found.x)


def _values(free: tuple[Free, ...], steps: Array) -> Values:
    return {key: one.prior * float(np.exp(step)) for one, step in zip(free, steps, strict=True) for key in one.keys}


def cross_validate(points: list[Point], catalog: Catalog, free: tuple[Free, ...]) -> Array:
    """Prediction of each point by a fit that has not seen its curve. Shape (n,)."""
    fold = folds([point.curve for point in points])
    held_out = np.full(len(points), np.nan)
    for number in range(FOLDS):
        seen, unseen = np.flatnonzero(fold != number), np.flatnonzero(fold == number)
        if len(unseen):
            values = fit([points[i] for i in seen], catalog, free, rounds=6)
            held_out[unseen] = predict([points[i] for i in unseen], catalog.calibrated(values))
    return held_out


def folds(curves: list[str], seed: int = 0) -> NDArray[np.int64]:
    """Fold of each row; a curve is never split."""
    names = sorted(set(curves))
    np.random.default_rng(seed).shuffle(names)
    number = {name: i % FOLDS for i, name in enumerate(names)}
    return np.array([number[curve] for curve in curves], np.int64)


def scores(points: list[Point], predicted: Array) -> list[Score]:
    """Errors by metric; low and high hold 80 % of measured over predicted."""
    found = []
    for metric in dict.fromkeys(point.metric for point in points):
        rows = [i for i, p in enumerate(points) if p.metric == metric and not np.isnan(predicted[i])]
        ratio = np.array([points[i].value for i in rows]) / predicted[rows]
        error = np.abs(1 / ratio - 1)
        low, high = np.quantile(ratio, [0.1, 0.9])
        found.append(Score(metric, len(rows), float(error.mean()), float(np.median(error)), float(low), float(high)))
    return found


def write(
    file: Path, values: Mapping[Key, float], scored: list[Score], n: Mapping[str, int], dataset: str, day: str
) -> None:
    """Set fitted values, bands, errors, counts and date in a calibration.csv; written beside, then renamed."""
    with file.open(encoding="utf-8", newline="") as stream:
        rows = list(csv.DictReader(stream))
    source = _source(scored)
    bands = {f"band_{'output_tokens_per_s' if s.metric == 'output' else s.metric}": s for s in scored}
    for row in rows:
        key = (row["name"], row["scope"])
        if key in values:
            count = n["ttft"] if key[0] in ("ingest_s", "wave_share") else n["steps"]
            row |= {
                "value": f"{values[key]:.4g}",
                "source": source,
                "source_date": day,
                "dataset": dataset,
                "n": str(count),
            }
        elif key[1] == "calibrated" and key[0] in bands:
            band = bands[key[0]]
            row |= {
                "low": f"{band.low:.3g}",
                "high": f"{band.high:.3g}",
                "n": str(band.n),
                "dataset": dataset,
                "source_date": day,
            }
    beside = file.with_suffix(".new")
    with beside.open("w", encoding="utf-8", newline="") as stream:
        writer = csv.DictWriter(stream, list(rows[0]), lineterminator="\n")
        writer.writeheader()
        writer.writerows(rows)
    beside.replace(file)


def _source(scored: list[Score]) -> str:
    errors = ", ".join(f"{s.metric} {s.mape:.1%} / {s.median:.1%} (n = {s.n})" for s in scored)
    return (
        f"fit of planner/models on public serving measurements, priors at kernel-measured values; {FOLDS} folds with "
        f"whole curves left out, mean / median error: {errors}"
    )


def main() -> None:
    """Fit, score, write and print."""
    folder = catalogs_dir()
    file = folder / "measured" / "points.csv.gz"
    catalog = load_catalog(folder)
    points = [p for p in read_points(file, catalog)[0] if not excluded(p)]
    steps = [p for p in points if p.metric in ("tpot", "output")]
    prompts = [p for p in points if p.metric == "ttft" and p.load <= 128]
    values = fit(steps, catalog, FREE)
    fitted = catalog.calibrated(values)
    values |= fit(prompts, fitted, TTFT_FREE)
    scored = scores(steps, cross_validate(steps, catalog, FREE))
    scored += scores(prompts, cross_validate(prompts, fitted, TTFT_FREE))
    digest = hashlib.sha256(file.read_bytes()).hexdigest()[:12]
    n = {"steps": len(steps), "ttft": len(prompts)}
    write(folder / "calibration.csv", values, scored, n, f"measured/points.csv.gz {digest}", catalog.as_of.isoformat())
    lines = [f"{name:<32} {scope:<12} {value:.4g}" for (name, scope), value in values.items()]
    for one in scored:
        errors = f"MAPE {one.mape:.1%}  median {one.median:.1%}  band {one.low:.2f} … {one.high:.2f}"
        lines.append(f"{one.metric:<8} n = {one.n}  {errors}")
    sys.stdout.write("\n".join(lines) + "\n")


if __name__ == "__main__":
    main()
