"""How engines meet the prompts of a fixed number of users: catalog -> Loop columns."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from planner.catalog import Catalog
from planner.models.loop import Array, Loop


def loop(
    catalog: Catalog,
    engines: Sequence[str],
    requests_per_user: float | Array,
    length_spread: float | Array = 0.0,
    held_steps: float | Array = 0.0,
) -> Loop:
    """Conditions of closed loops, one per engine id given. Columns of length n."""

    def parameter(name: str) -> Array:
        values = {engine: catalog.parameter(name, engine).value for engine in set(engines)}
        return np.array([values[engine] for engine in engines])

    return Loop(
        requests_per_user=requests_per_user,
        length_spread=length_spread,
        first_token_steps=parameter("first_token_steps"),
        held_steps=held_steps,
        met_prompts=parameter("met_prompts"),
        prompts_first=np.array([float(catalog.engines[e].schedule == "prompt_first") for e in engines]),
    )
