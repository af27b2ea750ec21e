"""Fit the few scalars of the step-time model to measured points, and predict points that a fit has not seen."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from scipy.optimize import least_squares

from planner.calibration.points import Point
from planner.calibration.predict import predict
from planner.calibration.setups import Array
from planner.catalog import Catalog

Key = tuple[str, str]
Values = dict[Key, float]

CURVE_SHARING = 0.5  # 0: every row counts alike; 1: every curve does
FOLD_ROWS = 12  # curves of fewer rows are left out together with others
ROUNDS = 30  # steps of the optimiser
STEP = 0.02  # of a logarithm, for slopes
# Log error beyond which a point counts less (soft L1): what repeats of one set-up and unstated flags explain.
ERROR_SCALE = {"tpot": 0.1, "output": 0.1, "ttft": 0.2}


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


# Priors are medians of kernel timings (experts: 32 to 128 tokens for memory, 16,384 for arithmetic, by precision)
# and of an earlier prototype; tight where physics speaks.
FREE = (
    Free("gemm_memory_efficiency", "bf16", 0.82, 0.02, 0.97),
    Free("gemm_memory_efficiency", "fp8", 0.76, 0.05, 0.97, ("int8",)),
    Free("gemm_memory_efficiency", "nvfp4", 0.68, 0.08, 0.97, ("mxfp4", "int4")),
    Free("gemm_compute_efficiency", "bf16", 0.72, 0.06, 0.97),
    Free("gemm_compute_efficiency", "fp8", 0.60, 0.06, 0.97, ("int8",)),
    Free("gemm_compute_efficiency", "fp4", 0.43, 0.10, 0.97),
    Free("gemm_extra_rows", "", 80, 0.4),
    Free("moe_memory_efficiency", "", 0.80, 0.12, 0.97),
    Free("moe_compute_efficiency", "", 0.43, 0.20, 0.97),
    Free("moe_memory_efficiency", "fp8", 0.74, 0.12, 0.97),
    Free("moe_memory_efficiency", "fp8-block", 0.70, 0.12, 0.97),
    Free("moe_compute_efficiency", "fp8", 0.39, 0.20, 0.97),
    Free("moe_compute_efficiency", "fp8-block", 0.25, 0.20, 0.97),
    Free("moe_memory_efficiency", "nvfp4", 0.80, 0.12, 0.97),
    Free("moe_compute_efficiency", "nvfp4", 0.31, 0.20, 0.97),
    Free("moe_memory_efficiency", "mxfp4", 0.75, 0.12, 0.97),
    Free("moe_compute_efficiency", "mxfp4", 0.25, 0.20, 0.97),
    Free("moe_memory_efficiency", "int4", 0.58, 0.12, 0.97),
    Free("moe_compute_efficiency", "int4", 0.35, 0.20, 0.97),
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
    Free("host_weights_factor", "fp8", 1.0, 0.3, also=("int8",)),
    Free("host_weights_factor", "nvfp4", 1.0, 0.3),
    Free("host_weights_factor", "mxfp4", 1.0, 0.3),
    Free("host_weights_factor", "int4", 1.0, 0.3),
    Free("host_engine_factor", "vllm", 1.0, 0.3),
    Free("prompt_layer_s", "", 2e-4, 0.7),
    Free("prompt_moe_layer_s", "", 2e-4, 0.7),
    Free("prompt_latent_layer_s", "", 1e-3, 0.7),
    Free("elementwise_passes", "", 8, 0.4),
    Free("interference_share", "", 0.75, 0.15, 1.0),
    Free("stream_sequence_s", "", 3e-5, 0.3),
    Free("stream_sequence_s", "old", 6.5e-5, 0.2),
    Free("generation_time_factor", "old", 1.1, 0.1),
    Free("generation_time_factor", "default", 1.2, 0.1),
    Free("generation_time_factor", "preview", 1.15, 0.15),
    Free("collective_latency_s", "scale-up", 6e-6, 0.3),
    Free("collective_latency_s", "pcie", 2e-5, 0.3),
    Free("collective_efficiency", "pcie", 0.37, 0.3, 0.97),
    Free("collective_efficiency", "pcie5", 0.5, 0.3, 0.97),
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
        return "a second for each prompt of 7,400 tokens, ten times the time that others of its kind take"
    if point.llm == "llama-3.1-8b" and point.engine == "vllm" and point.source.startswith("aiconfigurator"):
        return "prompts and cache together take more than the arithmetic and the bandwidth that there are"
    return ""


def fitted(point: Point) -> bool:
    """Whether the fit may see a point."""
    return point.metric in ERROR_SCALE and not excluded(point) and not doubtful(point)


def fit(
    points: Sequence[Point], catalog: Catalog, free: tuple[Free, ...], rounds: int = ROUNDS, start: Values | None = None
) -> Values:
    """Values that fit the points best, priors included.

    Minimises soft-L1 of log errors over their `ERROR_SCALE` plus squared log distances from the
    priors over their sigmas, below the ceilings.

    Parameters
    ----------
    start : values to begin with; absent, the priors
    """
    value = np.array([point.value for point in points])
    size, sigma = scale(points), np.array([one.sigma for one in free])

    def residuals(x: Array) -> Array:
        error = np.log(predict(points, catalog.calibrated(values_at(free, x))) / value)
        return np.concatenate([np.nan_to_num(error, nan=0.0) / size, x / sigma])

    most = ceilings(free)
    first = steps_to(free, start) if start else np.zeros(len(free))
    found = least_squares(
        residuals, np.minimum(first, most - 1e-3), bounds=(-np.inf, most), loss="soft_l1", max_nfev=rounds,
        diff_step=STEP, ftol=1e-5,
    )  # fmt: skip
    return values_at(free, found.x)


def scale(points: Sequence[Point]) -> Array:
    """What a log error of each row is divided by: `ERROR_SCALE`, more where its curve has many rows."""
    return np.array([ERROR_SCALE[point.metric] for point in points]) / _weight([point.curve for point in points])


def ceilings(free: tuple[Free, ...]) -> Array:
    """Largest log distance of each scalar from its prior; infinite where physics sets none."""
    return np.array([np.log(one.ceiling / one.prior) if one.ceiling else np.inf for one in free])


def steps_to(free: tuple[Free, ...], values: Values) -> Array:
    """Log distance of values from the priors."""
    return np.array([np.log(values[one.keys[0]] / one.prior) for one in free])


def values_at(free: tuple[Free, ...], steps: Array) -> Values:
    """Values at log distances from the priors."""
    return {key: one.prior * float(np.exp(step)) for one, step in zip(free, steps, strict=True) for key in one.keys}


def _weight(curves: Sequence[str]) -> Array:
    """Weight of each row's error: rows of one curve err together, so that each of many says less. Mean square 1."""
    rows = Counter(curves)
    share = np.array([rows[curve] ** -CURVE_SHARING for curve in curves])
    return np.asarray(np.sqrt(share / share.mean()))


def folds(names: Sequence[str], least: int = FOLD_ROWS) -> NDArray[np.int64]:
    """Fold of each row: rows of one name stay together, and names of few rows share a fold.

    Examples
    --------
    >>> folds(["a", "b", "a", "c"], least=2).tolist()
    [0, 1, 0, 1]
    """
    number, size, of = 0, 0, {}
    for name, count in sorted(Counter(names).items(), key=lambda item: (-item[1], item[0])):
        if size and size + count > least:
            number, size = number + 1, 0
        of[name], size = number, size + count
    return np.array([of[name] for name in names], np.int64)
