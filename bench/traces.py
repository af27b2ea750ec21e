"""Speed and memory of reading traces, and of a long simulation: `python bench/traces.py`."""

from __future__ import annotations

import resource
import tempfile
import time
from collections.abc import Callable
from pathlib import Path
from typing import TypeVar

import numpy as np

from planner.catalog import load_catalog
from planner.models.arrivals import draw, draw_pairs, fit_modulation
from planner.models.traffic import Trace
from planner.search.question import Question
from planner.search.replay import build_server, replay
from planner.traces import load_trace, read_trace

REQUESTS = 1_000_000
Found = TypeVar("Found")


def timed(what: str, run: Callable[[], Found]) -> Found:
    """Run once and print how long it took, and the largest memory so far."""
    begin = time.perf_counter()
    found = run()
    wall_s = time.perf_counter() - begin
    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * 1024
    print(f"{what:<34}{wall_s:7.2f} s{REQUESTS / wall_s:12,.0f} requests/s{peak / 1e6:9,.0f} MB at most")
    return found


def written(trace: Trace, file: Path, row: str) -> Path:
    with file.open("w") as text:
        if file.suffix == ".csv":
            text.write("arrival_s,input_tokens,output_tokens\n")
        columns = (trace.arrivals_s.tolist(), trace.input_tokens.tolist(), trace.output_tokens.tolist())
        text.writelines(row % one for one in zip(*columns, strict=True))
    return file


def main() -> None:
    recorded = load_trace("azure-conv", load_catalog())
    rate_per_s = 10.0
    random = np.random.default_rng(1)
    modulation = fit_modulation(recorded)
    times = timed("drawn", lambda: draw(modulation, rate_per_s, REQUESTS / rate_per_s, random))
    lengths = draw_pairs(recorded.input_tokens, recorded.output_tokens, len(times), random)
    trace = Trace("long", times, *lengths)
    with tempfile.TemporaryDirectory() as folder:
        csv = written(trace, Path(folder) / "long.csv", "%.6f,%d,%d\n")
        jsonl = written(
            trace, Path(folder) / "long.jsonl", '{"timestamp": %d, "input_length": %d, "output_length": %d}\n'
        )
        timed("CSV read", lambda: read_trace(csv))
        timed("JSONL read", lambda: read_trace(jsonl))
    server = build_server(Question(llm="llama-3.1-8b", accelerator="h100-sxm-80gb", gpus=1), load_catalog())
    timed("simulated on one replica", lambda: replay(server, trace, 1))


if __name__ == "__main__":
    main()
