"""Why candidates failed: one text for each kind, in both languages, with the figures of the rejection."""

from __future__ import annotations

import pickle
import re

import pytest

from planner.catalog import Catalog
from planner.errors import NoPlan, WorkloadError
from planner.i18n import LANGUAGES, translator
from planner.schema import Rejection
from planner.search import misses, reject
from planner.search.confirm import confirm
from planner.search.plan import plan, screened
from planner.workloads import load_workload

QUESTIONS = {
    "price": {},
    "all_firm": {"supply.options": ["spot"], "slo.availability": 0.999},
    "alone": {"slo.tpot_p99_s": 0.009},
    "memory": {"limits.max_gpus_per_replica": 1},
    "no_arithmetic": {"limits.weights": ["nvfp4"], "limits.accelerators": ["mi300x", "b200"]},
    "no_kernels": {"limits.weights": ["fp8"]},
}


def rejections(catalog: Catalog, **changes: object) -> tuple[Rejection, ...]:
    try:
        return plan(load_workload("default", changes), catalog, confirmed=0).rejections
    except NoPlan as error:
        return error.nearest


@pytest.fixture(scope="module")
def found(catalog: Catalog) -> dict[str, Rejection]:
    every = [one for changes in QUESTIONS.values() for one in rejections(catalog, **changes)]
    return {one.kind: one for one in every}


def test_questions_meet_many_kinds(found: dict[str, Rejection]) -> None:
    assert set(found) <= set(misses.texts(str))
    assert len(found) >= 6, sorted(found)


def test_english_is_the_message_itself(found: dict[str, Rejection]) -> None:
    for one in found.values():
        assert misses.spelled(one, str) == one.message
        assert "{" not in one.message


def test_chinese_says_as_much(found: dict[str, Rejection]) -> None:
    _ = translator("zh")
    for one in found.values():
        told = misses.spelled(one, _)
        assert told != one.message and "{" not in told
        for name, value in one.values.items():
            assert name in misses.words(_) or str(value) in told, (one.kind, name)


def test_every_kind_is_translated() -> None:
    assert set(LANGUAGES) == {"en", "zh"}
    english, chinese = misses.texts(str), misses.texts(translator("zh"))
    for kind, text in english.items():
        assert chinese[kind] != text
        assert sorted(re.findall(r"{\w+}", chinese[kind])) == sorted(re.findall(r"{\w+}", text)), kind


def test_a_rejection_of_older_answers_keeps_its_message() -> None:
    old = Rejection(candidate="x", accelerator="x", limit="price", needed=None, available=None, unit="", message="said")
    assert misses.spelled(old, translator("zh")) == "said"


def test_a_refusal_is_told_in_the_readers_language_and_survives_a_process(catalog: Catalog) -> None:
    with pytest.raises(NoPlan) as caught:
        plan(load_workload("default", {"slo.tpot_p99_s": 0.0001}), catalog)
    error = pickle.loads(pickle.dumps(caught.value))
    assert error.told(str) == str(caught.value)
    chinese = error.told(translator("zh"))
    assert chinese.startswith("没有候选") and len(chinese.splitlines()) == len(str(error).splitlines()) == 5
    assert WorkloadError("as it is").told(translator("zh")) == "as it is"


def test_what_simulations_ruled_out_says_so(catalog: Catalog) -> None:
    """Long prompts and short answers: closed forms see no single prompt that holds up ten tokens."""
    question = {"limits.accelerators": ["b200", "gb200"], "traffic.input_tokens": 17_000, "traffic.output_tokens": 30}
    study = screened(load_workload("default", question | {"slo.ttft_p99_s": 1.0}), catalog)
    assert study.market is not None
    found = confirm(study.study, study.market, 3)
    told = [one for one in reject.rejections(study.study, found) if one.kind == "simulated"]
    assert told and len(told) == len({(one.accelerator, one.candidate) for one in told})
    for one in told:
        assert one.needed is not None and one.available is not None and one.available > one.needed
        assert "tenth of the load" in one.message and reject.nearness(one)
        assert misses.spelled(one, translator("zh")) != one.message
