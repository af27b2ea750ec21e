"""Can a benchmark's figures be true of the set-up it names? Bytes and arithmetic against the peaks, and Little's law.

A run that is faster than its accelerators, or whose latencies and throughput contradict each other, met a prefix
cache, speculation, another precision, another number of GPUs, or was written down wrongly.
"""

from __future__ import annotations

import math
from collections.abc import Iterator, Sequence

import numpy as np

from planner.calibration.points import Point
from planner.calibration.setups import setups
from planner.catalog import Catalog
from planner.models.roofline import decode_bytes_per_gpu, token_flops_per_gpu
from planner.schema import Doubt
from planner.search.columns import efficiency

SPARE = 1.05  # datasheet figures are round
# Measured over users / latency: above, more than Little's law allows; below, more than ramp and drain explain.
LITTLE = (0.5, 1.15)


def doubts(file: str, points: Sequence[Point], catalog: Catalog) -> tuple[Doubt, ...]:
    """What cannot be true of one run of a closed loop; empty where nothing speaks against it.

    Parameters
    ----------
    points : its figures, at most one of each metric, of the same load
    """
    value = {point.metric: point.value for point in points}
    if not points or points[0].kind != "closed" or not value.keys() & {"tpot", "output"}:
        return ()
    return tuple(_doubts(file, points[0], value, catalog))


def _doubts(file: str, run: Point, value: dict[str, float], catalog: Catalog) -> Iterator[Doubt]:
    users, answer = run.load, run.output_tokens
    tpot_s = value.get("tpot") or users / value["output"]
    latency_s = value.get("ttft", 0.0) + answer * tpot_s
    rate = value.get("output", users * answer / latency_s)
    chosen = setups(run.llm, [run], catalog, efficiency(catalog))
    running = np.minimum(users * answer * tpot_s / latency_s, chosen.most)
    context = np.asarray(chosen.lengths.mean_context_tokens)
    read = float(decode_bytes_per_gpu(chosen.shape, chosen.place, running, context)[0]) / tpot_s
    work = float(token_flops_per_gpu(chosen.shape, chosen.place, context)[0]) * rate * (1 + run.input_tokens / answer)
    peaks = float(chosen.place.bandwidth_bytes_per_s[0]), float(chosen.place.ffn_flops_per_s[0])
    for what, needed, most in (("bandwidth", read, peaks[0]), ("arithmetic", work, peaks[1])):
        if math.isfinite(most) and needed > SPARE * most:
            yield Doubt(file=file, load=users, what=what, needed=needed, available=most)
    if {"tpot", "ttft", "output"} <= value.keys():
        expected = users * answer / latency_s
        if not LITTLE[0] * expected <= rate <= LITTLE[1] * expected:
            yield Doubt(file=file, load=users, what="throughput", needed=rate, available=expected)
