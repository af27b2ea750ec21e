"""Fit the watts of a GPU to measured ones: serving runs and single kernels in catalogs/measured."""

from __future__ import annotations

import csv
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, fields
from pathlib import Path

import numpy as np
from numpy.typing import NDArray
from scipy.optimize import least_squares

from planner.calibration.fit import Free, Key, Values, excluded
from planner.calibration.points import Point, read_points
from planner.calibration.predict import at_work, driven
from planner.calibration.setups import Array, setups
from planner.catalog import Catalog
from planner.models.power import Activity, Draw, gpu_power_w
from planner.search.columns import efficiency
from planner.search.metrics import boards

ERROR_SCALE = 0.12  # log error beyond which a row counts less (soft L1)
KERNEL_WEIGHT = 2.0  # single kernels are steady and exactly known, but few
SHORTEST_RUN_S = 1.5  # NVML's average lags: shorter runs read low
FILES = ("points.csv.gz", "power_runs.csv", "power_kernels.csv")

# Priors from kernels: copies draw 0.66 of the span at 3.0 TB/s (H100), 0.80 at 4.3 TB/s (H200); 120 TFLOP/s more
# draw 120 W more. One set for all architectures: a set for each errs more on curves that it has not seen.
FREE = (
    Free("power_awake_share", "", 0.30, 0.3, 1.0),
    Free("power_busy_share", "", 0.25, 0.4, 1.0),
    Free("power_memory_j_per_byte", "", 4e-11, 0.5),
    Free("power_compute_share", "", 1.4, 0.2),
    Free("power_expert_share", "fp8", 0.3, 0.5, None, ("int8",)),
    Free("power_expert_share", "mxfp4", 0.3, 0.5, None, ("int4", "nvfp4")),
    Free("power_rank_loss", "", 0.07, 0.4),
)


@dataclass(frozen=True)
class Rows:
    """Measured watts and what the GPU did, as columns of length n.

    Attributes
    ----------
    watts : measured; NaN where a layout has no answer [W]
    weights : weight precision, which decides the power of expert kernels
    """

    watts: Array
    idle_w: Array
    board_w: Array
    does: Activity
    weights: NDArray[np.str_]
    curve: NDArray[np.str_]
    accelerator: NDArray[np.str_]

    def take(self, rows: NDArray[np.bool_]) -> Rows:
        """The rows where a mask is true."""
        kept = {f.name: getattr(self, f.name)[rows] for f in fields(self) if f.name != "does"}
        does = Activity(*(getattr(self.does, f.name)[rows] for f in fields(Activity)))
        return Rows(**kept, does=does)

    def watts_by(self, values: Mapping[Key, float], limit: float) -> Array:
        """Predicted power under fitted values. [W]"""
        experts = np.array([values.get(("power_expert_share", w), 0.0) for w in self.weights])
        draw = Draw(
            limit=limit,
            awake=values["power_awake_share", ""],
            busy=values["power_busy_share", ""],
            joules_per_byte=values["power_memory_j_per_byte", ""],
            compute=values["power_compute_share", ""],
            experts=experts,
            rank_loss=values["power_rank_loss", ""],
            most_ranks=float(self.does.ranks.max()),  # all that was measured
        )
        return gpu_power_w(self.idle_w, self.board_w, self.does, draw)


def unfit(point: Point, seconds: float | None = None, notes: str = "") -> str:
    """Why the watts of a point do not count in the fit; empty if they do."""
    if seconds is not None and seconds < SHORTEST_RUN_S:
        return "shorter than the power reading's average"
    if "first touch" in notes and point.load >= 64:
        return "kernels were compiled during the run"
    return excluded(point)


def serving_rows(points: Sequence[Point], catalog: Catalog) -> Rows:
    """Columns of power points, in their order."""
    eff, order = efficiency(catalog), list(dict.fromkeys(p.llm for p in points))
    parts, places = [], []
    for llm in order:
        at = [i for i, p in enumerate(points) if p.llm == llm]
        mine = [points[i] for i in at]
        chosen = setups(llm, mine, catalog, eff)
        load = at_work(chosen, driven(chosen, catalog), catalog)
        idle, board = boards(catalog, chosen.candidates)
        fits = (chosen.fit.max_sequences >= 1) & np.array([p.kind in ("closed", "saturated") for p in mine])
        parts.append(
            Rows(
                watts=np.where(fits, [p.value for p in mine], np.nan),
                idle_w=idle,
                board_w=board,
                does=load.does,
                weights=np.array([p.weights for p in mine]),
                curve=np.array([p.curve for p in mine]),
                accelerator=np.array([p.accelerator for p in mine]),
            )
        )
        places += at
    return _joined(parts, np.argsort(places))


def _joined(parts: Sequence[Rows], order: NDArray[np.int64] | None = None) -> Rows:
    """Rows one below the other, then in an order."""

    def column(of: Sequence[object], name: str) -> NDArray[np.float64]:
        whole = np.concatenate([np.asarray(getattr(one, name)) for one in of])
        return whole if order is None else whole[order]

    does = Activity(*(column([p.does for p in parts], f.name) for f in fields(Activity)))
    return Rows(**{f.name: column(parts, f.name) for f in fields(Rows) if f.name != "does"}, does=does)  # type: ignore[arg-type]


def kernel_rows(file: Path, catalog: Catalog) -> Rows:
    """Single kernels on one GPU: always busy, bytes and arithmetic as measured; the idle readings are left out."""
    with file.open(encoding="utf-8", newline="") as stream:
        found = [r for r in csv.DictReader(stream) if float(r["bytes_per_s"]) > 0]
    chips = [catalog.accelerators[r["accelerator"]] for r in found]
    one, none = np.ones(len(found)), np.zeros(len(found))
    peaks = [chip.peak_flops_per_s[r["dtype"]] for chip, r in zip(chips, found, strict=True)]  # type: ignore[index]
    arithmetic = np.array([float(r["flops_per_s"]) for r in found]) / peaks
    return Rows(
        watts=np.array([float(r["watts"]) for r in found]),
        idle_w=np.array([chip.idle_low_w for chip in chips], float),
        board_w=np.array([chip.tdp_w for chip in chips], float),
        does=Activity(one, one, np.array([float(r["bytes_per_s"]) for r in found]), arithmetic, none, one),
        weights=np.array([r["dtype"] for r in found]),
        curve=np.array([f"{r['accelerator']}|kernels" for r in found]),
        accelerator=np.array([r["accelerator"] for r in found]),
    )


def fit_watts(serving: Rows, kernels: Rows, limit: float) -> Values:
    """Values that fit both best: soft-L1 of log errors, plus the squared pull of the priors."""

    def residuals(x: Array) -> Array:
        values = _values(x)
        run = np.log(serving.watts_by(values, limit) / serving.watts)
        kernel = KERNEL_WEIGHT * np.log(kernels.watts_by(values, limit) / kernels.watts)
        pull = np.array([step / one.sigma for one, step in zip(FREE, x, strict=True)])
        over = [
            max(0.0, np.log(one.prior / one.ceiling) + s) * 100 for one, s in zip(FREE, x, strict=True) if one.ceiling
        ]
        return np.concatenate([run / ERROR_SCALE, kernel / ERROR_SCALE, pull, over])

    return _values(least_squares(residuals, np.zeros(len(FREE)), loss="soft_l1").x)


def _values(steps: Array) -> Values:
    return {key: one.prior * float(np.exp(step)) for one, step in zip(FREE, steps, strict=True) for key in one.keys}


@dataclass(frozen=True)
class Evidence:
    """Everything that the fit sees: core points, further runs, kernels."""

    points: list[Point]
    core: Rows
    counts: NDArray[np.bool_]  # of core
    runs: Rows
    kernels: Rows
    limit: float

    def fitted(self, core: NDArray[np.bool_], runs: NDArray[np.bool_], kernels: NDArray[np.bool_]) -> Values:
        """Fit on what the masks leave."""
        mine = self.core.take(core & self.counts & np.isfinite(self.core.watts))
        return fit_watts(_joined([mine, self.runs.take(runs)]), self.kernels.take(kernels), self.limit)

    def without(self, by: str) -> Array:
        """Prediction of each core row by a fit that has not seen its `curve`, or its `accelerator`. Shape (n,)."""
        mine, runs, kernels = (getattr(rows, by) for rows in (self.core, self.runs, self.kernels))
        found = np.full(len(mine), np.nan)
        for name in np.unique(mine):
            values = self.fitted(mine != name, runs != name, kernels != name)
            found[mine == name] = self.core.take(mine == name).watts_by(values, self.limit)
        return np.where(np.isfinite(self.core.watts), found, np.nan)


def evidence(points: Sequence[Point], catalog: Catalog) -> Evidence:
    """The power points among some, beside the shipped runs and kernels."""
    mine = [p for p in points if p.metric == "power"]
    folder = catalog.folder / "measured"
    limit = catalog.parameter("power_limit_share").value
    counts = np.array([not unfit(p) for p in mine], bool)
    kernels = kernel_rows(folder / "power_kernels.csv", catalog)
    return Evidence(
        mine, serving_rows(mine, catalog), counts, _runs(folder / "power_runs.csv", catalog), kernels, limit
    )


def _runs(file: Path, catalog: Catalog) -> Rows:
    with file.open(encoding="utf-8", newline="") as stream:
        about = {r["id"]: (float(r["seconds"]), r["notes"]) for r in csv.DictReader(stream)}
    points = [p for p in read_points(file, catalog)[0] if not unfit(p, *about[p.id])]
    return serving_rows(points, catalog)


def dataset(catalog: Catalog) -> list[Path]:
    """The files that the fit reads."""
    return [catalog.folder / "measured" / name for name in FILES]


def counts(found: Evidence) -> dict[str, int]:
    """Watts of each accelerator that the fit sees."""
    every = np.concatenate([found.core.accelerator[found.counts], found.runs.accelerator, found.kernels.accelerator])
    return {str(name): int(n) for name, n in zip(*np.unique(every, return_counts=True), strict=True)}


def everything(found: Evidence) -> Values:
    """Values fitted to all that counts."""
    return found.fitted(*(np.ones(len(rows.watts), bool) for rows in (found.core, found.runs, found.kernels)))
