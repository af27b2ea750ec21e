"""Rates, power, load time, availability, speed-ups and ownership as claims: verdicts by hand-worked figures."""

from __future__ import annotations

from typing import Any

import pytest

from planner.audit import audit
from planner.audit.bounds import answer, at_the_roofline, with_perfect_kernels
from planner.audit.claims import parse_claims
from planner.audit.finding import Context
from planner.catalog import Catalog
from planner.schema import Audited
from planner.search.question import Question

R1 = {"llm": "deepseek-r1", "accelerator": "h200-sxm-141gb", "gpus": 8}


def one(catalog: Catalog, **claim: Any) -> Audited:
    found = audit(parse_claims({"title": "t", "claims": [{"id": "a", "text": "t", **claim}]}, "t"), catalog)
    assert not found.refused, found.refused
    return found.claims[0]


def estimated(catalog: Catalog, concurrency: int = 64) -> Any:
    return answer(Question("deepseek-r1", "h200-sxm-141gb", concurrency=concurrency), Context(catalog, str))


@pytest.mark.parametrize(("factor", "verdict"), [(0.9, "holds"), (1.2, "conditional"), (1.6, "conditional"),
                                                 (2.0, "refuted")])  # fmt: skip
def test_throughput_against_band_and_roofline(catalog: Catalog, factor: float, verdict: str) -> None:
    stated = factor * estimated(catalog).serving.output_tokens_per_s
    found = one(catalog, kind="throughput", **R1, concurrency=64, stated=stated)
    assert found.verdict == verdict, found.reason
    assert found.computed == f"{estimated(catalog).serving.output_tokens_per_s:,.0f} token/s"


def test_throughput_of_a_user_and_of_all_tokens(catalog: Catalog) -> None:
    """Equal lengths: all tokens are twice the answers'; 64 users share them."""
    rate = estimated(catalog).serving.output_tokens_per_s
    found = one(catalog, kind="throughput", **R1, concurrency=64, stated=1, per="user", counts="all")
    assert float(found.computed.split()[0]) == pytest.approx(rate * 2 / 64, rel=0.01)


def test_throughput_without_users_holds_under_conditions(catalog: Catalog) -> None:
    found = one(catalog, kind="throughput", **R1, stated=100)
    assert found.verdict == "conditional"
    assert "names no number of users" in found.reason


def test_the_roofline_bounds_every_estimate(catalog: Catalog) -> None:
    """One user of R1 on eight H200: 37.5e9 active bytes over 8 x 4.8 TB/s would be 1,024 token/s without any rest."""
    context = Context(catalog, str)
    for users in (1, 64, 256):
        asked = Question("deepseek-r1", "h200-sxm-141gb", concurrency=users)
        now, kernels, most = (
            f(asked, context).serving.output_tokens_per_s for f in (answer, with_perfect_kernels, at_the_roofline)
        )
        assert now <= kernels <= most
    assert at_the_roofline(Question("deepseek-r1", "h200-sxm-141gb", concurrency=1), context).serving.tpot_s > 1 / 1_024


def test_power_at_the_load_and_at_the_limit(catalog: Catalog) -> None:
    watts = estimated(catalog).power.gpu_w
    assert one(catalog, kind="power", **R1, stated=watts).verdict == "holds"
    above = one(catalog, kind="power", **R1, stated=720)
    assert above.verdict == "refuted"
    assert "above the limit of 700 W" in above.reason


def test_efficiency_both_ways_round(catalog: Catalog) -> None:
    """token/s/W and J/token of the same set-up are each other's inverse."""
    found = estimated(catalog)
    per_w = found.serving.output_tokens_per_s / (8 * found.power.gpu_w)
    assert one(catalog, kind="power", **R1, stated=per_w, unit="token/s/W").verdict == "holds"
    assert one(catalog, kind="power", **R1, stated=1 / per_w, unit="J/token").verdict == "holds"
    assert one(catalog, kind="power", **R1, stated=1.6, unit="token/s/W").verdict == "refuted"


@pytest.mark.parametrize(("seconds", "verdict"), [(200, "holds"), (60, "conditional"), (5, "refuted")])
def test_load_time_by_loader_and_drive(catalog: Catalog, seconds: float, verdict: str) -> None:
    """673 GB: 48 s from a drive of 14 GB/s, 157 s by a loader of 4.3 GB/s."""
    found = one(catalog, kind="load_time", **R1, stated=seconds)
    assert found.verdict == verdict
    assert found.computed == "streamed 48.1 s; safetensors 157 s"
    assert ("By drives or network alone it takes 48.1 s." in found.reason) == (verdict == "refuted")


def test_load_time_until_it_serves_counts_the_engine(catalog: Catalog) -> None:
    loaded, serving = (
        one(catalog, kind="load_time", **R1, stated=5, unit="min", loader="safetensors", until=until)
        for until in ("loaded", "serving")
    )
    assert (loaded.computed, serving.computed) == ("safetensors 157 s", "safetensors 257 s")


@pytest.mark.parametrize(("spares", "stated", "verdict"), [(0, 99.99, "refuted"), (0, 99.9, "conditional"),
                                                           (2, 99.9, "holds")])  # fmt: skip
def test_availability_by_spares_and_repair(catalog: Catalog, spares: int, stated: float, verdict: str) -> None:
    found = one(catalog, kind="availability", stated=stated, gpus=8, replicas=4, spares=spares)
    assert found.verdict == verdict, found.reason


def test_availability_by_hand(catalog: Catalog) -> None:
    """One replica of eight: 50,700 / 8 = 6,337.5 h between interruptions, 24 h each: 99.622 %."""
    found = one(catalog, kind="availability", stated=99.6, gpus=8, repair_hours=24)
    assert (found.verdict, found.computed) == ("holds", "99.622 %")


@pytest.mark.parametrize(("stated", "verdict"), [(1.02, "conditional"), (3.0, "refuted")])
def test_kernels_gain_what_they_take(catalog: Catalog, stated: float, verdict: str) -> None:
    found = one(catalog, kind="speed_up", option="kernels", stated=stated, **R1, concurrency=64)
    assert found.verdict == verdict
    assert "host and links stay" in found.reason


def test_batching_with_a_baseline_is_computed(catalog: Catalog) -> None:
    few, many = (estimated(catalog, users).serving.output_tokens_per_s for users in (1, 64))
    claim = {"kind": "speed_up", "option": "batching", **R1, "baseline_concurrency": 1, "concurrency": 64}
    found = one(catalog, **claim, stated=5)
    assert (found.verdict, found.computed) == ("holds", f"{many / few:.2f}×")
    assert one(catalog, **claim, stated=64).verdict == "refuted"


def test_narrower_weights_as_a_factor_of_speed(catalog: Catalog) -> None:
    claim = {"kind": "speed_up", "option": "quantisation", "llm": "llama-3.1-70b", "accelerator": "h100-sxm-80gb",
             "gpus": 8, "weights": "bf16", "to_weights": "fp8"}  # fmt: skip
    assert one(catalog, **claim, stated=1.05).verdict in ("holds", "conditional")
    assert one(catalog, **claim, stated=2.5).verdict == "refuted"  # half the bytes cannot gain more than twice


def test_owning_by_load_tier_and_horizon(catalog: Catalog) -> None:
    """The more it is used and the longer it is kept, the more owning saves; a load above the threshold holds."""
    claim = {"kind": "saving", "of": "owned", "accelerators": ["h200"], "tiers": ["on_demand"], "stated": 42,
             "availability": 0.999}  # fmt: skip
    open_ = one(catalog, **claim, horizon_years=[5])
    assert "5 y from 95 % load" in open_.reason
    assert one(catalog, **claim, horizon_years=[5], load_factor=0.96).verdict == "holds"
    assert one(catalog, **claim, horizon_years=[5], load_factor=0.9).verdict == "refuted"
    assert one(catalog, **claim, horizon_years=[1]).verdict == "refuted"


def test_units_of_one_text_are_checked(catalog: Catalog) -> None:
    """400 Gbit/s is no 400 GB/s; 720 token/s over 8 x 450 W is 0.2 token/s/W."""
    bits = {"a": {"stated": 400, "unit": "Gbit/s"}, "b": {"stated": 400, "unit": "GB/s"}}
    assert one(catalog, kind="arithmetic", figures=bits, equal=[["a", "b"]]).verdict == "refuted"
    figures = {"rate": {"stated": 720, "unit": "token/s"}, "cards": 8, "w": {"stated": 450, "unit": "W"}}
    check = {"name": "e", "expression": "rate / (cards * w)", "stated": 0.2, "unit": "token/s/W"}
    assert one(catalog, kind="arithmetic", figures=figures, checks=[check]).verdict == "holds"


def test_pieces_of_a_datasheet_figure(catalog: Catalog) -> None:
    figure = {"figure": "bandwidth_bytes_per_s", "stated": 38.4, "unit": "TB/s", "pieces": 8}
    assert one(catalog, kind="spec", item="h200", figures=[figure]).verdict == "holds"


@pytest.mark.parametrize("claim", [
    {"kind": "throughput", "stated": 100},
    {"kind": "latency", "stated_low": 1, "stated_high": 2, "unit": "s"},
    {"kind": "power", "stated": 200},
])  # fmt: skip
def test_what_does_not_fit_is_refuted(catalog: Catalog, claim: dict[str, Any]) -> None:
    """R1 takes 352 GB in 4 bits; four A6000 have 206."""
    found = one(catalog, **claim, llm="deepseek-r1", accelerator="a6000-48gb", gpus=4)
    assert found.verdict == "refuted"
    assert "does not fit" in found.reason and "of weights per accelerator" in found.reason
    assert {e.row.split()[0] for e in found.evidence} == {"accelerators", "llms"}
