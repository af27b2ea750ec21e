"""Other processes that simulate, so that first answers have this one for themselves.

A process runs one thread at a time: beside a simulation a first answer takes twice as long, and the readers of
twenty sessions ask more than one thread can simulate. `planner app` starts these; without them, and where one dies,
everything runs here.
"""

from __future__ import annotations

import gc
import io
import os
import pickle
import signal
import sys
import threading
import time
from collections.abc import Callable, Iterator
from concurrent.futures import BrokenExecutor, ProcessPoolExecutor
from contextlib import contextmanager
from functools import partial
from multiprocessing import get_context
from types import ModuleType
from typing import Any, TypeVar

from planner.catalog import Catalog, load_catalog
from planner.errors import CatalogError, NoPlan, PlannerError
from planner.schema import PlanResult
from planner.search.plan import Screening, answered, plan
from planner.ui import log
from planner.workloads import load_workload

Out = TypeVar("Out")
MOST_PROCESSES = 4
MOST_LOST = 3  # a machine that ends them as often, for want of memory perhaps, is left in peace
WATCH_S = 2.0
POLITE = 19  # first answers, and browsers on this machine, come before simulations
TURNS = threading.Semaphore(1)  # what follows a first answer takes turns here, so that other first answers stay quick
_one_at_a_time = threading.Lock()
_pool: ProcessPoolExecutor | None = None
_lost = 0  # pools
_shipped: Catalog | None = None  # of a process that simulates


def start(processes: int | None = None) -> None:
    """Start them: by default one for each processor, four at most; they step back for whatever else it does."""
    global _pool
    wanted = min(os.cpu_count() or 1, MOST_PROCESSES) if processes is None else processes
    if wanted <= 0 or _pool is not None:
        return
    try:
        # Forked processes would inherit locks of threads that they lack; these begin afresh.
        pool = ProcessPoolExecutor(wanted, get_context("spawn"), _begin, (os.getpid(),))
        with _no_script():
            for _ in range(wanted):
                pool.submit(os.getpid)
    except (OSError, NotImplementedError) as error:  # no shared memory for their locks, or no more processes
        log.lost(type(error).__name__)
        return
    _pool = pool


@contextmanager
def _no_script() -> Iterator[None]:
    """New processes run what is the main module here; in the thread of a reader, Streamlit made that the app itself."""
    script = sys.modules["__main__"]
    sys.modules["__main__"] = ModuleType("__main__")
    try:
        yield
    finally:
        sys.modules["__main__"] = script


def stop() -> None:
    """End them."""
    global _pool
    if _pool is not None:
        _pool.shutdown(cancel_futures=True)
        _pool = None


def confirm(screening: Screening, confirmed: int, shipped: Catalog) -> PlanResult:
    """What `planner.search.plan.answered` says, computed elsewhere if it can be.

    Parameters
    ----------
    shipped : catalogs that each process has; a question about others is answered here

    Raises
    ------
    PlannerError
        As `answered` does.
    """
    here = partial(_in_turn, partial(answered, screening, confirmed=confirmed))
    if screening.study.catalog is not shipped:
        return here()
    return _elsewhere(here, _confirm, _packed(screening, shipped), confirmed, shipped.sha256)


def regret(result: PlanResult, catalog: Catalog, shipped: Catalog) -> dict[int, float]:
    """What `planner.search.regret.regrets` says, computed elsewhere if it can be.

    Raises
    ------
    PlannerError
        As `regrets` does.
    """
    from planner.search.regret import regrets

    here = partial(_in_turn, partial(regrets, result, catalog))
    return _elsewhere(here, _regret, result, shipped.sha256) if catalog is shipped else here()


def _in_turn(work: Callable[[], Out]) -> Out:
    with TURNS:
        return work()


def _elsewhere(here: Callable[[], Out], work: Callable[..., Out | PlannerError], *given: Any) -> Out:
    """What `work` finds there; what `here` returns or raises where it refuses to look, or where nobody is there."""
    pool = _pool
    if pool is None:
        return here()
    try:
        found = pool.submit(work, *given).result()
    except BrokenExecutor as error:
        log.lost(type(error).__name__)
        _replace(pool)
        return here()
    if isinstance(found, NoPlan):
        raise found
    return here() if isinstance(found, PlannerError) else found


def _replace(pool: ProcessPoolExecutor) -> None:
    """Start others in place of those that are gone, unless they go too often."""
    global _pool, _lost
    with _one_at_a_time:
        if _pool is pool:
            _pool, _lost = None, _lost + 1
            if _lost < MOST_LOST:
                start()


# ---- what goes over


class _Pickler(pickle.Pickler):
    """Leaves the catalogs out that the other side has."""

    def __init__(self, to: io.BytesIO, shipped: Catalog) -> None:
        super().__init__(to, pickle.HIGHEST_PROTOCOL)
        self.shipped = shipped

    def persistent_id(self, one: Any) -> str | None:
        return "catalog" if one is self.shipped else None


class _Unpickler(pickle.Unpickler):
    def persistent_load(self, pid: Any) -> Catalog:
        assert pid == "catalog" and _shipped is not None
        return _shipped


def _packed(screening: Screening, shipped: Catalog) -> bytes:
    to = io.BytesIO()
    _Pickler(to, shipped).dump(screening)
    return to.getvalue()


# ---- in the other process


def _begin(parent: int) -> None:
    """Read the catalogs; end with the server, however that ends."""
    global _shipped
    signal.signal(signal.SIGINT, signal.SIG_IGN)  # Ctrl-C goes to all processes of a terminal
    os.nice(POLITE)
    threading.Thread(target=_end_with, args=(parent,), daemon=True).start()
    _shipped = load_catalog()
    _warm_up(_shipped)


def _end_with(parent: int) -> None:
    while os.getppid() == parent:
        time.sleep(WATCH_S)
    os._exit(0)


def _warm_up(catalog: Catalog) -> None:
    """Read, import and compute once what every question needs."""
    from planner.search.regret import regrets

    regrets(plan(load_workload(), catalog), catalog)
    gc.collect()
    gc.freeze()  # all this stays


def _confirm(packed: bytes, confirmed: int, sha256: str) -> PlanResult | PlannerError:
    try:
        _same_catalogs(sha256)
        screening: Screening = _Unpickler(io.BytesIO(packed)).load()
        return answered(screening, confirmed=confirmed)
    except PlannerError as error:
        return error.with_traceback(None)


def _regret(result: PlanResult, sha256: str) -> dict[int, float] | PlannerError:
    from planner.search.regret import regrets

    try:
        return regrets(result, _same_catalogs(sha256))
    except PlannerError as error:
        return error.with_traceback(None)


def _same_catalogs(sha256: str) -> Catalog:
    """The catalogs of this process.

    Raises
    ------
    CatalogError
        If somebody changed them since the server read them.
    """
    if _shipped is None or _shipped.sha256 != sha256:
        raise CatalogError("the catalogs are others than those that the server read")
    return _shipped
