"""How far one's own run reaches: public curves as if each were a user's, printed (`python bench/learning.py`).

Left out: each load of a curve predicted by a fit of its other loads. Carried over: other curves of the same
accelerator predicted with the scalars of one curve, by what the two have in common.
"""

from __future__ import annotations

from collections import defaultdict

import numpy as np

from planner.assets import catalogs_dir
from planner.calibration.fit import Free, Values, excluded, fit
from planner.calibration.learn import SIGMA
from planner.calibration.points import Point, read_points
from planner.calibration.predict import predict
from planner.catalog import Catalog, load_catalog

CURVES = 40
MOST_USERS = 128  # beyond it, TTFT is the length of a queue
FITTED = {"tpot": ("time_factor",), "ttft": ("prompt_overhead", "ingest_s")}


def curves(catalog: Catalog, metric: str) -> list[list[Point]]:
    """Points of one set-up at four loads or more, in random order."""
    found = defaultdict(list)
    for p in read_points(catalogs_dir() / "measured" / "points.csv.gz", catalog)[0]:
        if p.kind == "closed" and p.metric == metric and p.load <= MOST_USERS and not excluded(p):
            layout = (p.tp, p.dp, p.pp, p.ep, p.replicas, p.input_tokens, p.output_tokens)
            found[(p.llm, p.accelerator, p.weights, p.kv, p.engine, p.version, p.source, *layout)].append(p)
    kept = [points for points in found.values() if len({p.load for p in points}) >= 4]
    return [kept[i] for i in np.random.default_rng(0).permutation(len(kept))]


def fitted(points: list[Point], catalog: Catalog) -> Catalog:
    """The catalogs with the scalars of some points, wherever they would otherwise hold."""
    family = catalog.accelerators[points[0].accelerator].architecture.split()[0]
    free = []
    for name in FITTED[points[0].metric]:
        scope = family if (name, family) in catalog.calibration else ""
        free.append(Free(name, scope, catalog.parameter(name, scope).value, SIGMA[name]))
    values: Values = fit(points, catalog, tuple(free), rounds=6)
    return catalog.calibrated(values)


def error(points: list[Point], catalog: Catalog) -> float:
    """Mean absolute relative error."""
    return float(np.mean(np.abs(predict(points, catalog) / np.array([p.value for p in points]) - 1)))


def left_out(points: list[Point], catalog: Catalog) -> float:
    """Error of each load, predicted by a fit of the others."""
    loads = sorted({p.load for p in points})
    return float(np.mean([
        error([p for p in points if p.load == n], fitted([p for p in points if p.load != n], catalog)) for n in loads
    ]))  # fmt: skip


def kin(one: Point, other: Point) -> str:
    """What two curves of an accelerator have in common."""
    if one.llm != other.llm or one.engine != other.engine:
        return "another LLM" if one.llm != other.llm else "another engine"
    layout = (one.tp, one.dp, one.pp, one.ep) == (other.tp, other.dp, other.pp, other.ep)
    lengths = (one.input_tokens, one.output_tokens) == (other.input_tokens, other.output_tokens)
    same = {(True, True): "both", (True, False): "layout", (False, True): "lengths", (False, False): "neither"}
    return f"same LLM and engine; of layout and lengths {same[(layout, lengths)]}"


def report(catalog: Catalog, metric: str) -> None:
    """Print the errors of one metric."""
    every = curves(catalog, metric)
    own = every[:CURVES]
    before = np.mean([error(points, catalog) for points in own])
    after = np.mean([left_out(points, catalog) for points in own])
    print(f"{metric}: {len(own)} of {len(every)} curves, each load left out: {before:.1%} before, {after:.1%} after")
    carried = defaultdict(list)
    for points in own:
        learnt = fitted(points, catalog)
        for other in every:
            if other is not points and other[0].accelerator == points[0].accelerator:
                carried[kin(points[0], other[0])].append((error(other, catalog), error(other, learnt)))
    for name, pairs in sorted(carried.items()):
        old, new = np.mean(pairs, axis=0)
        print(f"  {name:<56} n = {len(pairs):>4}  {old:6.1%} before, {new:6.1%} after")


if __name__ == "__main__":
    for name in FITTED:
        report(load_catalog(), name)
