"""Electric power from what the chips do.

A GPU draws its idle power; more as soon as its clocks are up; more for the share of time in which kernels
run, for each byte that it reads and for its arithmetic; and never more than its board allows. Evidence: serving
runs on H100, H200 and B200 and single kernels on H100 and H200 (catalogs/measured).
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import ArrayLike, NDArray

from planner.models.collectives import layer_collectives_s
from planner.models.operators import (
    Efficiency,
    Placement,
    decode_attention_s,
    experts_s,
    linear_s,
    prompt_attention_s,
)
from planner.models.roofline import decode_bytes_per_gpu, token_flops_per_gpu
from planner.models.serving import Lengths, Point
from planner.models.shape import LlmShape

Array = NDArray[np.float64]
Column = Array | float

CAP_SHARPNESS = 12  # the cap takes 6 % where demand meets the limit, 0.2 % a quarter below it


@dataclass(frozen=True)
class Activity:
    """What each GPU of a replica does, as columns. All but the first are means over the time that it serves.

    Attributes
    ----------
    serving : share of time in which a request is being worked on [-]
    busy : share of that time in which kernels run, collectives included [-]
    bytes_per_s : memory traffic [B/s]
    compute : achieved arithmetic over the dense peak of the data type [-]
    experts : share of time in routed-expert kernels [-]
    ranks : tp x dp: ranks that wait for each other in every layer [-]
    """

    serving: Array
    busy: Array
    bytes_per_s: Array
    compute: Array
    experts: Array
    ranks: Array


@dataclass(frozen=True)
class Draw:
    """Fitted power of each kind of work (catalogs/calibration.csv, `power_*`), numbers or columns.

    Attributes
    ----------
    limit : share of the board limit that the hardest work holds [-]
    awake : clocks up, nothing running, over the span from idle to that limit [-]
    busy : kernels running, over the span [-]
    joules_per_byte : of memory traffic [J/B]
    compute : arithmetic at the peak, over the span [-]
    experts : expert kernels of narrow weights, on top of their traffic and arithmetic, over the span [-]
    rank_loss : log loss of the working power per further rank [-]
    most_ranks : group size beyond which nothing more is lost: the largest measured [-]
    """

    limit: Column
    awake: Column
    busy: Column
    joules_per_byte: Column
    compute: Column
    experts: Column
    rank_loss: Column
    most_ranks: Column


def gpu_power_w(idle_w: ArrayLike, board_w: ArrayLike, does: Activity, draw: Draw) -> Array:
    """Power of one accelerator. [W]

    Notes
    -----
    idle + serving * span * cap(awake + (busy + bytes + arithmetic + experts) * exp(-loss * (ranks - 1))); the
    cap is smooth and never passes 1, so that power stays between idle and the limit.

    Examples
    --------
    Half of the time in kernels, no traffic to speak of: 100 + 500 x (0.3 + 0.5 x 0.2)

    >>> does = Activity(*(np.array(x) for x in (1.0, 0.5, 0.0, 0.0, 0.0, 1.0)))
    >>> round(float(gpu_power_w(100, 600, does, Draw(1, 0.3, 0.2, 0, 1, 0, 0, 8))), 1)
    300.0
    """
    idle = np.asarray(idle_w, float)
    span = draw.limit * np.asarray(board_w, float) - idle
    work = draw.busy * does.busy + draw.compute * does.compute + draw.experts * does.experts
    work = work + draw.joules_per_byte * does.bytes_per_s / span
    waiting = draw.rank_loss * (np.minimum(does.ranks, draw.most_ranks) - 1)
    demand = draw.awake + work * np.exp(-waiting)
    return np.asarray(idle + does.serving * span * _capped(demand))


def _capped(demand: Array) -> Array:
    """Smooth minimum of a demand and 1."""
    return np.asarray(demand / (1 + demand**CAP_SHARPNESS) ** (1 / CAP_SHARPNESS))


def activity(shape: LlmShape, place: Placement, eff: Efficiency, lengths: Lengths, point: Point) -> Activity:
    """What the GPUs do at an operating point; prompts run in the same steps as answers.

    Busy is what a step works, over what it takes; while fewer than one sequence decodes on average, the one
    that is there takes turns between its prompt, its answer and nothing.
    """
    running, context = np.maximum(point.sequences, 1.0), lengths.mean_context_tokens
    queries = 1.0 if place.speculation is None else place.speculation.queries
    prompts = running / lengths.steps  # per step
    rows, micro = (running * queries + prompts * lengths.new_tokens) / place.pp, running / place.pp
    experts = experts_s(shape, place, eff, rows)
    work = linear_s(shape, place, eff, rows, micro * queries) + experts
    work = work + decode_attention_s(shape, place, eff, micro, context, queries)
    work = work + layer_collectives_s(shape, place.tp, place.dp, rows, place.links)
    prompt = prompt_attention_s(shape, place, eff, lengths.new_tokens, lengths.cached_tokens) / place.dp
    turns = np.minimum(point.sequences + point.prefill_utilisation, 1.0)
    serving = np.where(point.sequences < 1, turns, 1.0)
    steps_per_s = point.rate_per_s * lengths.steps / (running * serving)
    slow, tokens = place.time_factor, running * (queries + lengths.new_tokens / lengths.steps)
    flops = token_flops_per_gpu(shape, place, context) * tokens
    return Activity(
        serving=serving,
        busy=np.minimum((work * slow + prompts * prompt) * steps_per_s, 1.0),
        bytes_per_s=decode_bytes_per_gpu(shape, place, running, context, queries) * steps_per_s,
        compute=np.minimum(flops * steps_per_s / place.ffn_flops_per_s, 1.0),
        experts=np.minimum(experts * slow * steps_per_s, 1.0),
        ranks=place.tp * place.dp,
    )


def node_power_w(gpu_w: ArrayLike, gpus: ArrayLike, host_w_per_gpu: ArrayLike) -> Array:
    """Accelerators plus their share of processors, memory, fans, drives and NICs. [W]"""
    return np.asarray((np.asarray(gpu_w) + np.asarray(host_w_per_gpu)) * np.asarray(gpus), float)


def facility_power_w(it_w: ArrayLike, pue: float) -> Array:
    """Power at the meter: IT power times power usage effectiveness. [W]"""
    return np.asarray(np.asarray(it_w) * pue, float)
