"""Processes that simulate beside the server say what it would have said, and may die."""

from __future__ import annotations

import os
import signal
import sys
from collections.abc import Iterator
from concurrent.futures.process import BrokenProcessPool
from pathlib import Path
from types import ModuleType

import pytest

from planner.catalog import Catalog, load_catalog
from planner.errors import NoPlan
from planner.schema import PlanResult
from planner.search.plan import Screening, answered, screened
from planner.search.regret import regrets
from planner.ui import aside
from planner.workloads import load_workload


@pytest.fixture(scope="module")
def shipped() -> Catalog:
    return load_catalog()


@pytest.fixture(scope="module")
def screening(shipped: Catalog) -> Screening:
    return screened(load_workload(changes={"limits.accelerators": ["h200-sxm-141gb"]}), shipped)


@pytest.fixture(scope="module")
def one_beside() -> Iterator[None]:
    aside.start(1)
    yield
    aside.stop()


def without_time(result: PlanResult) -> PlanResult:
    return result.model_copy(update={"wall_s": 0.0})


@pytest.mark.usefixtures("one_beside")
def test_it_says_what_the_server_would_say(screening: Screening, shipped: Catalog) -> None:
    here = answered(screening, confirmed=1)
    there = aside.confirm(screening, 1, shipped)
    assert without_time(there) == without_time(here)
    assert aside._pool is not None and aside._pool._processes  # it was asked, and lives
    assert aside.regret(there, shipped, shipped) == regrets(here, shipped)


@pytest.mark.usefixtures("one_beside")
def test_a_refusal_is_the_same_and_found_once(shipped: Catalog, monkeypatch: pytest.MonkeyPatch) -> None:
    impossible = load_workload(changes={"slo.ttft_p99_s": 0.0011, "limits.accelerators": ["h200-sxm-141gb"]})
    question = screened(impossible, shipped)
    with pytest.raises(NoPlan) as here:
        answered(question, confirmed=1)
    monkeypatch.setattr(aside, "answered", lambda *_, **__: pytest.fail("it was found here again"))
    with pytest.raises(NoPlan) as there:
        aside.confirm(question, 1, shipped)
    assert str(there.value) == str(here.value) and there.value.nearest == here.value.nearest


@pytest.mark.usefixtures("one_beside")
def test_facts_of_a_reader_stay_here(screening: Screening, shipped: Catalog, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(aside, "_elsewhere", lambda *_: pytest.fail("it went elsewhere"))
    others = shipped.with_facts("a reader's")
    assert aside.confirm(screening, 1, others).plans


@pytest.mark.usefixtures("one_beside")
def test_where_it_dies_the_server_answers_and_starts_another(
    screening: Screening, shipped: Catalog, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(aside, "_lost", 0)
    aside.confirm(screening, 0, shipped)
    before = aside._pool
    assert before is not None
    for pid in list(before._processes or {}):
        os.kill(pid, signal.SIGKILL)
    assert aside.confirm(screening, 0, shipped).plans
    assert aside._pool is not before


@pytest.mark.usefixtures("one_beside")
def test_another_starts_from_the_thread_of_a_reader(
    screening: Screening, shipped: Catalog, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    script = ModuleType("__main__")  # as Streamlit has it while a page runs
    script.__file__ = str(tmp_path / "app.py")
    Path(script.__file__).write_text("raise SystemExit('a page ran without a reader')")
    monkeypatch.setitem(sys.modules, "__main__", script)
    aside.stop()
    aside.start(1)
    started = aside._pool
    assert aside.confirm(screening, 0, shipped).plans
    assert aside._pool is started is not None  # it lives
    assert sys.modules["__main__"] is script


def test_where_none_can_start_or_all_die_the_server_answers_alone(
    screening: Screening, shipped: Catalog, monkeypatch: pytest.MonkeyPatch
) -> None:
    class Dead:
        def submit(self, *_: object) -> None:
            raise BrokenProcessPool

    def none(*_: object) -> None:
        raise OSError("no shared memory")

    monkeypatch.setattr(aside, "_pool", None)
    monkeypatch.setattr(aside, "_lost", 0)
    monkeypatch.setattr(aside, "ProcessPoolExecutor", none)
    aside.start(1)
    assert aside._pool is None
    monkeypatch.setattr(aside, "ProcessPoolExecutor", lambda *_: pytest.fail("started once too often"))
    monkeypatch.setattr(aside, "_lost", aside.MOST_LOST - 1)
    monkeypatch.setattr(aside, "_pool", Dead())
    assert aside.confirm(screening, 0, shipped).plans
    assert aside._pool is None
