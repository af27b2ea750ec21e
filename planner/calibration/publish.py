"""`make calibrate`: fit, score on curves that the fit has not seen, write calibration.csv and held_out.csv.gz."""

from __future__ import annotations

import sys
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import partial

import numpy as np
from numpy.typing import NDArray

from planner.calibration import fit_power
from planner.calibration.bands import Interval, by_engine, extrapolated, unseen, widening
from planner.calibration.fit import FREE, Values, excluded, fit, fitted, folds
from planner.calibration.held_out import HeldOut, held_out_file, points_file, write_held_out
from planner.calibration.leave_out import left_out, slopes
from planner.calibration.points import Point, read_points
from planner.calibration.score import BANDS
from planner.calibration.setups import Array
from planner.calibration.table import Key, Row, band_row, read_rows, replace_rows, set_values, stamp
from planner.catalog import Catalog, load_catalog

WHAT = {"ttft": "TTFT", "tpot": "TPOT", "output": "throughput", "power": "GPU power"}


@dataclass(frozen=True)
class Scored:
    """One metric on points that the fit has not seen.

    Attributes
    ----------
    points, held : the points and their predictions by fits that have not seen their curve [SI]
    low, high : the interval around each, from other curves, as measured over predicted [-]
    intervals : by scope, for calibration.csv
    """

    metric: str
    points: list[Point]
    held: Array
    low: Array
    high: Array
    intervals: dict[str, Interval]

    @property
    def counts(self) -> NDArray[np.bool_]:
        """Points that no rule takes out of the score."""
        return np.array([not excluded(p) for p in self.points])

    @property
    def ratio(self) -> Array:
        """Measured over predicted."""
        return np.array([p.value for p in self.points]) / self.held

    def line(self) -> str:
        """Errors and coverage of the points that count."""
        ratio, inside = self.ratio[self.counts], (self.low <= self.ratio) & (self.ratio <= self.high)
        error = np.abs(1 / ratio - 1)
        return (
            f"{WHAT[self.metric]} {error.mean():.1%} / {np.median(error):.1%} (n = {len(ratio)}, "
            f"80 % interval holds {inside[self.counts].mean():.0%})"
        )


def main() -> None:
    """Step times and first tokens, then watts, which build on them."""
    catalog = load_catalog()
    points = read_points(points_file(catalog), catalog)[0]
    times = [p for p in points if p.metric != "power"]
    values = fit([p for p in times if fitted(p)], catalog, FREE, start=_last(catalog))
    slope, curves = slopes(times, catalog, FREE, values), folds([p.curve for p in times])
    held = left_out(times, catalog, FREE, values, curves, slope, partial(_progress, "curves"))
    machines = folds([p.accelerator for p in times], 0)
    abroad = left_out(times, catalog, FREE, values, machines, slope, partial(_progress, "accelerators"))
    found = [_scored(metric, times, held, abroad) for metric in BANDS if metric != "power"]
    about = stamp(catalog, [points_file(catalog)]) | {"n": str(sum(map(fitted, times))), "source": _source(found)}
    _write(catalog, values, found, about)
    catalog = load_catalog()
    watts, watts_values = _watts(catalog, points)
    about = stamp(catalog, fit_power.dataset(catalog)) | {"n": str(len(watts.points)), "source": _source([watts])}
    _write(catalog, watts_values, [watts], about)
    write_held_out(held_out_file(catalog), _predictions([*found, watts]))
    sys.stdout.write("".join(f"{name:<32} {scope:<14} {value:.4g}\n" for (name, scope), value in values.items()))
    sys.stdout.write("".join(one.line() + "\n" for one in [*found, watts]))


def _last(catalog: Catalog) -> Values:
    """The values that the catalog holds: the valley is flat, and from here the fit is the last one's or better."""
    return {key: catalog.parameter(*key).value for one in FREE for key in one.keys}


def _watts(catalog: Catalog, points: Sequence[Point]) -> tuple[Scored, Values]:
    evidence = fit_power.evidence(points, catalog)
    held, abroad = evidence.without("curve"), evidence.without("accelerator")
    values = fit_power.everything(evidence)
    values |= {("power_points", name): float(n) for name, n in fit_power.counts(evidence).items()}
    values["power_most_ranks", ""] = float(evidence.core.does.ranks.max())
    return _scored("power", evidence.points, held, abroad), values


def _scored(metric: str, points: Sequence[Point], held: Array, abroad: Array) -> Scored:
    """Intervals of one metric, as wide as the points that count need them."""
    rows = [i for i, p in enumerate(points) if p.metric == metric]
    chosen = [points[i] for i in rows]
    one = Scored(metric, chosen, held[rows], np.zeros(len(rows)), np.zeros(len(rows)), {})
    counts, ratio = one.counts, one.ratio
    engines, curves = np.array([p.engine for p in chosen]), np.array([p.curve for p in chosen])
    width = widening(ratio[counts], engines[counts], curves[counts])
    low, high = unseen(ratio, engines, curves, width, counts)
    known = by_engine(ratio[counts], engines[counts], curves[counts], width)
    far = np.array([p.value for p in chosen])[counts] / abroad[rows][counts]
    never = by_engine(far, engines[counts], curves[counts], width)[""]
    scoped = {f"calibrated|{engine}" if engine else "calibrated": found for engine, found in known.items()}
    beyond = {f"roofline|{engine}" if engine else "roofline": extrapolated(never, one) for engine, one in known.items()}
    intervals = {**scoped, **beyond}
    return Scored(metric, chosen, one.held, low, high, intervals)


def _write(catalog: Catalog, values: Mapping[Key, float], found: Sequence[Scored], about: Mapping[str, str]) -> None:
    """Values and intervals into calibration.csv."""
    names = {BANDS[one.metric] for one in found}
    rows = [row for row in read_rows(catalog) if row["name"] not in names]
    set_values(rows, values, about)
    replace_rows(catalog, [*rows, *(row for one in found for row in _band_rows(one, about))])


def _band_rows(one: Scored, about: Mapping[str, str]) -> list[Row]:
    stamp = {"dataset": about["dataset"], "source_date": about["source_date"]}
    rows = []
    for scope, found in one.intervals.items():
        never = scope.startswith("roofline")
        meaning = WHAT[one.metric] + (", accelerator never measured, a quarter wider" if never else "")
        rows.append(band_row(BANDS[one.metric], scope, found, meaning, "accelerators" if never else "curves", stamp))
    return rows


def _predictions(found: Sequence[Scored]) -> dict[str, HeldOut]:
    return {
        p.id: HeldOut(value, value * low, value * high)
        for one in found
        for p, value, low, high in zip(one.points, one.held, one.low, one.high, strict=True)
    }


def _source(found: Sequence[Scored]) -> str:
    return (
        "fit of planner/models on public measurements, priors at kernel-measured values; whole curves left out, "
        f"mean / median error: {'; '.join(one.line() for one in found)}"
    )


def _progress(what: str, done: int, of: int) -> None:
    sys.stderr.write(f"\rfits without some {what}: {done} of {of}" + ("\n" if done == of else ""))
    sys.stderr.flush()


if __name__ == "__main__":
    main()
