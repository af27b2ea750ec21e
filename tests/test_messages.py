"""What a failure says: in English as it is raised, in Chinese where it is shown to a Chinese reader."""

from __future__ import annotations

import pickle
import re
from datetime import date
from pathlib import Path
from typing import Annotated, Any, Literal

import pytest
from pydantic import BaseModel, ConfigDict, Field, FiniteFloat, TypeAdapter, ValidationError

from planner.catalog import Catalog
from planner.complaints import TEMPLATES, complaint
from planner.errors import Invalid, Joined, Message, MissingFact, PlannerError, UnknownName, WorkloadError
from planner.i18n import translator
from planner.schema import Traffic
from planner.search.mix_options import _check_quotas
from planner.workloads import load_workload, parse_workload

ZH = translator("zh")
CHINESE = re.compile("[\u4e00-\u9fff]")


class Closed(BaseModel):
    model_config = ConfigDict(extra="forbid")
    size: int = 1


class Needed(BaseModel):
    size: int


WRONG = {
    "bool_parsing": (bool, "perhaps"),
    "bool_type": (bool, []),
    "dict_type": (dict[str, int], 1),
    "extra_forbidden": (Closed, {"sise": 2}),
    "finite_number": (FiniteFloat, "inf"),
    "float_parsing": (float, "many"),
    "float_type": (float, []),
    "greater_than": (Annotated[float, Field(gt=0)], -1),
    "greater_than_equal": (Annotated[float, Field(ge=0.5)], 0),
    "int_from_float": (int, 1.5),
    "int_parsing": (int, "many"),
    "int_type": (int, []),
    "less_than": (Annotated[float, Field(lt=1)], 1),
    "less_than_equal": (Annotated[int, Field(le=10)], 11),
    "literal_error": (Literal["own", "spot"], "rent"),
    "missing": (Needed, {}),
    "model_type": (Closed, 1),
    "string_pattern_mismatch": (Annotated[str, Field(pattern="^[a-z]+$")], "B200"),
    "string_too_long": (Annotated[str, Field(max_length=2)], "B200"),
    "string_too_short": (Annotated[str, Field(min_length=2)], "B"),
    "string_type": (str, 1),
    "too_long": (Annotated[tuple[int, ...], Field(max_length=2)], (1, 2, 3)),
    "too_short": (Annotated[tuple[int, ...], Field(min_length=2)], (1,)),
    "tuple_type": (tuple[int, ...], 1),
}


@pytest.mark.parametrize("kind", sorted(TEMPLATES))
def test_what_pydantic_says_is_told_in_both_languages(kind: str) -> None:
    """Our templates say what this version of pydantic says, so that its errors find their translation."""
    wanted, value = WRONG[kind]
    with pytest.raises(ValidationError) as caught:
        TypeAdapter(wanted).validate_python(value)
    error = caught.value.errors()[0]
    shown = {name: f"{one:g}" if isinstance(one, float) else one for name, one in error.get("ctx", {}).items()}
    assert error["type"] == kind and TEMPLATES[kind].template.format(**shown) == error["msg"]
    assert str(complaint(error)) == error["msg"]
    told = complaint(error).told(ZH)
    assert CHINESE.search(told) and all(str(one).replace(" or ", " 或 ") in told for one in shown.values())


@pytest.mark.parametrize("limit", [0.0, 0.5, 1e6, 1e12, 1e16, 123456.75, 1e-7, -2.0])
def test_numbers_are_spelled_as_pydantic_does(limit: float) -> None:
    with pytest.raises(ValidationError) as caught:
        TypeAdapter(Annotated[float, Field(gt=limit)]).validate_python(limit)
    error = caught.value.errors()[0]
    assert complaint(error).told(ZH).rpartition(" ")[2] == error["msg"].rpartition(" ")[2]


def test_a_choice_has_the_or_of_the_language() -> None:
    for values, expected in (("a", "'a'"), ("abc", "'a', 'b' 或 'c'")):
        with pytest.raises(ValidationError) as caught:
            TypeAdapter(Literal[tuple(values)]).validate_python("rent")
        assert complaint(caught.value.errors()[0]).told(ZH).endswith(expected)


def test_what_pydantic_says_beyond_our_list_stays_english() -> None:
    with pytest.raises(ValidationError) as caught:
        TypeAdapter(date).validate_python("tomorrow")
    one = caught.value.errors()[0]
    assert complaint(one).told(ZH) == str(complaint(one)) == one["msg"]


def test_a_rule_of_our_own_is_told() -> None:
    with pytest.raises(ValidationError) as caught:
        Traffic.model_validate({"input_tokens": 1, "output_tokens": 1, "rate_per_s": 1, "concurrency": 1})
    one = caught.value.errors()[0]
    assert isinstance(one["ctx"]["error"], Invalid)
    assert str(complaint(one)) == "give either rate_per_s or concurrency, and not both"
    assert CHINESE.search(complaint(one).told(ZH))


@pytest.mark.parametrize(
    "error",
    [
        PlannerError("{n:,} of {what!r}", n=1200, what="a{b}"),
        UnknownName("llm", "deepseek-r2", ["deepseek-r1", "qwen3-32b"], "planner catalog ls llms", "limits"),
        MissingFact("drive-1", "read_bytes_per_s", Message("load time"), Message("Add counts by cause.")),
        WorkloadError(Joined(Message("users"), "as it is", between="; ")),
    ],
    ids=lambda error: type(error).__name__,
)
def test_a_failure_survives_a_process(error: PlannerError) -> None:
    """Workers hand theirs back: the same class, the same text in both languages."""
    back = pickle.loads(pickle.dumps(error))
    assert (type(back), str(back), back.told(ZH)) == (type(error), str(error), error.told(ZH))


def test_braces_in_a_value_stay() -> None:
    assert str(PlannerError("{n:,} of {what!r}", n=1200, what="a{b}")) == "1,200 of 'a{b}'"


def test_parts_are_told_in_the_same_language(catalog: Catalog) -> None:
    with pytest.raises(UnknownName) as caught:
        catalog.llm_id("deepseek-r2", "workload.llm")
    english, chinese = str(caught.value), caught.value.told(ZH)
    assert english.startswith("unknown llm 'deepseek-r2' in workload.llm. Nearest: 'deepseek-r1'")
    assert chinese.startswith("未知的 LLM 'deepseek-r2'（位于 workload.llm）") and "'deepseek-r1'" in chinese
    assert not re.search("Nearest|List them", chinese) and "planner catalog ls llms" in chinese


@pytest.mark.parametrize(
    "table",
    [
        {"traffic": {"rate_per_s": -1}},
        {"supply": {"options": ["rent"]}},
        {"supply": {"options": []}},
        {"traffic": {"rate": 5}},
        {"slo": {"e2e_p99_s": 0.1, "ttft_p99_s": 2}},
        {"ownership": {"currency": "EUR"}},
    ],
    ids=str,
)
def test_a_bad_workload_in_chinese(table: dict[str, dict[str, Any]]) -> None:
    """Field, value and next step stay; the sentence around them is Chinese, line by line."""
    whole = load_workload().model_dump(mode="json", exclude_none=True)
    with pytest.raises(WorkloadError) as caught:
        parse_workload(whole | {name: whole[name] | fields for name, fields in table.items()}, "x.toml")
    english, chinese = str(caught.value).splitlines(), caught.value.told(ZH).splitlines()
    assert len(english) == len(chinese) and chinese[0].startswith("x.toml")
    assert all(CHINESE.search(line) for line in chinese) and chinese[-1].endswith("planner schema workload")
    assert not re.search("Input should|should have|Fields, units|no such field|Nearest|cannot end", "".join(chinese))


def test_every_kind_of_unknown_name_is_translated() -> None:
    """Kinds that stand in the code as texts, beside those of UnknownName."""
    called = re.compile(r"(?:UnknownName|_resolve)\(\s*\"([^\"]+)\"")
    files = (Path(__file__).resolve().parent.parent / "planner").rglob("*.py")
    kinds = {kind for path in files for kind in called.findall(path.read_text("utf-8"))}
    assert len(kinds) > 10 and kinds <= {kind.template for kind in UnknownName.KINDS}
    assert all(kind.told(ZH) != str(kind) or str(kind) == "API" for kind in UnknownName.KINDS)


def test_a_quota_of_nothing_in_chinese() -> None:
    with pytest.raises(UnknownName) as caught:
        _check_quotas({"foo": 1.0}, ("eu",), ("us-average",))
    told = caught.value.told(ZH)
    assert told.startswith("未知的配额 'foo'") and not re.search("quota|options, regions", told)


@pytest.mark.parametrize("field", ["tdp_w", Message("spot price")], ids=str)
def test_a_missing_fact_in_chinese(field: str | Message) -> None:
    """Its field stands by itself: an identifier and Chinese words read alike."""
    told = MissingFact("h200", field, "autoscale.ratio", Message("Add counts by cause.")).told(ZH).splitlines()
    name = field if isinstance(field, str) else "竞价价格"
    assert told[0] == f"h200 缺少注明来源的数据：{name}（用于：autoscale.ratio）。"
