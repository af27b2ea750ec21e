"""Many independent computations over the cores of a machine, or a cluster: same results however many work.

Local processes and Dask clusters stand behind one interface, that of `concurrent.futures`. Every item carries its
own seed, and results come in the order of the items. What a lost worker had in hand is computed again.
"""

from __future__ import annotations

import re
import signal
import sys
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import BrokenExecutor, CancelledError, Executor, Future, ProcessPoolExecutor, as_completed
from contextlib import contextmanager
from dataclasses import dataclass
from multiprocessing import get_context
from typing import Any, TypeVar

from planner.errors import WorkloadError

Item = TypeVar("Item")
Out = TypeVar("Out")
Progress = Callable[[int, int], None]  # done, of how many

CHUNKS_PER_WORKER = 8  # few enough to send what they share once
LAST_SHARE = 2  # towards the end, chunks of 1/so many of what is left for each worker: all end together
RETRIES = 3
MOST_WORKERS = 512
CONNECT_S = 10


@dataclass(frozen=True)
class Workers:
    """Who computes.

    Attributes
    ----------
    processes : on this machine; 1: this process alone [-]
    cluster : address of a Dask scheduler, such as tcp://10.0.0.1:8786, in place of processes
    """

    processes: int = 1
    cluster: str | None = None

    def __post_init__(self) -> None:
        if not 1 <= self.processes <= MOST_WORKERS:
            raise WorkloadError(
                "--workers {processes}: give a whole number from 1 to {most_workers}.",
                processes=self.processes,
                most_workers=MOST_WORKERS,
            )
        if self.cluster and self.processes > 1:
            raise WorkloadError("--workers and --cluster: give one of them; a cluster has workers of its own.")


HERE = Workers()


def spread(
    work: Callable[[Item], Out], items: Sequence[Item], workers: Workers = HERE, progress: Progress | None = None
) -> list[Out]:
    """`[work(item) for item in items]`, by several workers.

    Parameters
    ----------
    work : a function of a module, so that workers can import it, of one item, that draws nothing but from its seed
    progress : called with how many items are done, of how many

    Raises
    ------
    WorkloadError
        If a cluster cannot be reached, or workers are lost again and again.
    Exception
        The first that `work` raises; what has not begun is cancelled.
    """
    told = progress or (lambda done, total: None)
    if workers.processes == 1 and not workers.cluster:
        return [_told(work(item), told, done, len(items)) for done, item in enumerate(items, 1)]
    found: dict[int, Out] = {}
    for _ in range(RETRIES + 1):
        left = [number for number in range(len(items)) if number not in found]
        if not left:
            break
        with _executor(workers) as (executor, count):
            _gather(executor, work, items, _chunks(left, count), found, told)
    if len(found) < len(items):
        raise WorkloadError(
            "workers were lost {times} times; {done} of {all} computations are done.\n"
            "  Give fewer --workers, or workers with more memory.",
            times=RETRIES + 1,
            done=len(found),
            all=len(items),
        )
    return [found[number] for number in range(len(items))]


def _told(result: Out, progress: Progress, done: int, total: int) -> Out:
    progress(done, total)
    return result


def _chunks(numbers: list[int], workers: int) -> list[list[int]]:
    most, begin, found = -(-len(numbers) // (workers * CHUNKS_PER_WORKER)), 0, []
    while begin < len(numbers):
        size = max(min(most, (len(numbers) - begin) // (LAST_SHARE * workers)), 1)
        found.append(numbers[begin : begin + size])
        begin += size
    return found


def _gather(
    executor: Executor,
    work: Callable[[Item], Out],
    items: Sequence[Item],
    chunks: list[list[int]],
    found: dict[int, Out],
    progress: Progress,
) -> None:
    """Results of the chunks whose workers lived."""
    sent: dict[Future[list[Out]], list[int]] = {}
    lost: tuple[type[BaseException], ...] = (BrokenExecutor, CancelledError, *_lost_in_cluster())
    try:
        for chunk in chunks:
            sent[executor.submit(_each, work, [items[number] for number in chunk])] = chunk
        for future in as_completed(sent):
            chunk = sent[future]
            try:
                found.update(zip(chunk, future.result(), strict=True))
            except lost:
                continue
            progress(len(found), len(items))
    except BrokenExecutor:  # a worker died before all chunks were sent
        return
    except BaseException:
        for future in sent:  # what runs already ends first
            future.cancel()
        raise


def _each(work: Callable[[Item], Out], items: list[Item]) -> list[Out]:
    return [work(item) for item in items]


@contextmanager
def _executor(workers: Workers) -> Iterator[tuple[Executor, int]]:
    """An executor and how many workers it has."""
    if not workers.cluster:
        # Forked workers would inherit locks of threads that they lack; these begin afresh.
        pool = ProcessPoolExecutor(workers.processes, get_context("spawn"), _ignore_interrupts)
        with pool:
            yield pool, workers.processes
        return
    client_of, problems = _distributed()
    if not re.fullmatch(r"\w+://.+:\d+", workers.cluster):
        raise WorkloadError(
            "--cluster {cluster}: give an address such as tcp://10.0.0.1:8786.", cluster=workers.cluster
        )
    try:
        client = client_of(workers.cluster, timeout=CONNECT_S, set_as_default=False)
    except problems as error:
        raise WorkloadError(
            "--cluster {cluster}: no Dask scheduler answers ({error}).\n"
            "  Start one with `dask scheduler`, and workers with `dask worker ADDRESS`, where the "
            "planner is installed.",
            cluster=workers.cluster,
            error=error,
        ) from None
    with client:
        yield client.get_executor(pure=False, retries=RETRIES), max(len(client.scheduler_info()["workers"]), 1)


def _ignore_interrupts() -> None:
    """Ctrl-C goes to all processes of a terminal; only the one that asked answers it."""
    signal.signal(signal.SIGINT, signal.SIG_IGN)


def _distributed() -> tuple[Callable[..., Any], tuple[type[Exception], ...]]:
    try:
        from distributed import Client
        from distributed.comm.core import CommClosedError
    except ImportError:
        raise WorkloadError(
            "--cluster needs Dask.\n  Install it: pip install 'llm-capacity-planner[cluster]', or give --workers."
        ) from None
    return Client, (OSError, TimeoutError, ValueError, CommClosedError)


def _lost_in_cluster() -> tuple[type[Exception], ...]:
    """What a cluster raises for work that it lost; nothing where Dask is not loaded."""
    if "distributed" not in sys.modules:
        return ()
    from distributed import KilledWorker
    from distributed.client import FutureCancelledError

    return KilledWorker, FutureCancelledError
