"""`make calibrate`: fit, score on curves that the fit has not seen, write calibration.csv and held_out.csv.gz."""

from __future__ import annotations

import csv
import hashlib
import sys
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from planner.calibration.bands import Interval, by_engine, unseen, widening
from planner.calibration.fit import FREE, Values, excluded, fit, fitted, folds, left_out
from planner.calibration.held_out import HeldOut, held_out_file, points_file, write_held_out
from planner.calibration.points import Point, read_points
from planner.calibration.score import BANDS
from planner.calibration.setups import Array
from planner.catalog import Catalog, load_catalog


@dataclass(frozen=True)
class Errors:
    """Errors of one metric on points that the fit has not seen."""

    metric: str
    n: int
    mape: float
    median: float
    coverage: float


def main() -> None:
    """Fit, score, write and print."""
    catalog = load_catalog()
    points = [p for p in read_points(points_file(catalog), catalog)[0] if p.metric in BANDS]
    values = fit([p for p in points if fitted(p)], catalog, FREE)
    _say(f"fitted {len(values)} values to {sum(map(fitted, points))} points")
    held = left_out(points, catalog, FREE, values, folds([p.curve for p in points]), _progress("curves"))
    machines = folds([p.accelerator for p in points], 0)
    abroad = left_out(points, catalog, FREE, values, machines, _progress("accelerators"))
    intervals, predictions, errors = {}, dict[str, HeldOut](), []
    for metric in BANDS:
        rows = [i for i, p in enumerate(points) if p.metric == metric]
        found, low, high = _bands([points[i] for i in rows], held[rows], abroad[rows])
        intervals[metric] = found
        predictions |= {
            points[i].id: HeldOut(held[i], held[i] * a, held[i] * b) for i, a, b in zip(rows, low, high, strict=True)
        }
        errors.append(_errors(metric, [points[i] for i in rows], held[rows], low, high))
    write_held_out(held_out_file(catalog), predictions)
    write(catalog, values, intervals, errors, sum(map(fitted, points)))
    _say("\n".join(f"{name:<32} {scope:<14} {value:.4g}" for (name, scope), value in values.items()))
    _say("\n".join(map(_line, errors)))


def _bands(points: Sequence[Point], held: Array, abroad: Array) -> tuple[dict[str, Interval], Array, Array]:
    """Intervals of one metric by scope, and for each point the one from other curves.

    Widths are chosen on the points that count; points that do not count get the same kind of interval.
    """
    counts = np.array([not excluded(p) for p in points])
    measured = np.array([p.value for p in points])
    engines, curves = np.array([p.engine for p in points]), np.array([p.curve for p in points])
    ratio = measured / held
    width = widening(ratio[counts], engines[counts], curves[counts])
    low, high = unseen(ratio, engines, curves, width, counts)
    known = by_engine(ratio[counts], engines[counts], curves[counts], width)
    far = (measured / abroad)[counts]
    never = by_engine(far, engines[counts], curves[counts], width)[""]
    scoped = {f"calibrated|{engine}" if engine else "calibrated": found for engine, found in known.items()}
    return {**scoped, "roofline": _at_least(never, known[""])}, low, high


def _at_least(wide: Interval, narrow: Interval) -> Interval:
    """Hardware that was never measured cannot be surer than hardware that was."""
    return Interval(min(wide.low, narrow.low), max(wide.high, narrow.high), wide.n)


def _errors(metric: str, points: Sequence[Point], held: Array, low: Array, high: Array) -> Errors:
    counts = np.array([not excluded(p) for p in points])
    ratio = np.array([p.value for p in points])[counts] / held[counts]
    error = np.abs(1 / ratio - 1)
    inside = (low[counts] <= ratio) & (ratio <= high[counts])
    return Errors(metric, int(counts.sum()), float(error.mean()), float(np.median(error)), float(inside.mean()))


def write(
    catalog: Catalog,
    values: Values,
    intervals: Mapping[str, Mapping[str, Interval]],
    errors: Sequence[Errors],
    n: int,
) -> None:
    """Set fitted values, intervals, errors, counts and date in calibration.csv; written beside, then renamed."""
    file = catalog.folder / "calibration.csv"
    with file.open(encoding="utf-8", newline="") as stream:
        rows = [row for row in csv.DictReader(stream) if row["name"] not in BANDS.values()]
    digest = hashlib.sha256(points_file(catalog).read_bytes()).hexdigest()[:12]
    stamp = {"dataset": f"measured/points.csv.gz {digest}", "source_date": catalog.as_of.isoformat()}
    source = _source(errors)
    for row in rows:
        if (row["name"], row["scope"]) in values:
            value = values[row["name"], row["scope"]]
            row |= {"value": f"{value:.4g}", "source": source, "n": str(n), **stamp}
    for metric, found in intervals.items():
        rows += [_band_row(metric, scope, one, stamp) for scope, one in found.items()]
    _replace(file, rows)


def _band_row(metric: str, scope: str, found: Interval, stamp: Mapping[str, str]) -> dict[str, str]:
    never = scope == "roofline"
    left = "accelerators" if never else "curves"
    return {
        "name": BANDS[metric],
        "scope": scope,
        "value": "1",
        "low": f"{found.low:.3g}",
        "high": f"{found.high:.3g}",
        "kind": "measured",
        "meaning": "80 % interval of measured over predicted" + (", accelerator never measured" if never else ""),
        "n": str(found.n),
        "source": f"measured over predicted with whole {left} left out of the fit, 10th to 90th percentile, widened "
        "until intervals from other curves hold 80 %",
        "confidence": "low" if never else "medium",
        "notes": "",
        **stamp,
    }


def _replace(file: Path, rows: Sequence[Mapping[str, str]]) -> None:
    beside = file.with_suffix(".new")
    with beside.open("w", encoding="utf-8", newline="") as stream:
        writer = csv.DictWriter(stream, list(rows[0]), lineterminator="\n")
        writer.writeheader()
        writer.writerows(rows)
    beside.replace(file)


def _source(errors: Sequence[Errors]) -> str:
    spelled = ", ".join(f"{e.metric} {e.mape:.1%} / {e.median:.1%} (n = {e.n})" for e in errors)
    return (
        "fit of planner/models on public serving measurements, priors at kernel-measured values; whole curves left "
        f"out, mean / median error: {spelled}"
    )


def _line(e: Errors) -> str:
    return f"{e.metric:<8} n = {e.n}  MAPE {e.mape:.1%}  median {e.median:.1%}  80 % interval holds {e.coverage:.1%}"


def _progress(what: str) -> Callable[[int, int], None]:
    def say(done: int, of: int) -> None:
        sys.stderr.write(f"\rfits without some {what}: {done} of {of}" + ("\n" if done == of else ""))
        sys.stderr.flush()

    return say


def _say(text: str) -> None:
    sys.stdout.write(text + "\n")


if __name__ == "__main__":
    main()
