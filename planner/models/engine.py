"""The engine of a replica: how long its steps take and what its scheduler allows."""

from __future__ import annotations

from bisect import bisect_right
from dataclasses import dataclass
from functools import cached_property
from math import ceil
from typing import Literal, Protocol, get_args

import numpy as np

from planner.errors import WorkloadError

#: "mixed" (vLLM, TensorRT-LLM): every running sequence decodes in each step, prompt chunks fill the
#: rest of its token budget. "prompt_first" (SGLang): steps of prompts alone go before decoding.
Policy = Literal["mixed", "prompt_first"]

#: "reserve": the cache has room for its prompt and its whole answer. "recompute" (vLLM): for its prompt and one
#: step; when the cache is full, the request that entered last gives its place up and computes all of it again.
Admission = Literal["reserve", "recompute"]


class StepFunction(Protocol):
    """Step time in any form. The simulation walks its decode steps one by one."""

    def step_s(self, sequences: float, context: float, prompt: int, pairs: float, held: float) -> float:
        """Time of one step. [s]

        Parameters
        ----------
        sequences : sequences that decode one token each [-]
        context : tokens that these hold in the cache, together, before the step [token]
        prompt : prompt tokens computed in the step [token]
        pairs : sum over prompt chunks of chunk · (tokens before it + chunk / 2) [token²]
        held : tokens of the prompts in progress, cached ones and this step's chunks included [token]
        """
        ...


@dataclass(frozen=True)
class StepTimes:
    """Step time of one replica, linear in what its sequences hold.

    τ = base(prompt + sequences) + sequence_s · sequences + context_s · context + pair_s · pairs,
    and prompt_least_s at least where the step carries prompt tokens

    Attributes
    ----------
    rows : tokens per step at which the base is known, increasing, two at least [token]
    base_s : step time with so many tokens; linear between and beyond the rows [s]
    sequence_s : for each decoding sequence, more than its row; may be negative [s]
    context_s : for each cached token that the decoding sequences read [s/token]
    pair_s : for each pair of a prompt token and a token before it (prompt attention) [s/token²]
    prompt_least_s : a step with prompt tokens, whose kernels are launched one by one, outside CUDA graphs [s]

    Examples
    --------
    >>> times = StepTimes.linear(base_s=8e-3, prompt_s=20e-6, sequence_s=50e-6, context_s=60e-9)
    >>> round(times.step_s(sequences=10, context=20_000, prompt=500, pairs=0.0, held=500), 9)
    0.0197
    """

    rows: tuple[float, ...]
    base_s: tuple[float, ...]
    sequence_s: float = 0.0
    context_s: float = 0.0
    pair_s: float = 0.0
    prompt_least_s: float = 0.0

    def __post_init__(self) -> None:
        if len(self.rows) < 2 or len(self.rows) != len(self.base_s) or not (np.diff(self.rows) > 0).all():
            raise ValueError("step times need a base at two or more increasing numbers of rows")
        if not (self.context_s >= 0 and self.pair_s >= 0):
            raise ValueError("more context cannot make a step faster")

    @classmethod
    def linear(
        cls, base_s: float, prompt_s: float, sequence_s: float, context_s: float, pair_s: float = 0.0
    ) -> StepTimes:
        """The plain form τ = a + b_p·P + b_d·B + b_kv·C + b_q·pairs; all times in seconds."""
        return cls((0.0, 1.0), (base_s, base_s + prompt_s), sequence_s - prompt_s, context_s, pair_s)

    def step_s(self, sequences: float, context: float, prompt: int, pairs: float, held: float) -> float:
        """Time of one step; see `StepFunction`. [s]"""
        inner, slopes, offsets = self._segments
        segment = bisect_right(inner, prompt + sequences)
        base_s = offsets[segment] + slopes[segment] * (prompt + sequences)
        time_s = base_s + self.sequence_s * sequences + self.context_s * context + self.pair_s * pairs
        return max(time_s, self.prompt_least_s) if prompt else time_s

    @cached_property
    def _segments(self) -> tuple[list[int], list[float], list[float]]:
        return self.segments()

    def segments(self) -> tuple[list[int], list[float], list[float]]:
        """Where the inner segments begin [token], and of all the slope [s/token] and the value at zero [s]."""
        rows, base_s = np.asarray(self.rows), np.asarray(self.base_s)
        slopes = np.diff(base_s) / np.diff(rows)
        offsets = base_s[:-1] - slopes * rows[:-1]
        return [ceil(row) for row in self.rows[1:-1]], slopes.tolist(), offsets.tolist()

    def decode_s(self, most: int) -> tuple[list[float], list[float]]:
        """Time of a decode step without context, and half its growth per step, of 0, 1, …, `most` sequences. [s]"""
        inner, slopes, offsets = self.segments()
        sequences = np.arange(most + 1)
        segment = np.searchsorted(np.asarray(inner), sequences, side="right")
        step_s = np.asarray(offsets)[segment] + (np.asarray(slopes)[segment] + self.sequence_s) * sequences
        if not (step_s[1:] > 0).all():
            raise ValueError("every decode step must take some time")
        return step_s.tolist(), (0.5 * self.context_s * sequences).tolist()


@dataclass(frozen=True)
class Limits:
    """What the scheduler of a replica allows.

    Attributes
    ----------
    max_sequences : sequences that run at once [-]
    budget_tokens : tokens computed per step [token]
    kv_tokens : tokens that fit into the cache [token]
    policy : how prompts and decoding share the steps
    admission : what a request finds before it may enter
    queries : tokens of the budget that a decoding sequence takes: 1, and its drafts [-]
    """

    max_sequences: int
    budget_tokens: int
    kv_tokens: float
    policy: Policy = "mixed"
    admission: Admission = "reserve"
    queries: int = 1

    def __post_init__(self) -> None:
        if self.max_sequences < 1 or self.budget_tokens < 1:
            limits = f"max_sequences {self.max_sequences}, budget_tokens {self.budget_tokens}"
            raise WorkloadError("{limits}: an engine needs 1 of each at least.", limits=limits)
        if self.queries < 1 or (self.policy == "mixed" and self.queries > self.budget_tokens):
            raise WorkloadError(
                "{queries} tokens per sequence and step, of a budget of {budget_tokens}.",
                queries=self.queries,
                budget_tokens=self.budget_tokens,
            )
        for name, allowed in (("policy", Policy), ("admission", Admission)):
            if getattr(self, name) not in get_args(allowed):
                raise ValueError(f"{name} {getattr(self, name)!r} is none of {get_args(allowed)}")

    @property
    def seats(self) -> int:
        """Sequences that can run; in a mixed step each takes its tokens of the budget at least."""
        if self.policy == "mixed":
            return int(min(self.max_sequences, self.budget_tokens // self.queries))
        return int(self.max_sequences)
