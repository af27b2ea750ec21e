"""All-reduce over all visible GPUs: a process for each, NCCL between them through torch.distributed."""

from __future__ import annotations

import json
import tempfile
import time
from pathlib import Path
from typing import Any

CALLS = 20  # of one graph
LEAST_BATCHES = 5


def run_all_reduces(
    torch: Any, sizes_bytes: list[int], ranks: int, seconds: float
) -> list[tuple[list[float], float, float]]:
    """Seconds per call of each batch, with start and end on the monotonic clock, by message size.

    Raises
    ------
    RuntimeError
        If a rank fails; the others are ended.
    """
    from torch import multiprocessing

    with tempfile.TemporaryDirectory() as folder:
        multiprocessing.spawn(_rank, (ranks, sizes_bytes, seconds, folder), nprocs=ranks, join=True)
        found = json.loads((Path(folder) / "found.json").read_text(encoding="utf-8"))
    return [(times, start, end) for times, start, end in found]


def _rank(rank: int, ranks: int, sizes_bytes: list[int], seconds: float, folder: str) -> None:
    import torch
    from torch import distributed

    torch.cuda.set_device(rank)
    meeting = f"file://{folder}/meeting"
    distributed.init_process_group("nccl", init_method=meeting, rank=rank, world_size=ranks)
    try:
        found = [_one_size(torch, distributed, size, seconds / len(sizes_bytes)) for size in sizes_bytes]
        if rank == 0:
            (Path(folder) / "found.json").write_text(json.dumps(found), encoding="utf-8")
        distributed.barrier()
    finally:
        distributed.destroy_process_group()


def _one_size(torch: Any, distributed: Any, size_bytes: int, seconds: float) -> tuple[list[float], float, float]:
    """Replays of a graph of reductions; rank 0's clock decides for all when it is enough."""
    values = torch.ones(size_bytes // 2, device="cuda", dtype=torch.bfloat16)
    for _ in range(3):
        distributed.all_reduce(values)
    graph = torch.cuda.CUDAGraph()
    torch.cuda.synchronize()
    with torch.cuda.graph(graph):
        for _ in range(CALLS):
            distributed.all_reduce(values)
    begin, end = torch.cuda.Event(enable_timing=True), torch.cuda.Event(enable_timing=True)
    times: list[float] = []
    start = time.monotonic()
    go_on = torch.ones(1, device="cuda")
    while go_on.item():
        begin.record()
        graph.replay()
        end.record()
        end.synchronize()
        times.append(begin.elapsed_time(end) / 1e3 / CALLS)
        go_on.fill_(time.monotonic() < start + seconds or len(times) <= LEAST_BATCHES)
        distributed.broadcast(go_on, 0)
    return times[1:], start, time.monotonic()
