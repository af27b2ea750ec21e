"""The log: a line of JSON per run of a page, with class and duration, and never what somebody asked."""

from __future__ import annotations

import json
import logging
from collections.abc import Iterator
from typing import Any

import pytest
from streamlit.testing.v1 import AppTest

from planner.assets import app_file
from planner.ui import log

RATE, NAME = "7.123457", "Project Nightingale"


class Kept(logging.Handler):
    """Lines as they would be written."""

    def __init__(self) -> None:
        super().__init__()
        self.lines: list[dict[str, Any]] = []
        log.set_up()
        self.setFormatter(log.LOGGER.handlers[0].formatter)

    def emit(self, record: logging.LogRecord) -> None:
        text = self.format(record)
        assert "\n" not in text
        self.lines.append(json.loads(text))


@pytest.fixture
def kept() -> Iterator[Kept]:
    handler = Kept()
    log.LOGGER.addHandler(handler)
    yield handler
    log.LOGGER.removeHandler(handler)


def opened(**parameters: str) -> AppTest:
    app = AppTest.from_file(str(app_file()), default_timeout=60)
    app.query_params.update({name.replace("__", "."): value for name, value in parameters.items()})
    return app.run()


def test_an_answer_is_a_line_without_the_question(kept: Kept) -> None:
    opened(traffic__rate_per_s=RATE, name=NAME)
    (line,) = (line for line in kept.lines if line["outcome"] == "answered")
    assert set(line) == {"time", "level", "event", "page", "seconds", "outcome"}
    assert line["page"] == "plan" and 0 < line["seconds"] < 600
    assert RATE not in json.dumps(kept.lines) and NAME not in json.dumps(kept.lines)


@pytest.mark.parametrize(
    ("parameters", "kind"),
    [({"slo__ttft_p99_s": "0.011111"}, "NoPlan"), ({"traffic__trace": "/etc/passwd"}, "WorkloadError")],
)
def test_a_refusal_says_its_class(kept: Kept, parameters: dict[str, str], kind: str) -> None:
    assert opened(**parameters).warning
    assert (kept.lines[-1]["outcome"], kept.lines[-1]["error"]) == ("refused", kind)
    assert not any(text in json.dumps(kept.lines) for text in parameters.values())


def test_a_bug_says_where_but_not_what(
    kept: Kept, monkeypatch: pytest.MonkeyPatch, capfd: pytest.CaptureFixture[str]
) -> None:
    from planner.ui import plan_page

    def broken(*_: object) -> None:
        raise ZeroDivisionError(NAME)

    monkeypatch.setattr(plan_page, "_show", broken)
    assert opened().exception
    assert NAME not in capfd.readouterr().err  # nor does Streamlit say it
    assert [line["outcome"] for line in kept.lines if line["event"] == "page"] == ["failed"]
    line = next(line for line in kept.lines if line["event"] == "uncaught")
    assert line["error"] == "ZeroDivisionError" and "broken" in line["frames"][-1]
    assert NAME not in json.dumps(kept.lines)
    monkeypatch.setenv("PLANNER_LOG", log.FULL)
    opened()
    assert NAME in {line.get("message") for line in kept.lines}
