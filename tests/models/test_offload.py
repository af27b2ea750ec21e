"""Weights in host memory by hand: a host of 100 GB/s and 1 TFLOP/s behind links of 10 GB/s."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from planner.models import offload
from planner.models.offload import Offload
from planner.models.operators import Efficiency, Placement
from planner.models.shape import LlmShape
from planner.models.step import host_s, step_s

Placed = Callable[..., Placement]
ONE = np.ones(1)
NO_CONTEXT = np.zeros(1)
CPU = Offload("experts", "cpu", 1.0, 2.0, 1e11, 1e12, 1e10)


def test_one_token_reads_the_experts_that_it_visits(sparse: LlmShape, placed: Placed) -> None:
    # 2 of 8 experts in each of 2 layers, 1 M parameters of 2 B: 8 MB at 100 GB/s; 8 MFLOP take 8 us.
    place = replace(placed(), offload=CPU)
    assert float(host_s(sparse, place, ONE)[0]) == pytest.approx(np.cbrt(80e-6**3 + 8e-6**3))


def test_a_prompt_is_bound_by_the_processor(sparse: LlmShape, placed: Placed) -> None:
    # 1,000 rows x 2 experts x 2 layers x 2 MFLOP = 8 GFLOP at 1 TFLOP/s; all 32 MB are read in 0.32 ms.
    place = replace(placed(), offload=CPU)
    assert float(host_s(sparse, place, 1000 * ONE)[0]) == pytest.approx(8e-3, rel=1e-4)


def test_copies_go_at_the_slower_of_links_and_memory(sparse: LlmShape, placed: Placed) -> None:
    by_link = replace(placed(), offload=replace(CPU, by="pcie"))
    assert float(host_s(sparse, by_link, ONE)[0]) == pytest.approx(8e6 / 1e10)
    by_memory = replace(placed(), offload=replace(CPU, by="pcie", pcie_bytes_per_s=1e12))
    assert float(host_s(sparse, by_memory, ONE)[0]) == pytest.approx(8e6 / 1e11)


def test_experts_wait_for_their_layer(sparse: LlmShape, placed: Placed, ideal: Efficiency) -> None:
    # On the accelerator attention 8 MB and the head 2 MB at 1 TB/s, then the host's time on top.
    place = replace(placed(), offload=CPU)
    found = float(step_s(sparse, place, ideal, ONE, ONE, NO_CONTEXT)[0])
    assert found == pytest.approx(10e-6 + float(host_s(sparse, place, ONE)[0]), rel=1e-4)


def test_copies_of_layers_overlap(small: LlmShape, placed: Placed, ideal: Efficiency) -> None:
    # Half of 10 M parameters in 16 bit is 10 MB: 1 ms over the links, and 22 us of computing meanwhile.
    place = replace(placed(), offload=Offload("layers", "pcie", 0.5, 2.0, 1e11, 1e12, 1e10))
    assert float(step_s(small, place, ideal, ONE, ONE, NO_CONTEXT)[0]) == pytest.approx(1e-3)


def test_weights_are_in_one_place(sparse: LlmShape, small: LlmShape) -> None:
    half = replace(CPU, share=0.5)
    assert offload.host_weight_bytes(sparse, half) == 16e6  # half of 2 x 8 x 1 M x 2 B
    assert offload.resident_shape(sparse, half).routed_expert_params == 8e6
    assert offload.resident_shape(sparse, CPU).routed_expert_params == 0
    layers = Offload("layers", "pcie", 0.25, 2.0, 1e11, 1e12, 1e10)
    assert offload.host_weight_bytes(small, layers) == 5e6
    assert offload.layered_params(offload.resident_shape(small, layers)) == 7.5e6


@given(share=st.floats(0.01, 1), rows=st.floats(1, 5000), by=st.sampled_from(["cpu", "pcie"]))
def test_a_slow_host_never_helps(
    sparse: LlmShape, placed: Placed, ideal: Efficiency, share: float, rows: float, by: str
) -> None:
    batch = np.array([rows])
    plain = float(step_s(sparse, placed(), ideal, batch, batch, NO_CONTEXT)[0])
    away = replace(CPU, share=share, by=by)
    place = replace(placed(), offload=away)
    found = float(step_s(sparse, place, ideal, batch, batch, NO_CONTEXT)[0])
    assert found >= plain * (1 - 1e-9)
    more = replace(place, offload=replace(away, share=min(1.0, share * 1.5)))
    assert float(step_s(sparse, more, ideal, batch, batch, NO_CONTEXT)[0]) >= found * (1 - 1e-9)
    faster = replace(place, offload=replace(away, host_bytes_per_s=2e11, host_flops_per_s=2e12))
    assert float(step_s(sparse, faster, ideal, batch, batch, NO_CONTEXT)[0]) <= found * (1 + 1e-9)
