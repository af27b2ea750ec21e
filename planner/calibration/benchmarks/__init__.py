"""Results of benchmark tools, as their users have them: recognised, checked, read.

A reader of another tool is a module with a `Reader` and its line in `READERS`.
"""

from __future__ import annotations

import hashlib
import json
import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from planner.calibration.benchmarks import aiperf, guidellm, vllm
from planner.calibration.benchmarks.run import Latency, Reader, Run, said, words
from planner.encoding import decoded
from planner.errors import WorkloadError

__all__ = ["READERS", "BenchmarkFile", "Latency", "Reader", "Run", "read_benchmark", "readable"]

READERS: tuple[Reader, ...] = (aiperf.READER, guidellm.READER, vllm.READER)
MAX_BYTES = 100_000_000
MOST_DOCUMENTS = 1000  # in one file, as --append-result writes them
_BLANK = re.compile(r"\s*")


@dataclass(frozen=True)
class BenchmarkFile:
    """A file and the loads in it."""

    name: str
    sha256: str
    runs: tuple[Run, ...]


def readable() -> str:
    """What is read, a line per tool, for people."""
    return "\n".join(f"  {reader.tool}: {reader.versions}" for reader in READERS)


def read_benchmark(path: Path) -> BenchmarkFile:
    """Every load in a benchmark's JSON file.

    Raises
    ------
    WorkloadError
        Naming the file and what is wrong with it; for an unknown tool or version, what is read.
    """
    name = words(path.name)
    content = _content(path, name)
    runs: list[Run] = []
    for number, document in enumerate(_documents(content, name), 1):
        where = name if number == 1 else f"{name}, document {number}"
        runs += _reader(document, where).read(document, where)
    silent = [run for run in runs if not said(run)]
    if silent:
        raise WorkloadError("{name}: no time to first token, no time per output token, no throughput.", name=name)
    return BenchmarkFile(name, hashlib.sha256(content).hexdigest(), tuple(runs))


def _content(path: Path, name: str) -> bytes:
    try:
        if path.stat().st_size > MAX_BYTES:
            raise WorkloadError(
                "{name} is larger than {max_bytes:,} bytes: save it without per-request details.",
                name=name,
                max_bytes=MAX_BYTES,
            )
        return path.read_bytes()
    except (OSError, ValueError) as error:
        raise WorkloadError("cannot read {path}: {reason}.", path=name, reason=error) from None


def _documents(content: bytes, name: str) -> Iterator[Mapping[str, Any]]:
    """JSON objects of a file: one, or several after one another."""
    decoder, at = json.JSONDecoder(), 0
    try:
        text = decoded(content)
        for _ in range(MOST_DOCUMENTS):
            document, at = decoder.raw_decode(text, _after_blank(text, at))
            if not isinstance(document, Mapping):
                raise WorkloadError(
                    "{name} holds no JSON object.\n  Read are:\n{readable}", name=name, readable=readable()
                )
            yield document
            if _after_blank(text, at) == len(text):
                return
    except UnicodeDecodeError:
        raise WorkloadError("{name} is not UTF-8 text.", name=name) from None
    except json.JSONDecodeError as error:
        raise WorkloadError(
            "{name}, line {lineno}: not valid JSON: {msg}. Is it cut off?",
            name=name,
            lineno=error.lineno,
            msg=error.msg,
        ) from None
    except (RecursionError, ValueError):
        raise WorkloadError(
            "{name} is not JSON of a benchmark: nested too deep, or numbers too long.", name=name
        ) from None
    raise WorkloadError("{name} holds more than {most_documents} documents.", name=name, most_documents=MOST_DOCUMENTS)


def _after_blank(text: str, at: int) -> int:
    blank = _BLANK.match(text, at)
    return blank.end() if blank else at


def _reader(document: Mapping[str, Any], where: str) -> Reader:
    for reader in READERS:
        if reader.recognises(document):
            return reader
    raise WorkloadError(
        "{where} is of no benchmark tool that is known.\n  Read are:\n{readable}", where=where, readable=readable()
    )
