"""The compressed link: what it carries comes back, and whatever a stranger writes there is refused in words."""

from __future__ import annotations

import base64
import contextlib
import json
import re
import zlib
from pathlib import Path
from typing import Any

import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st
from streamlit.testing.v1 import AppTest

from planner.assets import app_file
from planner.errors import UnknownName, WorkloadError
from planner.i18n import LANGUAGES
from planner.ui import link, packed
from planner.workloads import load_workload

TIMEOUT_S = 60
RAG = load_workload("rag", {"traffic.rate_per_s": 4, "prices": {"h200-sxm-141gb": 2.1}})


def shared(**changes: Any) -> packed.Shared:
    given = {"page": "cost", "preset": "rag", "rank": 2, "language": "zh", "catalogs": "0123abcd", "workload": RAG}
    return packed.Shared.model_validate({**given, **changes})


def squeezed(body: bytes, version: str = packed.VERSION) -> str:
    return f"{version}.{base64.urlsafe_b64encode(zlib.compress(body)).decode().rstrip('=')}"


def opened(**parameters: str) -> AppTest:
    app = AppTest.from_file(str(app_file()), default_timeout=TIMEOUT_S)
    app.query_params.update({name.replace("__", "."): value for name, value in parameters.items()})
    app.run()
    assert not app.exception
    return app


def refused(text: str) -> str:
    with pytest.raises(WorkloadError) as caught:
        packed.unpack(text)
    return str(caught.value)


def test_what_is_packed_comes_back() -> None:
    view = {"traffic-trace": ("azure-code",), "fleet-show": ("spot", "surge")}
    text = packed.pack(shared(view=view))
    assert packed.unpack(text) == shared(view=view)
    assert len(text) < 800 and re.fullmatch(r"1\.[A-Za-z0-9_-]+", text)


@pytest.mark.parametrize("name", ["2026", "true", "null", '"quoted"', "[1]", "half-day", "半天"])
def test_a_name_that_reads_like_a_value_comes_back(name: str) -> None:
    table = load_workload("default", {"name": name}).model_dump(mode="json")
    assert link.question_of(link.parameters_of("default", table, "en")) == ("default", table)


def test_every_language_can_be_shared() -> None:
    assert {packed.unpack(packed.pack(shared(language=code))).language for code in LANGUAGES} == set(LANGUAGES)


@given(st.floats(1e-6, 1e6), st.integers(1, 10_000_000), st.floats(0.001, 3600), st.text(max_size=80))
@settings(max_examples=25)
def test_any_question_comes_back_exactly(rate: float, tokens: int, ttft_s: float, name: str) -> None:
    changes = {"traffic.rate_per_s": rate, "traffic.input_tokens": tokens, "slo.ttft_p99_s": ttft_s, "name": name}
    one = shared(workload=load_workload(changes=changes))
    assert packed.unpack(packed.pack(one)).workload == one.workload


GOOD = packed.pack(shared())


@given(st.one_of(st.text(max_size=300), st.from_regex(r"1\.[A-Za-z0-9_-]{0,400}", fullmatch=True)))
@example("1.")
@example("1." + "=" * 9)
@settings(max_examples=120)
def test_any_text_is_refused_in_words(text: str) -> None:
    assert refused(text).count("\n") == 1


@given(st.integers(2, len(GOOD) - 1), st.sampled_from("AZaz09_-.="), st.booleans())
@settings(max_examples=120)
def test_a_damaged_link_is_refused_or_still_whole(place: int, letter: str, cut: bool) -> None:
    """zlib's checksum catches nearly all; what passes must be the same page."""
    text = GOOD[:place] if cut else GOOD[:place] + letter + GOOD[place + 1 :]
    with contextlib.suppress(WorkloadError):
        assert packed.unpack(text) == shared()


JSON = st.recursive(
    st.none() | st.booleans() | st.floats() | st.text(max_size=20) | st.integers(),
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(st.text(max_size=10), inner, max_size=4),
    max_leaves=12,
)


@given(st.sampled_from(sorted(packed.Shared.model_fields)), JSON)
@settings(max_examples=120)
def test_any_value_in_a_field_is_refused_or_checked(field: str, value: object) -> None:
    table = {**json.loads(shared().model_dump_json(exclude_none=True)), field: value}
    try:
        found = packed.unpack(squeezed(json.dumps(table).encode()))
    except WorkloadError as error:
        assert len(str(error)) < 700
    else:
        assert packed.unpack(packed.pack(found)) == found


def test_what_unpacks_to_more_than_is_read_is_refused() -> None:
    bomb = zlib.compress(b"[" * 50_000_000, 9)  # 49 kB
    assert "characters" in refused(f"1.{base64.urlsafe_b64encode(bomb).decode()}")
    small = squeezed(b" " * (packed.MOST_BYTES + 1))
    assert len(small) < packed.MOST_CHARACTERS and "more than 65,536 bytes" in refused(small)
    assert "the link" in refused(squeezed(b"[" * 60_000))


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("", "version ''"),
        ("2.abc", "version '2'"),
        ("1.a b", "base64url"),
        (squeezed(b"{}"), "preset: Field required"),
        (GOOD + "AAAA", "damaged"),
        (squeezed(b"\xff\xfe"), "the link"),
    ],
)
def test_refusals_say_why(text: str, said: str) -> None:
    assert said in refused(text)


def test_a_link_names_no_file(tmp_path: Path) -> None:
    (tmp_path / "mine.toml").write_text("secret = 1")
    for name in (str(tmp_path / "mine.toml"), "../catalogs/llms.toml"):
        with pytest.raises(UnknownName, match="unknown preset"):
            link.question_of({"preset": name})


@pytest.mark.parametrize("rank", ["0", "-1", "1.5", "x", "99999", "²"])
def test_a_rank_is_a_rank(rank: str) -> None:
    with pytest.raises(WorkloadError, match="no rank"):
        link.rank_of({"rank": rank})


def test_only_a_link_that_says_all_is_written_out() -> None:
    before = load_workload("article")
    table = before.model_dump(mode="json")
    assert link.says_all("article", table, link.parameters_of("article", table, "en"))
    gone = before.model_copy(update={"traffic": before.traffic.model_copy(update={"input_cv": 1.0})})
    table = gone.model_dump(mode="json")
    assert link.says_all("article", table, link.parameters_of("article", table, "en"))
    lost = {**table, "slo": {**table["slo"], "tpot_p99_s": None}}
    assert not link.says_all("article", lost, {})
    assert not link.says_all("article", table, {"prices": "x" * 2000})


# ---- in the dashboard


def address(app: AppTest) -> str:
    return next(code.value for code in app.code if "?q=1." in code.value)


def headline(app: AppTest) -> str:
    return next(m.value for m in app.markdown if m.value.startswith("# "))


def test_a_copied_link_shows_the_same_page() -> None:
    app = opened(preset="rag", traffic__rate_per_s="4", lang="zh")
    next(one for one in app.button if str(one.key).startswith("alternative-") and not one.disabled).click().run()
    assert app.query_params["rank"] == str(app.session_state["rank"]) != "1"
    again = opened(q=address(app).partition("?q=")[2])
    assert headline(again) == headline(app) and "每月" in headline(again)
    assert again.radio(key="preset.0").value == "rag"
    assert again.query_params == app.query_params  # the address is written out
    assert again.session_state["rank"] == app.session_state["rank"]


def test_a_link_of_other_catalogs_says_so() -> None:
    app = opened(q=packed.pack(shared(page="", language="en", rank=1, workload=load_workload("rag"))))
    assert any("made with catalogs 0123abcd" in one.value for one in app.caption)


@pytest.mark.parametrize("text", ["1.abc", "7.abc", "<script>alert(1)</script>", "1." + "A" * 9000])
def test_a_broken_compressed_link_falls_back_to_the_default(text: str) -> None:
    app = opened(q=text)
    assert "cannot be read" in app.error[0].value
    assert len(app.metric) == 5 and not app.query_params


def test_names_that_no_catalog_holds_are_told() -> None:
    other = RAG.model_copy(update={"llm": "no-such-llm"})
    app = opened(q=packed.pack(shared(page="", language="en", workload=other)))
    assert "no-such-llm" in app.code[0].value and len(app.metric) == 5


def test_a_rank_beyond_the_plans_shows_the_last() -> None:
    app = opened(q=packed.pack(shared(page="", language="en", rank=9999, workload=load_workload("rag"))))
    assert len(app.metric) == 5 and not app.error


def test_undo_goes_back_step_by_step() -> None:
    app = opened()
    assert "Undo" not in [button.label for button in app.button]
    app.number_input(key="rate.0").set_value(7.0).run()
    app.number_input(key="tokens_in.0").set_value(900).run()
    app.radio(key="preset.0").set_value("rag").run()
    seen = []
    while any(button.label == "Undo" for button in app.button):
        next(button for button in app.button if button.label == "Undo").click().run()
        assert not app.exception
        seen.append(dict(app.query_params))
    rate, tokens = {"traffic.rate_per_s": "7"}, {"traffic.input_tokens": "900"}
    assert seen == [{**rate, **tokens}, rate, {}]


def test_a_look_at_another_page_is_no_change() -> None:
    app = opened(preset="article")
    app.run()
    assert "Undo" not in [button.label for button in app.button]
