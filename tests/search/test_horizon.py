"""Horizon questions through the planner."""

from __future__ import annotations

import json
from collections.abc import Callable
from typing import Any

import pytest

from planner.catalog import Catalog
from planner.errors import PlannerError
from planner.schema.horizon import Outlook
from planner.search.change import Question
from planner.search.horizon import horizon
from planner.workloads import load_workload

SMALL = {
    "limits.accelerators": ["h200"], "limits.engines": ["vllm"], "limits.max_gpus_per_replica": 8,
    "traffic.rate_per_s": 30,
}  # fmt: skip


@pytest.fixture
def question(catalog: Catalog) -> Question:
    return Question(load_workload("default", SMALL), catalog)


def test_the_best_way_is_never_dearer_than_the_others(question: Question) -> None:
    found = horizon(question, Outlook(years=2, growth_per_year=0.5, delivery_weeks=26))
    best = found.policies[0]
    assert best.name == "best" and best.npv_usd is not None
    by_name = {p.name: p.npv_usd for p in found.policies}
    for name in ("rent throughout", "buy today for the last month", "buy once a year"):
        assert (by_name[name] or 0) >= best.npv_usd * (1 - 1e-3), name
    assert all(order.arrives == order.month + 6 for order in found.orders)
    assert not found.states or found.states[-1].load_factor == pytest.approx(1.5 ** (23 / 12))


def test_twice_the_load_takes_about_twice_the_servers(question: Question) -> None:
    found = horizon(question, Outlook(years=2, growth_per_year=1.0))

    def servers(at: int) -> int:
        state = found.states[at]
        return sum(state.owned.values()) + sum(state.rented.values())

    assert servers(1) == pytest.approx(2 * servers(0), rel=0.12)


def test_dearer_purchases_cost_more(question: Question) -> None:
    calm, dear = (horizon(question, Outlook(years=2, growth_per_year=0.5, dearer_per_year=d)) for d in (0.0, 0.5))
    assert (dear.policies[0].npv_usd or 0) > (calm.policies[0].npv_usd or 0)


def test_later_hardware_is_weighed(question: Question) -> None:
    found = horizon(question, Outlook(years=2, later={"b200": 1}))
    assert found.kinds == ("h200-sxm-141gb", "b200-sxm-180gb")
    assert all(order.month >= 12 for order in found.orders if order.accelerator == "b200-sxm-180gb")
    assert {"wait for what comes later", "today's only, at any time"} <= {p.name for p in found.policies}


@pytest.mark.parametrize(
    ("outlook", "part"),
    [
        (Outlook(years=2, later={"h200": 1}), "planned today"),
        (Outlook(years=2, later={"nonsense": 1}), "nonsense"),
    ],
)
def test_nonsense_is_refused(question: Question, outlook: Outlook, part: str) -> None:
    with pytest.raises(PlannerError, match=part):
        horizon(question, outlook)


Run = Callable[..., Any]
ASKED = ("whatif", "--set", 'limits.accelerators=["h200"]', "--set", 'limits.engines=["vllm"]')


def test_the_command_tells_orders_and_ways(run_cli: Run) -> None:
    done = run_cli(*ASKED, "--years", "2", "--growth", "100%", "--delivery-weeks", "13")
    assert done.exit_code == 0, done.stderr
    for told in ("Over 2 years", "Orders", "Ways through the years", "rent throughout"):
        assert told in done.stdout
    answer = json.loads(run_cli(*ASKED, "--years", "1", "--json").stdout)
    assert {"outlook", "policies", "orders", "states"} <= answer.keys()


@pytest.mark.parametrize(
    "arguments",
    [
        ("--years", "0"),
        ("--years", "-1"),
        ("--growth", "much"),
        ("--growth", "-100%"),
        ("--next", "b300"),
        ("--next", "b300=0"),
        ("--years", "3", "--next", "b300=3"),
        ("--delivery-weeks", "-3"),
        ("--order-months", "0"),
        ("--growth", "10%", "--sweep", "traffic.rate_per_s=1,2"),
        ("--years", "2", "--set", "discount_rate=1"),
        ("--years", "2", "--set", "horizon_years=0"),
    ],
)
def test_wrong_input_is_one_message(run_cli: Run, arguments: tuple[str, ...]) -> None:
    done = run_cli(*ASKED, *arguments)
    assert done.exit_code == 1 and done.stderr.startswith("planner: ") and not done.stdout


def test_what_is_in_no_total_is_said(run_cli: Run) -> None:
    told = " ".join(run_cli(*ASKED, "--years", "1").stdout.split())
    assert "NOT INCLUDED in these years: switches, racks, people and transit" in told
