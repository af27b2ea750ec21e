"""The gateway and the probe say the plan's numbers, whatever names the catalogs hold."""

from __future__ import annotations

import json
import re
import shutil
import subprocess
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from planner.bundle.documents import gateway, operation, probe
from planner.bundle.documents.draft import Draft, draft
from planner.bundle.documents.subject import describe
from planner.bundle.shipped import probe as program
from planner.catalog import load_catalog
from planner.schema import PlanResult
from tests.golden.refresh import NAMES, frozen_result

CATALOG = load_catalog()
Answer = Callable[[BaseHTTPRequestHandler], None]


def drafted(result: PlanResult) -> Draft:
    return draft(describe(result, 1, CATALOG), CATALOG)


def configuration(result: PlanResult) -> str:
    return str(gateway.write(drafted(result))[gateway.FILE])


def with_traffic(name: str, **traffic: Any) -> PlanResult:
    result = frozen_result(name)
    changed = result.workload.traffic.model_copy(update=traffic)
    return result.model_copy(update={"workload": result.workload.model_copy(update={"traffic": changed})})


def accepted(text: str, folder: Path) -> str:
    """What HAProxy says against a configuration."""
    if shutil.which("haproxy") is None:
        pytest.skip("no HAProxy: apt-get install haproxy")
    (folder / "haproxy.cfg").write_text(text)
    ran = subprocess.run(
        ["haproxy", "-c", "-q", "-f", str(folder / "haproxy.cfg")], capture_output=True, text=True, check=False
    )
    return ran.stderr if ran.returncode == 0 else f"exit {ran.returncode}: {ran.stderr}"


@pytest.mark.parametrize("name", NAMES)
def test_haproxy_accepts_it(name: str, tmp_path: Path) -> None:
    assert accepted(configuration(frozen_result(name)), tmp_path) == ""


def test_r1_on_h200_by_hand() -> None:
    """2.0 s promised, 0.9 of it for a check; 1.667 requests/s at 59 % of what a replica can hold, each up to
    2 + 1000 x 0.05 = 52 s: 146.9 in service; 16,384 tokens of context at 50 ms and the first: 821.2 s."""
    text = configuration(frozen_result("r1-h200-vllm"))
    assert "  timeout server 2000ms" in text and "  timeout check 1800ms" in text
    assert "  default-server maxconn 147" in text
    assert "set-timeout server 822s" in text
    assert "  tune.bufsize 131072" in text  # 8 bytes x 16,384 tokens
    assert 'inter "${CHECK_EVERY-30s}"' in text
    assert "observe layer7 error-limit 5 on-error mark-down" in text
    assert len(re.findall(r"^  server replica-\d+ abns@deepseek-r1-\d+$", text, re.MULTILINE)) == 3
    assert text.count(" backup resolvers ") == 1


def test_most_in_service_never_exceeds_the_engine() -> None:
    result = frozen_result("r1-h200-vllm")
    plan = result.plans[0]
    small = plan.model_copy(update={"layout": plan.layout.model_copy(update={"max_sequences": 9})})
    subject = describe(result.model_copy(update={"plans": (small,)}), 1, CATALOG)
    assert operation.most_in_service(subject) == 9


@pytest.mark.parametrize(("context", "expected"), [(1, 2**15), (4096, 2**15), (4097, 2**16), (10**6, 2**20)])
def test_a_request_fits_the_buffer(context: int, expected: int) -> None:
    assert gateway.buffer_bytes(context) == expected


def test_conversations_stay_where_the_plan_counts_on_the_prefix_cache(tmp_path: Path) -> None:
    text = configuration(with_traffic("r1-h200-vllm", prefix_hit_rate=0.4))
    assert "balance hdr(X-Session-Id)" in text and "leastconn" not in text
    assert accepted(text, tmp_path) == ""


def test_a_checkpoint_without_a_name_is_asked_for_by_its_variable(tmp_path: Path) -> None:
    result = frozen_result("r1-b200-tensorrt-llm")
    plan = result.plans[0]
    other = plan.model_copy(update={"layout": plan.layout.model_copy(update={"weights": "nvfp4"})})
    text = configuration(result.model_copy(update={"plans": (other,)}))
    assert r"\"model\":\"${MODEL}\"" in text
    assert accepted(text, tmp_path) == ""


@settings(max_examples=25)
@given(st.text(max_size=30))
def test_no_word_leaves_its_quotes(word: str) -> None:
    """Read back as HAProxy reads double quotes: a backslash keeps the next character."""
    text = gateway.quoted(json.dumps(word))
    assert text[0] == text[-1] == '"' and "\n" not in text
    inner = text[1:-1]
    assert json.loads(re.sub(r"\\(.)", r"\1", inner)) == word
    assert not re.search(r'(?<!\\)(?:\\\\)*["$]', inner.replace("${MODEL}", ""))


# ---- the probe, against servers that misbehave


@contextmanager
def server(answer: Answer) -> Iterator[str]:
    class Handler(BaseHTTPRequestHandler):
        protocol_version = "HTTP/1.1"

        def do_POST(self) -> None:
            self.asked = json.loads(self.rfile.read(int(self.headers["Content-Length"])))
            answer(self)
            self.close_connection = True

        def log_message(self, format: str, *args: object) -> None:
            return

    with ThreadingHTTPServer(("127.0.0.1", 0), Handler) as listening:
        threading.Thread(target=listening.serve_forever, args=(0.02,), daemon=True).start()
        try:
            yield f"http://127.0.0.1:{listening.server_port}"
        finally:
            listening.shutdown()


def saying(*lines: bytes, status: int = 200, wait_s: float = 0.0) -> Answer:
    def answer(handler: BaseHTTPRequestHandler) -> None:
        handler.send_response(status)
        handler.send_header("Connection", "close")
        handler.end_headers()
        for line in lines:
            time.sleep(wait_s)
            handler.wfile.write(line + b"\n\n")
            handler.wfile.flush()

    return answer


def event(text: str) -> bytes:
    return b"data: " + json.dumps({"choices": [{"text": text}]}).encode()


ASKED = program.Settings("m", "1, 2, 3,", "4", 4, 0.4, 0.6, 30)


@pytest.mark.parametrize(
    ("answer", "reason"),
    [
        (saying(event(" "), event("4"), event(", 5"), b"data: [DONE]"), ""),
        (saying(event("four, that is 4")), ""),
        (saying(event(" 5")), "wrong"),
        (saying(b"data: [DONE]"), "wrong"),
        (saying(b"no", status=503), "status"),
        (saying(b"data: {broken"), "broken"),
        (saying(b'data: {"choices": 4}'), "broken"),
        (saying(event(" 4"), wait_s=0.7), "late"),
        (saying(event("a"), event("b"), event("4"), wait_s=0.3), "late"),
        (lambda handler: None, "connection"),
    ],
)
def test_the_probe_tells_what_is_wrong(answer: Answer, reason: str) -> None:
    with server(answer) as url:
        found = program.ask(url, ASKED)
    assert found.reason == reason, found.detail


def test_the_probe_asks_as_the_plan_says(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    files = probe.write(drafted(frozen_result("r1-h200-vllm")))
    settings = json.loads(str(files[probe.SETTINGS]))
    assert settings["first_token_limit_s"] == 2.0
    assert settings["answer_limit_s"] == 2.2  # four tokens more, at 50 ms
    asked: list[dict[str, Any]] = []

    def answer(handler: Any) -> None:
        asked.append(handler.asked)
        saying(event(" 4"))(handler)

    (tmp_path / "probe.json").write_text(str(files[probe.SETTINGS]))
    with server(answer) as url:
        assert program.main(["--once", "--settings", str(tmp_path / "probe.json"), url]) == 0
        assert program.main(["--once", "--settings", str(tmp_path / "probe.json"), url, "http://127.0.0.1:1"]) == 1
    assert asked[0]["temperature"] == 0 and asked[0]["model"] == "deepseek-r1"
    assert "connection" in capsys.readouterr().out


def test_the_board_counts() -> None:
    board = program.Board(["http://a:1", "http://b:2"])
    late = program.Result("late", "", 2.0, 2.0)
    for result in (late, late, program.Result("", "4", 0.25, 0.3)):
        board.note("http://a:1", result)
    text = board.text()
    assert 'llm_probe_success{target="http://a:1"} 1' in text
    assert 'llm_probe_failures_total{target="http://a:1",reason="late"} 2' in text
    assert 'llm_probe_failures_total{target="http://b:2",reason="late"} 0' in text
    assert 'llm_probe_first_token_seconds{target="http://a:1"} 0.250000' in text
