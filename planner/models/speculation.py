"""Speculative decoding: several tokens of a sequence proposed cheaply, checked by one step of the LLM.

Drafts come from the LLM's own multi-token-prediction (MTP) module, from a smaller LLM, or from
text that was seen before (n-grams, at no cost). What they cost is in `planner.models.step`.
"""

from __future__ import annotations

from dataclasses import dataclass, replace

import numpy as np
from numpy.typing import ArrayLike, NDArray

from planner.models.shape import LlmShape

Array = NDArray[np.float64]


@dataclass(frozen=True)
class Speculation:
    """How drafts are made and how often they hold.

    Attributes
    ----------
    draft_tokens : tokens proposed per sequence and step [-]
    acceptance : chance that a draft holds once those before it held [-]
    drafter : what computes one draft token per pass; None: looked up, at no cost
    pass_s : time of the host per pass [s]
    """

    draft_tokens: int
    acceptance: float
    drafter: LlmShape | None = None
    pass_s: float = 0.0

    @property
    def queries(self) -> float:
        """Tokens of one sequence that a step computes: the drafts and the one behind them."""
        return 1.0 + self.draft_tokens

    @property
    def tokens_per_step(self) -> float:
        """Mean tokens that a step yields per sequence."""
        return float(expected_tokens(self.draft_tokens, self.acceptance))


def expected_tokens(draft_tokens: ArrayLike, acceptance: ArrayLike) -> Array:
    """Mean tokens that one step yields: those accepted, and one that the LLM adds itself.

    Parameters
    ----------
    draft_tokens, acceptance : array_like, shape (n,). [-]

    Returns
    -------
    ndarray, shape (n,)
        (1 - a^(k+1)) / (1 - a), between 1 and k + 1. [-]

    Notes
    -----
    Every draft is taken to be as likely as the one before; measured rates fall with depth, so a
    rate belongs to the depth that it was measured at.

    References
    ----------
    .. [1] Leviathan et al., "Fast Inference from Transformers via Speculative Decoding", ICML 2023.

    Examples
    --------
    >>> float(expected_tokens(3, 0.5))
    1.875
    """
    k, a = np.asarray(draft_tokens, float), np.asarray(acceptance, float)
    certain = a >= 1
    return np.where(certain, k + 1, (1 - a ** (k + 1)) / np.where(certain, 1.0, 1 - a))


def steps_for(output_tokens: ArrayLike, draft_tokens: int, acceptance: float, seed: int) -> NDArray[np.int64]:
    """Decode steps after the first token of each answer, every draft accepted or not by chance.

    Parameters
    ----------
    output_tokens : lengths of the answers, shape (n,) [token]
    draft_tokens, acceptance : see `Speculation` [-]
    seed : of the generator

    Returns
    -------
    ndarray, shape (n,)
        Between ⌈(output − 1) / (drafts + 1)⌉ and output − 1. [-]

    Examples
    --------
    >>> steps_for([9, 9, 1], draft_tokens=3, acceptance=1.0, seed=1).tolist()
    [2, 2, 0]
    >>> steps_for([9, 1], draft_tokens=3, acceptance=0.0, seed=1).tolist()
    [8, 0]
    """
    left = np.atleast_1d(np.asarray(output_tokens, np.int64)) - 1
    random, steps = np.random.default_rng(seed), np.zeros(len(left), np.int64)
    open_ = np.flatnonzero(left > 0)
    while len(open_):
        tried = random.geometric(max(1 - acceptance, 1e-12), len(open_))  # drafts up to the first that does not hold
        left[open_] -= np.minimum(tried, draft_tokens + 1)
        steps[open_] += 1
        open_ = open_[left[open_] > 0]
    return steps


def mtp_shape(shape: LlmShape) -> LlmShape:
    """The MTP module as an LLM of one layer: two embeddings joined by a projection, a layer, the shared head.

    The layer is one of the LLM's own with experts where it has any, and keeps every token.

    References
    ----------
    .. [1] DeepSeek-AI, "DeepSeek-V3 Technical Report", arXiv 2412.19437, section 2.2.
    """
    layers = shape.layers
    dense_layers = layers - shape.moe_layers
    return replace(
        shape,
        layers=1,
        full_layers=1,
        sliding_layers=0,
        linear_layers=0,
        linear_state_bytes=0.0,
        moe_layers=min(shape.moe_layers, 1),
        attention_sharded_params=shape.attention_sharded_params / layers,
        attention_kv_params=shape.attention_kv_params / layers,
        attention_replicated_params=shape.attention_replicated_params / layers + 2.0 * shape.hidden_size**2,
        dense_ffn_params=0.0 if shape.moe_layers else shape.dense_ffn_params / dense_layers,
        shared_expert_params=shape.shared_expert_params / max(shape.moe_layers, 1),
        router_params=shape.router_params / max(shape.moe_layers, 1),
        extra_params=0.0,
    )
