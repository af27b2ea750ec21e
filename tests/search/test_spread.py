"""Work spread over processes and a cluster: same results, whoever computes and whoever dies."""

from __future__ import annotations

import math
import multiprocessing
import os
import signal
from collections.abc import Iterator

import pytest
from distributed import Client, LocalCluster

from planner.errors import WorkloadError
from planner.search.spread import Workers, _chunks, spread

NUMBERS = list(range(40))
ROOTS = [math.isqrt(n) for n in NUMBERS]
LARGE = range(8000, 8060)  # factorials of so many: milliseconds each


@pytest.fixture(scope="module")
def cluster() -> Iterator[LocalCluster]:
    """A scheduler and two worker processes, which come back when they die."""
    with LocalCluster(
        n_workers=2, threads_per_worker=1, processes=True, dashboard_address=None, host="127.0.0.1"
    ) as found:
        yield found


def test_alone_and_in_order() -> None:
    told: list[tuple[int, int]] = []
    assert spread(math.isqrt, NUMBERS, progress=lambda done, total: told.append((done, total))) == ROOTS
    assert told == [(n, 40) for n in range(1, 41)]


@pytest.mark.parametrize("processes", [2, 3])
def test_any_number_of_processes_gives_the_same(processes: int) -> None:
    told: list[int] = []
    assert spread(math.isqrt, NUMBERS, Workers(processes), lambda done, total: told.append(done)) == ROOTS
    assert told == sorted(told) and told[-1] == 40


@pytest.mark.parametrize(("count", "workers"), [(1, 2), (25, 2), (97, 2), (5000, 3)])
def test_chunks_end_with_single_items(count: int, workers: int) -> None:
    """All items once and in order; nobody waits for more than one item of another at the end."""
    chunks = _chunks(list(range(count)), workers)
    assert [number for chunk in chunks for number in chunk] == list(range(count))
    sizes = [len(chunk) for chunk in chunks]
    assert sizes == sorted(sizes, reverse=True)
    assert sizes[-workers:] == [1] * min(workers, count)
    assert len(chunks) <= max(4 * workers * 8, count if count < 32 else 0)


def test_nothing_to_do() -> None:
    assert spread(math.isqrt, [], Workers(2)) == []


def test_what_fails_fails() -> None:
    with pytest.raises(ValueError, match="nonnegative"):
        spread(math.isqrt, [4, -1, 9], Workers(2))
    with pytest.raises(WorkloadError):
        spread(Workers, [0], Workers(2))


def test_a_killed_process_is_replaced() -> None:
    killed = []

    def kill_one(done: int, total: int) -> None:
        if not killed:
            victim = multiprocessing.active_children()[0]
            killed.append(victim.pid)
            victim.kill()

    assert spread(math.factorial, LARGE, Workers(2), kill_one) == [math.factorial(n) for n in LARGE]
    assert len(killed) == 1


def test_processes_that_always_die_are_given_up() -> None:
    with pytest.raises(WorkloadError, match="workers were lost 4 times; 0 of 2"):
        spread(os._exit, [1, 1], Workers(2))


def test_a_cluster_gives_the_same(cluster: LocalCluster) -> None:
    assert spread(math.isqrt, NUMBERS, Workers(cluster=cluster.scheduler_address)) == ROOTS


def test_a_killed_cluster_worker_is_made_up_for(cluster: LocalCluster) -> None:
    """One of the two dies when the first results are there."""
    with Client(cluster.scheduler_address, set_as_default=False) as client:
        pids = list(client.run(os.getpid).values())
    killed = []

    def kill_one(done: int, total: int) -> None:
        if not killed:
            killed.append(done)
            os.kill(pids[0], signal.SIGKILL)

    found = spread(math.factorial, LARGE, Workers(cluster=cluster.scheduler_address), kill_one)
    assert found == [math.factorial(n) for n in LARGE]
    assert killed and killed[0] < 60


def test_stopping_leaves_no_process() -> None:
    def stop(done: int, total: int) -> None:
        raise KeyboardInterrupt

    before = {child.pid for child in multiprocessing.active_children()}
    with pytest.raises(KeyboardInterrupt):
        spread(math.isqrt, NUMBERS, Workers(2), stop)
    assert {child.pid for child in multiprocessing.active_children()} <= before


def test_no_scheduler_says_how_to_start_one(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("planner.search.spread.CONNECT_S", 0.2)
    with pytest.raises(WorkloadError, match=r"tcp://127\.0\.0\.1:9: no Dask scheduler answers") as refused:
        spread(math.isqrt, NUMBERS, Workers(cluster="tcp://127.0.0.1:9"))
    assert "dask worker" in str(refused.value)


@pytest.mark.parametrize("address", ["foo", "10.0.0.1:8786", "tcp://host", "tcp://host:port"])
def test_what_is_no_address_is_refused(address: str) -> None:
    with pytest.raises(WorkloadError, match="such as tcp://"):
        spread(math.isqrt, NUMBERS, Workers(cluster=address))


@pytest.mark.parametrize(("fields", "message"), [((0,), "--workers 0"), ((1000,), "1 to 512"), ((2, "tcp://x"), "one")])
def test_impossible_workers_are_refused(fields: tuple[object, ...], message: str) -> None:
    with pytest.raises(WorkloadError, match=message):
        Workers(*fields)
