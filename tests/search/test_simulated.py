"""A plan under a trace: against the simulator by hand, and what must hold for any of them."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from planner.catalog import Catalog
from planner.errors import WorkloadError
from planner.models.arrivals import STEADY, draw
from planner.models.pairing import rank_correlation
from planner.models.routing import ROUTERS
from planner.models.simulate import Result
from planner.models.traffic import Blocks, Trace
from planner.schema import RouterName, Simulated, Slo, Workload
from planner.search.margins import margin
from planner.search.observed import windows, within, worst_tail
from planner.search.offered import Offered, offer
from planner.search.plan import plan
from planner.search.question import Question
from planner.search.replay import Server, build_server, percentile, replay, server_of
from planner.search.simulated import _of_the_cache, simulate
from planner.traces import load_trace
from planner.workloads import load_workload

PLAIN = {"limits.accelerators": ["h200-sxm-141gb"], "limits.engines": ["vllm"], "limits.max_gpus_per_replica": 8}


def question(name: str = "chat", **fields: object) -> Workload:
    return load_workload(name, {**PLAIN, **{key.replace("__", "."): value for key, value in fields.items()}})


@pytest.fixture(scope="module")
def part(catalog: Catalog, tmp_path_factory: pytest.TempPathFactory) -> str:
    """Ten minutes of conversations as a file: 3,000 requests."""
    file = tmp_path_factory.mktemp("trace") / "part.csv"
    some = load_trace("azure-conv", catalog).window(600, 1200)
    columns = (some.arrivals_s.tolist(), some.input_tokens.tolist(), some.output_tokens.tolist())
    rows = "".join(f"{time!r},{prompt},{answer}\n" for time, prompt, answer in zip(*columns, strict=True))
    file.write_text("arrival_s,input_tokens,output_tokens\n" + rows)
    return str(file)


@pytest.fixture(scope="module")
def conversation(catalog: Catalog, part: str) -> Simulated:
    return simulate(question(traffic__trace=part), catalog)


@pytest.fixture(scope="module")
def server(catalog: Catalog) -> Server:
    chosen = plan(question(), catalog).plans[0]
    lengths = Trace("mean", np.array([0.0]), np.array([1000]), np.array([100]))
    return server_of(chosen, catalog, lengths, 0.0)


def test_figures_agree_with_one_another(conversation: Simulated) -> None:
    found = conversation
    assert 2500 < found.requests == sum(window.requests for window in found.windows)
    assert found.traffic.rate_per_s == pytest.approx(5.53)
    for times in (found.ttft_s, found.tpot_s, found.e2e_s):
        assert times is not None and 0 < times.p50 <= times.p90 <= times.p99
    assert found.slo_met == (found.ttft_s.p99 <= 2 and found.tpot_s is not None and found.tpot_s.p99 <= 0.05)
    kept = sum((window.slo_attainment or 0) * window.requests for window in found.windows) / found.requests
    assert found.slo_attainment == pytest.approx(kept)
    assert found.goodput_per_s == pytest.approx(found.slo_attainment * found.traffic.rate_per_s, rel=1e-3)
    assert found.spread.ttft_p99_s[0] <= found.ttft_s.p99 <= found.spread.ttft_p99_s[1]
    assert found.utilisation == pytest.approx(found.traffic.rate_per_s / found.margin.rate_per_s)
    assert found.slo_met == (found.margin.rate_ratio >= 1)


def test_the_same_question_has_the_same_answer(catalog: Catalog, conversation: Simulated, part: str) -> None:
    again = simulate(question(traffic__trace=part), catalog)
    assert again.model_copy(update={"wall_s": 0.0}) == conversation.model_copy(update={"wall_s": 0.0})


@pytest.mark.parametrize(("factor", "met"), [(0.97, True), (1.05, False)])
def test_the_margin_is_where_the_promise_breaks(
    catalog: Catalog, conversation: Simulated, server: Server, part: str, factor: float, met: bool
) -> None:
    trace = offer(question(traffic__trace=part), catalog, False, 0).trace
    engine = server_of(plan(question(), catalog).plans[0], catalog, trace, 0.0)
    run = replay(engine, trace.at_rate(factor * conversation.margin.rate_per_s), conversation.fleet.replicas)
    assert (worst_tail(run, question().slo).ratio <= 1) is met


def test_a_lone_request_takes_its_steps(server: Server) -> None:
    one = Trace("one", np.array([0.0]), np.array([1000]), np.array([3]))
    run = replay(server, one, 1)
    prompt_s = server.times.step_s(0, 0, 1000, 1000 * 500.0, 1000)
    decode_s = server.times.step_s(1, 1000, 0, 0.0, 0) + server.times.step_s(1, 1001, 0, 0.0, 0)
    around_s = server.ingest_s + server.first_token_steps * decode_s / 2
    assert run.ttft_s[0] == pytest.approx(prompt_s + around_s)
    assert run.tpot_s[0] == pytest.approx(decode_s / 2)
    assert run.e2e_s[0] == pytest.approx(prompt_s + decode_s + around_s)


def test_ranks_take_turns(server: Server) -> None:
    """Four requests at once on four ranks: each is alone."""
    many = Trace("four", np.zeros(4), np.full(4, 1000), np.full(4, 3))
    alone = replay(server, many.keep(np.arange(4) == 0), 1)
    assert replay(server, many, 4).ttft_s == pytest.approx(np.full(4, alone.ttft_s[0]))
    assert len(replay(server, many, 4, most_ranks=2).ttft_s) == 2


def test_more_replicas_never_break_what_fewer_keep(server: Server) -> None:
    times = np.cumsum(np.random.default_rng(3).exponential(1 / 40, 3000))
    busy = Trace("busy", times, np.full(3000, 1000), np.full(3000, 100))
    slo = Slo(ttft_p99_s=1.0, tpot_p99_s=0.05)
    tails = [worst_tail(replay(server, busy, n), slo).ratio for n in (1, 2, 4, 8)]
    assert tails == sorted(tails, reverse=True)
    found = margin(server, busy, 2, slo)
    assert found.replicas_needed is not None
    assert worst_tail(replay(server, busy, found.replicas_needed), slo).ratio <= 1


def test_what_nothing_holds_is_said(server: Server) -> None:
    times = np.arange(200) / 5
    few = Trace("few", times, np.full(200, 8000), np.full(200, 20))
    found = margin(server, few, 2, Slo(ttft_p99_s=0.01, tpot_p99_s=0.05))
    assert (found.replicas_needed, found.rate_per_s, found.limit) == (None, 0.0, "ttft")
    assert found.at_rest_s > 0.01


def test_windows_hold_every_request_once() -> None:
    start_s = np.array([0.0, 1.0, 59.0, 61.0, 125.0])
    ttft_s, tpot_s = np.array([0.1, 0.1, 0.1, 3.0, 0.1]), np.array([0.01, np.nan, 0.2, 0.01, 0.01])
    run = Result(start_s, start_s + 1, ttft_s, tpot_s, np.ones(5))
    slo = Slo(ttft_p99_s=1.0, tpot_p99_s=0.1)
    assert within(run, slo).tolist() == [True, True, False, False, True]
    found = windows(run, slo, 125.0)
    assert [window.requests for window in found] == [2, *[0] * 10, 1, 1, *[0] * 11, 1]  # of 5 s
    assert found[-1].end_s == 125.0
    assert worst_tail(run, slo).metric == "ttft"


def test_requests_beyond_the_context_are_refused_or_counted(catalog: Catalog, tmp_path: Path) -> None:
    file = tmp_path / "long.csv"
    file.write_text("arrival_s,input_tokens,output_tokens\n" + "".join(f"{i},{500},{20}\n" for i in range(40))
                    + "40,200000,5\n")  # fmt: skip
    asked = question(traffic__trace=str(file))
    with pytest.raises(WorkloadError, match=r"1 of 41 requests exceed the 163,840-token context of deepseek-r1") as no:
        simulate(asked, catalog)
    assert "--drop-longer" in str(no.value) and "takes" in str(no.value)
    found = simulate(asked, catalog, drop_longer=True)
    assert (found.requests, found.refused) == (40, 1)
    assert found.slo_attainment <= 40 / 41
    assert {one.kind for one in found.remarks} >= {"refused", "short", "recorded_lengths", "scaled_in_rate"}


def test_the_default_trace_lends_times_alone(catalog: Catalog) -> None:
    found = offer(question("default"), catalog, False, 0)
    assert {one.kind for one in found.remarks} == {"default_trace", "scaled_lengths", "scaled_in_rate"}
    assert found.trace.input_tokens.mean() == pytest.approx(2000, rel=1e-3)
    assert found.trace.output_tokens.mean() == pytest.approx(1000, rel=1e-3)
    assert found.trace.rate_per_s == pytest.approx(5.0)


def test_a_poisson_source_warns_with_measured_figures(catalog: Catalog) -> None:
    found = simulate(question(traffic__arrivals="poisson", traffic__rate_per_s=1), catalog, seed=4)
    (warning,) = [one for one in found.remarks if one.kind == "poisson"]
    assert warning.warning and "Do not size with them" in warning.text
    assert (warning.values["low_trace"], warning.values["high_trace"]) == ("azure-conv", "azure-code")
    assert found.traffic.dispersion["60"] == pytest.approx(1.0, abs=0.6)  # 83 minutes: a sixth is one sigma
    assert (found.spread.kind, found.spread.parts, found.traffic.arrivals) == ("seeds", 5, "poisson")
    again = simulate(question(traffic__arrivals="poisson", traffic__rate_per_s=1), catalog, seed=4)
    assert again.model_copy(update={"wall_s": 0.0}) == found.model_copy(update={"wall_s": 0.0})
    assert (
        simulate(question(traffic__arrivals="poisson", traffic__rate_per_s=1), catalog, seed=5).ttft_s != found.ttft_s
    )


def test_bursts_are_drawn_as_dispersed_as_recorded(catalog: Catalog) -> None:
    found = offer(question(traffic__arrivals="mmpp"), catalog, False, 1)
    assert found.arrivals == "mmpp" and found.redraw is not None
    assert found.trace.rate_per_s == pytest.approx(5.53, rel=0.05)
    pairs = {*zip(*(column.tolist() for column in (found.trace.input_tokens, found.trace.output_tokens)), strict=True)}
    recorded = offer(question(), catalog, False, 0).trace
    known = {*zip(*(column.tolist() for column in (recorded.input_tokens, recorded.output_tokens)), strict=True)}
    assert pairs <= known  # prompt and answer are drawn together


def test_a_profile_is_followed_or_cut(catalog: Catalog) -> None:
    asked = question(traffic__profile="servegen-r1-day")
    day = offer(asked, catalog, False, 0)
    assert (day.arrivals, day.profile, day.trace.duration_s) == ("mmpp", "servegen-r1-day", 86_400.0)
    assert day.trace.rate_per_s == pytest.approx(5.53, rel=0.02)
    busy = offer(asked, catalog, False, 0, busiest_h=2)
    assert busy.trace.duration_s == 7200.0
    assert {one.kind for one in busy.remarks} >= {"profile", "busiest", "mmpp"}
    assert busy.trace.rate_per_s == pytest.approx(5.53 * 1.915, rel=0.02)


def test_a_week_of_everything_is_refused_with_its_limit(catalog: Catalog) -> None:
    asked = question(traffic__profile="servegen-large", traffic__rate_per_s=200)
    with pytest.raises(
        WorkloadError, match=r"168 h at 200 requests/s are .* Allowed: 2,000,000 .*\n .* --busiest 2\.8"
    ):
        offer(asked, catalog, False, 0)
    with pytest.raises(WorkloadError, match="--busiest cuts a rate profile"):
        offer(question(), catalog, False, 0, busiest_h=2)
    with pytest.raises(WorkloadError, match=r"19,366 requests\. Allowed here: 1,000"):
        offer(question(), catalog, False, 0, most=1000)
    with pytest.raises(WorkloadError, match="times of a trace cannot follow a profile"):
        question(traffic__profile="servegen-r1-day", traffic__arrivals="trace")


def test_some_ranks_stand_for_a_large_fleet(catalog: Catalog) -> None:
    asked = question(traffic__profile="servegen-r1-day", traffic__arrivals="poisson", traffic__rate_per_s=40)
    whole = offer(asked, catalog, False, 0, 1, 2_000_000, 40)
    some = offer(asked, catalog, False, 0, 1, 20_000, 40)
    assert whole.kept is None and some.kept is not None and 1 <= some.kept < 40
    assert some.share == pytest.approx(some.kept / 40, rel=0.02)
    assert some.trace.rate_per_s / some.share == pytest.approx(whole.trace.rate_per_s, rel=0.02)
    found = simulate(asked, catalog, replicas=60, busiest_h=1, most_requests=8_000)
    assert found.requests < 8_000 and found.simulated_share < 0.5
    assert found.traffic.rate_per_s == pytest.approx(whole.trace.rate_per_s, rel=0.05)
    assert found.windows[0].rate_per_s == pytest.approx(whole.trace.rate_per_s, rel=0.3)
    assert "some_ranks" in {one.kind for one in found.remarks}


def test_silent_steps_of_a_profile_are_told(catalog: Catalog) -> None:
    found = offer(question(traffic__profile="servegen-mid", traffic__rate_per_s=1), catalog, False, 0)
    assert [one.kind for one in found.remarks if one.warning] == ["profile_gaps"]


def test_lengths_of_another_source(catalog: Catalog) -> None:
    found = offer(question(traffic__lengths="arxiv-lengths"), catalog, False, 0)
    assert found.trace.input_tokens.mean() == pytest.approx(2588, rel=0.02)
    assert found.trace.output_tokens.mean() == pytest.approx(291, rel=0.05)


def test_held_rates_are_what_the_simulation_says(catalog: Catalog) -> None:
    """The largest Poisson factor, made anew from one seed where the catalog has the mean of ten."""
    trace = load_trace("azure-code", catalog)
    rates = {row.arrivals: row.rate_per_s for row in catalog.held_rates if row.trace == trace.name}
    slo = Slo(ttft_p99_s=1.0, tpot_p99_s=0.05)
    asked = Question(llm="llama-3.1-8b", accelerator="h100-sxm-80gb", gpus=1, input_tokens=2048, output_tokens=28)
    engine = build_server(asked, catalog)
    assert margin(engine, trace, 1, slo).rate_per_s == pytest.approx(rates["trace"], rel=0.03)
    times = draw(STEADY, trace.rate_per_s, trace.duration_s, np.random.default_rng(0))
    at = np.arange(len(times)) % len(trace)
    poisson = Trace("poisson", times, trace.input_tokens[at], trace.output_tokens[at])
    assert margin(engine, poisson, 1, slo).rate_per_s == pytest.approx(rates["poisson"], rel=0.1)  # 8 % over ten seeds


def test_a_closed_loop_has_no_times(catalog: Catalog) -> None:
    with pytest.raises(WorkloadError, match=r"traffic\.concurrency 2000"):
        simulate(load_workload("2000-concurrent"), catalog)


def test_a_trace_that_stands_still_is_refused(catalog: Catalog, tmp_path: Path) -> None:
    file = tmp_path / "still.csv"
    file.write_text("arrival_s,input_tokens,output_tokens\n5,10,10\n5,10,10\n")
    with pytest.raises(WorkloadError, match="no rate to scale"):
        simulate(question(traffic__trace=str(file)), catalog)


def test_prefix_blocks_are_cached(catalog: Catalog) -> None:
    found = simulate(question(traffic__trace="mooncake"), catalog, drop_longer=True)
    kinds = {one.kind for one in found.remarks}
    assert {"synthetic_trace", "blocks", "context", "refused", "unconfirmed"} <= kinds
    assert found.requests + found.refused == 3993
    assert 0.05 < found.prefix_hit_share < 0.65  # an unbounded cache of all replicas would find 65 %
    scaled = simulate(question(traffic__trace="mooncake", traffic__lengths="scaled"), catalog)
    assert "blocks_unused" in {one.kind for one in scaled.remarks} and scaled.prefix_hit_share == 0


def test_blocks_by_hand(server: Server) -> None:
    """The second prompt shares one of its two blocks of 512 with the first, which is long done."""
    blocks = Blocks(np.array([7, 8, 7, 9]), np.array([0, 2, 4]), 512)
    two = Trace("two", np.array([0.0, 100.0]), np.array([1024, 1024]), np.array([5, 5]), blocks)
    run = replay(server, two, 1, kept=1)
    assert run.computed_tokens.tolist() == [1024, 512] and run.hit_share == 0.25
    assert run.ttft_s[1] < run.ttft_s[0]
    apart = replay(server, two, 1, kept=2)
    assert apart.computed_tokens.tolist() == [1024, 1024]  # another replica knows nothing of it


def test_without_sharing_a_cache_changes_nothing(server: Server) -> None:
    """The resumable replica and the loop of `simulate` are one engine."""
    times = np.cumsum(np.random.default_rng(5).exponential(0.05, 400))
    plain = Trace("plain", times, np.random.default_rng(6).integers(1, 3000, 400), np.full(400, 80))
    counts = plain.input_tokens // 512
    ids = Blocks(np.arange(counts.sum()), np.r_[0, np.cumsum(counts)], 512)
    with_blocks, without = (replay(server, trace, 2) for trace in (replace(plain, blocks=ids), plain))
    assert with_blocks.ttft_s == pytest.approx(without.ttft_s, abs=1e-9)
    assert with_blocks.e2e_s == pytest.approx(without.e2e_s, abs=1e-9)


def test_half_the_hits_are_shown(catalog: Catalog, part: str) -> None:
    found = simulate(question("rag", traffic__trace=part), catalog)
    (told,) = [one for one in found.remarks if one.kind == "half_hits"]
    assert found.prefix_hit_share == pytest.approx(0.5, abs=0.01)
    assert told.values["ttft_s"] > told.values["before_s"] == found.ttft_s.p99


@pytest.mark.parametrize("router", ["least-load", "prefix"])
def test_a_router_that_looks_is_no_worse_than_turns(server: Server, catalog: Catalog, router: RouterName) -> None:
    """Every other request is long, so that turns give them all to one of two replicas."""
    count = 400
    outputs = np.tile([400, 10], count // 2)
    uneven = Trace("uneven", np.arange(count) * 0.3, np.full(count, 900), outputs)
    server = replace(server, max_sequences=8)  # they queue
    turns, looks = (replay(server, uneven, 2, router=name) for name in ("round-robin", router))
    assert percentile(looks.ttft_s, 99) < percentile(turns.ttft_s, 99)
    assert np.isfinite(looks.finish_s).all() and len(looks.ttft_s) == count
    slo = Slo(ttft_p99_s=2.0, tpot_p99_s=1.0)
    assert margin(server, uneven, 2, slo, router=router).rate_per_s > margin(server, uneven, 2, slo).rate_per_s
    some = replay(server, uneven, 8, most_ranks=2, router=router)
    assert len(some.ttft_s) == count // 4


def test_prefixes_draw_their_requests_together(server: Server) -> None:
    """Twenty conversations of four turns, in a random order: in turn, a prefix is often on the other replica."""
    count, tokens = 400, 512
    talk = np.random.default_rng(3).integers(0, 20, count)
    ids = (talk[:, None] * 2 + np.arange(2)).ravel()
    blocks = Blocks(ids, np.arange(count + 1) * 2, tokens)
    trace = Trace("talks", np.arange(count) * 0.5, np.full(count, 1100), np.full(count, 20), blocks)
    hits = {name: replay(server, trace, 8, router=name).hit_share for name in ROUTERS}
    assert hits["prefix"] > hits["round-robin"] + 0.1 and hits["prefix"] > hits["least-load"]


def test_a_router_of_prefixes_says_where_it_sees_none(server: Server) -> None:
    trace = Trace("plain", np.array([0.0, 1.0]), np.array([100, 100]), np.array([10, 10]))
    offered, run = Offered("plain", None, "trace", trace, 0, ()), replay(server, trace, 1)
    told = {router: _of_the_cache(offered, server, 1, run, router) for router in ROUTERS}
    assert [one.kind for one in told["prefix"]] == ["router_without_blocks"]
    assert not told["round-robin"] and not told["least-load"]


def test_lengths_of_statistics(catalog: Catalog) -> None:
    """What is stated holds, what is not is the trace's own."""
    stated = {"traffic.input_cv": 0.8, "traffic.output_cv": 0.5, "traffic.rank_correlation": 0.6}
    asked = load_workload("chat", {"traffic.lengths": "statistics", **stated})
    found = offer(asked, catalog, True, 0)
    prompts, answers = found.trace.input_tokens, found.trace.output_tokens
    assert prompts.mean() == pytest.approx(asked.traffic.input_tokens, rel=0.01)
    assert answers.mean() == pytest.approx(asked.traffic.output_tokens, rel=0.01)
    assert prompts.std() / prompts.mean() == pytest.approx(0.8, abs=0.02)
    assert rank_correlation(prompts, answers) == pytest.approx(0.6, abs=0.02)
    recorded = load_trace("azure-conv", catalog)
    own = offer(load_workload("chat", {"traffic.lengths": "statistics"}), catalog, True, 0).trace
    ties = rank_correlation(recorded.input_tokens, recorded.output_tokens)
    assert rank_correlation(own.input_tokens, own.output_tokens) == pytest.approx(ties, abs=0.02)


def test_another_pairing_keeps_both_sets_of_lengths(catalog: Catalog) -> None:
    asked = load_workload("chat", {"traffic.trace": "azure-conv", "traffic.rank_correlation": -0.5})
    found, recorded = offer(asked, catalog, True, 0), load_trace("azure-conv", catalog)
    assert (found.trace.input_tokens == recorded.input_tokens).all()
    assert sorted(found.trace.output_tokens) == sorted(recorded.output_tokens)
    assert rank_correlation(found.trace.input_tokens, found.trace.output_tokens) == pytest.approx(-0.5, abs=0.02)
    assert "paired" in [one.kind for one in found.remarks]


def test_a_stated_spread_holds_in_a_simulation_too(catalog: Catalog) -> None:
    found = offer(load_workload("chat", {"traffic.input_cv": 0.4}), catalog, True, 0).trace.input_tokens
    assert found.std() / found.mean() == pytest.approx(0.4, abs=0.01)


def test_a_trace_squeezed_into_moments_is_shown_to_some_ranks(catalog: Catalog, part: str) -> None:
    """At 20,000 requests a second ten minutes are over in 0.15 s: a fleet sized by it would never fill."""
    asked = question(traffic__trace=part, traffic__rate_per_s=20_000.0)
    found = simulate(asked, catalog, replicas=3000)
    told = {one.kind: one for one in found.remarks}
    assert "squeezed" in told
    scaled = found.traffic.duration_s / 600  # as it is replayed to some ranks
    assert told["scaled_in_rate"].values["longer"] == pytest.approx(scaled, rel=0.01)
    assert found.traffic.rate_per_s == pytest.approx(20_000, rel=1e-6)
    assert found.simulated_share < 0.01 and found.traffic.duration_s > 10
    few = simulate(question(traffic__trace=part, traffic__rate_per_s=20_000.0 / 1000), catalog, replicas=3)
    assert found.margin.rate_ratio == pytest.approx(few.margin.rate_ratio, rel=0.3)
