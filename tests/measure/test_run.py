"""What gets timed, for how long, and what stands in the document."""

from __future__ import annotations

from dataclasses import fields
from typing import Any

import pytest
from pydantic import BaseModel

from planner.measure import cases as of
from planner.measure.cases import SECTIONS, AllReduce, Copy, Gemm, Launch, all_cases, all_reduces, label
from planner.measure.run import SCHEMA, measure
from planner.schema import Measured
from planner.schema import measured as schema

COPY, WIDE, NARROW = Copy(2**30), Gemm("bf16", 16, 4096, 4096), Gemm("fp8", 16, 4096, 4096)


def run(device: Any, seconds: float = 10, cases: Any = (COPY, WIDE)) -> dict[str, Any]:
    return measure(device, seconds, clock=device.clock, sleep=device.clock.sleep, cases=cases)


def test_the_document_is_what_the_schema_reads(device: Any) -> None:
    document = run(device, cases=all_cases())
    measured = Measured.model_validate(document)
    assert measured.version == schema.SCHEMA == SCHEMA
    assert len(measured.gemms) == sum(isinstance(c, Gemm) and c.precision != "fp8" for c in all_cases())
    assert measured.gemms[0].backend == "fake"


def test_every_section_has_a_place_in_the_schema() -> None:
    rows: list[Any] = [*all_cases(), *all_reduces(2)]
    for section, case in {type(row).section: row for row in rows}.items():
        (model,) = [a for a in Measured.model_fields[section].annotation.__args__ if a is not Ellipsis]  # type: ignore[union-attr]
        assert issubclass(model, BaseModel)
        assert {f.name for f in fields(case)} == set(model.model_fields) - set(schema.Timed.model_fields)
    assert set(SECTIONS) == {type(row).section for row in rows}


def test_the_run_takes_its_budget(device: Any) -> None:
    cases = [COPY, WIDE] * 10
    run(device, 30, cases)
    assert device.clock.now_s - 100 == pytest.approx(30, abs=0.1)


def test_slow_preparation_leaves_time_to_measure(device: Any) -> None:
    device.prepare_s = 3.0
    (copy,) = run(device, 4, (COPY,))["copies"]
    # 4 s less 5 % idle, of which preparing takes 3: 0.8 s left, the later half of it settled.
    assert copy["batches"] == pytest.approx(100, abs=5)
    device.prepare_s = 60.0
    (copy,) = run(device, 4, (COPY,))["copies"]
    assert copy["batches"] == pytest.approx(0.5 / 2 / 0.004, abs=3)


def test_times_and_watts_are_of_the_settled_half(device: Any) -> None:
    document = run(device)
    (gemm,) = document["gemms"]
    assert (gemm["time_s"], gemm["time_low_s"], gemm["time_high_s"]) == (1e-5, 1e-5, 1e-5)  # not the slow first ten
    assert (gemm["power_w"], gemm["sm_clock_hz"]) == (400.0, 1.5e9)
    assert document["idle"]["power_w"] == 100.0
    assert {"rows": 16, "n": 4096, "k": 4096, "precision": "bf16"}.items() <= gemm.items()


def test_what_cannot_run_is_left_out_by_name(device: Any) -> None:
    document = run(device, cases=(NARROW, WIDE))
    assert len(document["gemms"]) == 1
    assert {"what": "gemms fp8 16 4096 4096", "reason": "RuntimeError: no fp8 here"} in document["left_out"]
    assert {"what": "all_reduces", "reason": "one GPU is visible"} in document["left_out"]


def test_several_gpus_reduce(device: Any) -> None:
    device.ranks = 4
    document = run(device)
    rows = document["all_reduces"]
    assert [r["message_bytes"] for r in rows] == list(of.MESSAGES)
    assert {r["ranks"] for r in rows} == {4}
    assert rows[0]["time_s"] == pytest.approx(1e-5 + 8192 / 1e11, rel=1e-5)
    assert document["left_out"] == []
    assert device.clock.now_s - 100 == pytest.approx(10, abs=0.2)


def test_collectives_that_fail_cost_only_themselves(device: Any) -> None:
    device.ranks, device.collective_error = 2, "RuntimeError: NCCL"
    document = run(device)
    assert document["all_reduces"] == []
    assert len(document["gemms"]) == 1
    assert {"what": "all_reduces", "reason": "RuntimeError: NCCL"} in document["left_out"]


def test_without_power_the_document_says_so(device: Any) -> None:
    device.power.source = ""
    document = run(device)
    assert document["left_out"][-1]["what"] == "power"
    assert document["device"]["power_source"] == ""


def test_an_interrupt_stops_the_sampler(device: Any) -> None:
    def interrupt(done: int, total: int, what: str) -> None:
        if done == 1:
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        measure(device, 10, interrupt, device.clock, device.clock.sleep, (COPY, WIDE))
    assert device.power.stopped


def test_progress_names_the_case(device: Any) -> None:
    seen: list[tuple[int, int, str]] = []
    measure(device, 5, lambda *at: seen.append(at), device.clock, device.clock.sleep, (COPY, WIDE))
    assert seen == [
        (0, 2, "idle"),
        (0, 2, f"copies {2**30}"),
        (1, 2, "gemms bf16 16 4096 4096"),
        (2, 2, "all-reduce"),
    ]


def test_the_cases_cover_both_regimes() -> None:
    cases = all_cases()
    assert len(set(cases)) == len(cases)
    gemms = [c for c in cases if isinstance(c, Gemm)]
    for precision in ("bf16", "fp8"):
        rows = {c.rows for c in gemms if c.precision == precision}
        assert (min(rows), max(rows)) == (1, 8192)
    # Blocks of 128 and 16-byte steps: what every torch kernel asks of a matrix.
    assert all(c.n % 128 == 0 and c.k % 128 == 0 for c in gemms)
    assert all(c.rows % 8 == 0 for c in gemms if c.precision == "fp8-block")
    assert label(Launch("graph")) == "launches graph"
    assert label(AllReduce(2, 8)) == "all_reduces 2 8"
