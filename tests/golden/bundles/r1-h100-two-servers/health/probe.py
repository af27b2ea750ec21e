#!/usr/bin/env python3
"""Ask each replica a question that it must answer right and in time; tell Prometheus, or exit 1 if one does not.

    probe.py --once URL...                  one line per replica; exit 1 if one fails
    probe.py --listen 0.0.0.0:9401 URL...   ask forever, metrics on /metrics

A health path answers while the engine's process lives. This asks for tokens: temperature 0, a tolerant match of the
text, a limit of its own. It stands outside the liveness probe, as a full queue is no reason to kill a replica.
Needs Python 3.9 or newer and nothing else. Settings come from probe.json beside this file.
"""

from __future__ import annotations

import argparse
import http.client
import json
import re
import sys
import threading
import time
import urllib.parse
from collections import Counter
from dataclasses import dataclass, replace
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any

REASONS = ("connection", "status", "late", "wrong", "broken")


@dataclass(frozen=True)
class Settings:
    """What to ask and what to expect. Times in seconds."""

    model: str
    prompt: str
    answer: str
    max_tokens: int
    first_token_limit_s: float
    answer_limit_s: float
    interval_s: float


@dataclass(frozen=True)
class Result:
    """One question and its answer; an empty reason means: right and in time."""

    reason: str
    detail: str
    first_token_s: float
    total_s: float


class Refused(Exception):
    """An answer that fails, with one of REASONS."""

    def __init__(self, reason: str, detail: str):
        self.reason = reason
        super().__init__(detail)


def ask(url: str, settings: Settings) -> Result:
    """Ask one replica at its base address, such as http://10.0.0.7:8000."""
    started = time.monotonic()
    times: list[float] = []
    reason = detail = ""
    try:
        detail = "".join(_stream(url, settings, started, times))
        if not re.search(settings.answer, detail):
            raise Refused("wrong", f"answered {detail!r}")
    except Refused as error:
        reason, detail = error.reason, str(error)
    except TimeoutError:
        reason, detail = "late", f"nothing within {settings.first_token_limit_s:g} s"
    except (OSError, http.client.HTTPException) as error:
        reason, detail = "connection", f"{type(error).__name__}: {error}"
    total_s = time.monotonic() - started
    return Result(reason, detail, times[0] if times else total_s, total_s)


def _stream(url: str, settings: Settings, started: float, times: list[float]) -> list[str]:
    """Pieces of the answer; appends the time of the first one."""
    response = _send(url, settings)
    pieces: list[str] = []
    for line in response:
        elapsed_s = time.monotonic() - started
        limit_s = settings.answer_limit_s if times else settings.first_token_limit_s
        if elapsed_s > limit_s:
            raise Refused("late", f"took longer than {limit_s:g} s")
        text = _piece(line)
        if text:
            times.append(elapsed_s)
            pieces.append(text)
    return pieces


def _send(url: str, settings: Settings) -> http.client.HTTPResponse:
    at = urllib.parse.urlsplit(url)
    kind = http.client.HTTPSConnection if at.scheme == "https" else http.client.HTTPConnection
    connection = kind(at.hostname or "", at.port, timeout=settings.first_token_limit_s)
    body = {
        "model": settings.model,
        "prompt": settings.prompt,
        "max_tokens": settings.max_tokens,
        "temperature": 0,
        "stream": True,
    }
    path = f"{at.path.rstrip('/')}/v1/completions"
    headers = {"Content-Type": "application/json", "Connection": "close"}
    connection.request("POST", path, json.dumps(body), headers)
    response = connection.getresponse()
    if response.status != 200:
        raise Refused("status", f"HTTP {response.status}: {response.read(200)!r}")
    return response


def _piece(line: bytes) -> str:
    """Text of one event of the stream; empty for its other lines."""
    if not line.startswith(b"data:") or line[5:].strip() == b"[DONE]":
        return ""
    try:
        event: Any = json.loads(line[5:])
        choices = event["choices"]
        return str(choices[0].get("text") or "") if choices else ""
    except (ValueError, KeyError, IndexError, TypeError, AttributeError):
        raise Refused("broken", f"no event of a completion: {line[:100]!r}") from None


class Board:
    """Last results and counts of failures, written by one thread for each replica and read by the exporter."""

    def __init__(self, urls: list[str]):
        self.lock = threading.Lock()
        self.last: dict[str, Result] = {}
        self.failures: Counter[tuple[str, str]] = Counter()
        self.urls = urls

    def note(self, url: str, result: Result) -> None:
        """Keep a result."""
        with self.lock:
            self.last[url] = result
            if result.reason:
                self.failures[url, result.reason] += 1

    def text(self) -> str:
        """Prometheus exposition format."""
        with self.lock:
            last, failures = dict(self.last), dict(self.failures)
        lines = ["# HELP llm_probe_success Last answer was right and in time.", "# TYPE llm_probe_success gauge"]
        lines += [f"llm_probe_success{_labels(url)} {int(not r.reason)}" for url, r in last.items()]
        lines += [
            "# HELP llm_probe_first_token_seconds Time to the first token.",
            "# TYPE llm_probe_first_token_seconds gauge",
        ]
        lines += [f"llm_probe_first_token_seconds{_labels(url)} {r.first_token_s:.6f}" for url, r in last.items()]
        lines += ["# HELP llm_probe_failures_total Failed answers.", "# TYPE llm_probe_failures_total counter"]
        lines += [
            f"llm_probe_failures_total{_labels(url, reason)} {failures.get((url, reason), 0)}"
            for url in self.urls
            for reason in REASONS
        ]
        return "\n".join(lines) + "\n"


def _labels(url: str, reason: str = "") -> str:
    """JSON quotes a string as the exposition format does."""
    more = f",reason={json.dumps(reason)}" if reason else ""
    return "{target=" + json.dumps(url, ensure_ascii=False) + more + "}"


def watch(board: Board, url: str, settings: Settings) -> None:
    """Ask one replica forever, the start of one question an interval after the last."""
    while True:
        started = time.monotonic()
        board.note(url, ask(url, settings))
        time.sleep(max(settings.interval_s - (time.monotonic() - started), 0.0))


def serve(address: str, board: Board) -> None:
    """Answer /metrics, and /health as long as this process lives."""

    class Handler(BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            found = {"/metrics": board.text(), "/health": "ok\n"}.get(self.path, "")
            content = (found or "not found\n").encode()
            self.send_response(200 if found else 404)
            self.send_header("Content-Type", "text/plain; version=0.0.4; charset=utf-8")
            self.send_header("Content-Length", str(len(content)))
            self.end_headers()
            self.wfile.write(content)

        def log_message(self, format: str, *args: object) -> None:
            return

    host, _, port = address.rpartition(":")
    ThreadingHTTPServer((host, int(port)), Handler).serve_forever()


def main(arguments: list[str] | None = None) -> int:
    """Command line."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("urls", nargs="+", metavar="URL", help="base address of a replica: http://HOST:PORT")
    parser.add_argument("--settings", type=Path, default=Path(__file__).with_name("probe.json"))
    parser.add_argument("--once", action="store_true", help="ask once, print, exit 1 if an answer fails")
    parser.add_argument("--listen", metavar="HOST:PORT", default="0.0.0.0:9401", help="where metrics are read")
    parser.add_argument("--every", type=float, metavar="SECONDS", help="in place of the interval in the settings")
    given = parser.parse_args(arguments)
    settings = Settings(**json.loads(given.settings.read_text("utf-8")))
    if given.every:
        settings = replace(settings, interval_s=given.every)
    if given.once:
        results = {url: ask(url, settings) for url in given.urls}
        for url, result in results.items():
            verdict = result.reason or "right"
            sys.stdout.write(f"{url}: {verdict}, first token {result.first_token_s:.3f} s: {result.detail}\n")
        return int(any(result.reason for result in results.values()))
    board = Board(given.urls)
    for url in given.urls:
        threading.Thread(target=watch, args=(board, url, settings), daemon=True).start()
    serve(given.listen, board)
    return 0


if __name__ == "__main__":
    sys.exit(main())
