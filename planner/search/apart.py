"""A plan's engines in two pools: some compute prompts, others answer, and groups of both are what is bought.

The layout of an engine stays that of the plan. How many groups keep the promise is found by simulating both pools
under the workload's requests; means come from the closed forms of `planner.search.disaggregated`, money and spares
from the plan's own offer.
"""

from __future__ import annotations

import math
from dataclasses import dataclass, replace
from typing import Literal

import numpy as np

from planner.catalog import Catalog
from planner.errors import Message, WorkloadError
from planner.models import cash
from planner.models.engine import Limits
from planner.models.pools import Pool as Replicas
from planner.models.pools import Transfer, simulate_pools
from planner.models.simulate import Result
from planner.schema import Cost, Estimate, Plan, PlanResult, Pool, Sizing, SloResult, Workload
from planner.search import disaggregated
from planner.search.choose import at_rate
from planner.search.columns import KV, WEIGHTS
from planner.search.demand import Demand, demand
from planner.search.metrics import basis_of
from planner.search.observed import Tail, worst_tail
from planner.search.offers import Offer
from planner.search.price import PARTS, Priced, fleets, price, size
from planner.search.question import Question
from planner.search.replay import Server, known_tokens, server_of
from planner.search.replica import REQUESTS, busiest, fitting, held_ratio, repeated
from planner.search.sizing import sizing_of
from planner.search.study import Study, evaluate
from planner.units import HOURS_PER_MONTH

MOST_GROUPS = 4  # times what closed forms say; beyond it the promise is out of reach
MOST_USERS = 2**14
Roles = tuple[int, int]


@dataclass(frozen=True)
class Group:
    """One prefill and one decode pool under their share of the requests.

    Attributes
    ----------
    server : one attention rank of an engine, either pool's
    engines : engines that compute prompts, and that answer [-]
    transfer : what a cache takes from one to the other
    traffic : what arrives at all groups
    """

    server: Server
    engines: Roles
    transfer: Transfer
    traffic: Demand

    def at(self, groups: int, ratio: float) -> Result:
        """What users see of one of so many groups at `ratio` times the asked load."""
        trace = fitting(self.traffic.trace, self.server.kv_tokens)
        at = np.arange(REQUESTS) * groups
        arrivals_s, row = repeated(trace, ratio, busiest(trace.arrivals_s, int(at[-1]) + 1), at)
        inputs, outputs = trace.input_tokens[row], trace.output_tokens[row]
        prefill, decode = (self._pool(count) for count in self.engines)
        known = known_tokens(self.server, inputs)
        return self._felt(simulate_pools(prefill, decode, self.transfer, arrivals_s, inputs, outputs, known))

    def _pool(self, engines: int) -> Replicas:
        server = self.server
        limits = Limits(server.max_sequences, server.budget_tokens, server.kv_tokens, server.policy)
        return Replicas(server.times, limits, engines * server.ranks)

    def _felt(self, run: Result) -> Result:
        """Ingestion and the steps around a first token added; one of them is in the simulation."""
        steps, known = max(self.server.first_token_steps, 1.0) - 1, run.tpot_s[~np.isnan(run.tpot_s)]
        around_s = self.server.ingest_s + steps * (float(known.mean()) if len(known) else 0.0)
        return Result(run.start_s, run.finish_s + around_s, run.ttft_s + around_s, run.tpot_s, run.e2e_s + around_s)


def two_pools(result: PlanResult, rank: int, catalog: Catalog, engines: Roles) -> PlanResult:
    """The answer with one of its plans in two pools.

    Parameters
    ----------
    engines : engines that compute prompts and that answer, in one group [-]

    Raises
    ------
    WorkloadError
        For a plan or a workload that two pools are not modelled for, or where they cannot keep the promise.
    """
    plan, workload = next(p for p in result.plans if p.rank == rank), result.workload
    _refuse(plan, workload, engines)
    study = evaluate(workload, catalog)
    traffic = demand(workload, catalog, catalog.llms[plan.llm].max_context_tokens)
    full = disaggregated.estimate(catalog, _question(plan, workload, engines, 64))
    group = Group(
        server_of(plan, catalog, traffic.trace, workload.traffic.prefix_hit_rate),
        engines,
        _transfer(full, workload),
        traffic,
    )
    headroom = catalog.parameter("headroom").value
    screened = _screened(full, workload, headroom)
    groups = _groups(group, plan, workload, screened, headroom)
    found = _at_load(catalog, plan, workload, engines, groups)
    sizing = _sizing(study, plan, group, groups, screened, headroom)
    priced, offer = _priced(study, plan, found, groups, sum(engines))
    apart = _plan(plan, study, found, sizing, priced, offer, engines, groups)
    return result.model_copy(update={"plans": (apart,)})


def _refuse(plan: Plan, workload: Workload, engines: Roles) -> None:
    if workload.traffic.rate_per_s is None:
        raise WorkloadError("two pools are sized for a rate, not for users who wait.\n  Give --rate.")
    if min(engines) < 1:
        raise WorkloadError(
            "--pools {prefill}:{decode}: each pool needs an engine at least, such as 1:1.",
            prefill=engines[0],
            decode=engines[1],
        )
    if plan.layout.pp > 1 or plan.engine == "tensorrt-llm":
        why = Message("a pipeline") if plan.layout.pp > 1 else "TensorRT-LLM"
        raise WorkloadError(
            "{title}: two pools are not modelled with {why}.\n"
            "  Choose another --plan, or --engine vllm, --engine sglang or a smaller --max-gpus.",
            title=plan.title,
            why=why,
        )


def _question(plan: Plan, workload: Workload, engines: Roles, users: int) -> Question:
    layout, traffic = plan.layout, workload.traffic
    return Question(
        llm=plan.llm,
        accelerator=plan.accelerator,
        engine=plan.engine,
        weights=layout.weights,
        kv=layout.kv,
        tp=layout.tp,
        dp=layout.dp,
        ep=layout.ep,
        mode="disaggregated",
        prefill_gpus=engines[0] * plan.gpus_per_replica,
        decode_gpus=engines[1] * plan.gpus_per_replica,
        prefill_tp=layout.tp,
        prefill_dp=layout.dp,
        prefill_ep=layout.ep,
        input_tokens=traffic.input_tokens,
        output_tokens=traffic.output_tokens,
        prefix_hit_rate=traffic.prefix_hit_rate,
        concurrency=users,
        site=workload.site,
    )


def _transfer(full: Estimate, workload: Workload) -> Transfer:
    """Caches move at the rate of the mean prompt's, its latency within."""
    assert full.disaggregation is not None
    return Transfer(0.0, full.disaggregation.transfer_s / workload.traffic.input_tokens)


def _screened(full: Estimate, workload: Workload, headroom: float) -> int:
    """Groups that both pools' limits ask for, whatever the promise. [-]"""
    assert full.disaggregation is not None and workload.traffic.rate_per_s is not None
    most = min(full.disaggregation.prefill_limit_per_s, full.disaggregation.decode_limit_per_s)
    return max(math.ceil(workload.traffic.rate_per_s / headroom / most), 1)


def _groups(group: Group, plan: Plan, workload: Workload, screened: int, headroom: float) -> int:
    """Fewest groups that keep the promise at the asked load over the headroom. [-]"""
    for groups in range(screened, MOST_GROUPS * screened + 1):
        tail = worst_tail(group.at(groups, 1 / headroom), workload.slo)
        if tail.ratio <= 1:
            return groups
    raise WorkloadError(
        "{title}: {groups} groups of {prefill} prefill and {decode} decode engines break the "
        "promise: {metric} {p99_s:.3g} s.\n"
        "  Choose other --pools, or relax [slo].",
        title=plan.title,
        groups=MOST_GROUPS * screened,
        prefill=group.engines[0],
        decode=group.engines[1],
        metric=tail.metric,
        p99_s=tail.p99_s,
    )


def _at_load(catalog: Catalog, plan: Plan, workload: Workload, engines: Roles, groups: int) -> Estimate:
    """Means at the number of users that send the asked rate: halving, as the rate rises with them."""
    assert workload.traffic.rate_per_s is not None
    wanted, low, high = workload.traffic.rate_per_s / groups, 0, MOST_USERS
    while high - low > 1:
        middle = (low + high) // 2
        served = disaggregated.estimate(catalog, _question(plan, workload, engines, middle)).serving
        low, high = (middle, high) if served.requests_per_s < wanted else (low, middle)
    return disaggregated.estimate(catalog, _question(plan, workload, engines, high))


def _sizing(study: Study, plan: Plan, group: Group, groups: int, screened: int, headroom: float) -> Sizing:
    traffic, slo = study.workload.traffic, study.workload.slo

    def tail_at(ratio: float) -> Tail:
        return worst_tail(group.at(groups, ratio), slo)

    return sizing_of(
        group.at(groups, 1.0),
        group.traffic,
        traffic,
        "round-robin",
        groups,
        screened,
        headroom,
        held_ratio(tail_at, 1 / headroom),
        basis_of(study.catalog, plan.accelerator, plan.layout.weights, plan.llm, plan.engine),
    )


def _priced(study: Study, plan: Plan, found: Estimate, groups: int, engines: int) -> tuple[Priced, Offer]:
    """The plan's own offer for groups that fail, and are replaced, as a whole."""
    c, layout, unit = study.candidates, plan.layout, plan.supply[0]
    names = (np.array(c.accelerator_ids)[c.accelerator], np.array(c.engine_ids)[c.engine])
    columns = (*names, c.weights, c.kv, c.tp, c.dp, c.pp, c.ep)
    wanted = (
        plan.accelerator,
        plan.engine,
        WEIGHTS.index(layout.weights),
        KV.index(layout.kv),
        layout.tp,
        layout.dp,
        layout.pp,
        layout.ep,
    )
    row = np.flatnonzero(np.logical_and.reduce([col == want for col, want in zip(columns, wanted, strict=True)]))
    facts = ("option", "term", "provider", "instance_type", "region", "usd_per_hour")
    offered = study.offers.get(plan.accelerator, [])
    same = [o for o in offered if all(getattr(o, fact) == getattr(unit, fact) for fact in facts)]
    if not len(row) or not same:
        raise WorkloadError(
            "{title}: the catalogs no longer hold this plan at its price.\n  Next: plan again.", title=plan.title
        )
    one = c.take(row)
    whole = replace(study, candidates=replace(one, dp=one.dp * engines))
    count = np.array([groups])
    load = at_rate(study, row, count, study.workload.traffic.rate_per_s or 0.0)
    load = replace(load, gpu_w=np.array([math.nan if found.power.gpu_w is None else found.power.gpu_w]))
    only, offer = np.array([0]), same[0]
    ready = fleets(whole, only, count, offer.option)
    sized = size(study.catalog.accelerators[plan.accelerator], ready, only, offer.accelerators)
    priced = price(whole, only, sized, offer, load)
    if priced is None or not priced.reached[0]:
        raise WorkloadError(
            "{title} in two pools: {provider} {instance_type} reaches no availability of "
            "{availability:g} with groups of {gpus} accelerators.\n"
            "  Allow another --supply, or lower --availability.",
            title=plan.title,
            provider=unit.provider,
            instance_type=unit.instance_type,
            availability=study.workload.slo.availability,
            gpus=whole.candidates.gpus[0],
        )
    return priced, same[0]


def _plan(
    plan: Plan,
    study: Study,
    found: Estimate,
    sizing: Sizing,
    priced: Priced,
    offer: Offer,
    engines: Roles,
    groups: int,
) -> Plan:
    layout = plan.layout.model_copy(update={"mode": "disaggregated"})
    each, nodes = plan.gpus_per_replica, plan.nodes_per_replica
    roles: tuple[tuple[Literal["prefill", "decode"], int], ...] = (("prefill", engines[0]), ("decode", engines[1]))
    pools = tuple(
        Pool(role=role, layout=layout, replicas=count, gpus_per_replica=each, nodes_per_replica=nodes)
        for role, count in roles
    )
    spares, units, count = int(priced.spares[0]), int(priced.units[0]), sum(engines)
    tpot_s = sizing.tpot_s.p99 if sizing.tpot_s else found.serving.tpot_s
    name = study.catalog.accelerators[plan.accelerator].name
    split = f"{engines[0] * each} prefill and {engines[1] * each} decode"
    return plan.model_copy(
        update={
            "rank": 1,
            "title": f"{each * count} × {name}, {layout.weights.upper()}, {split}, TP{layout.tp} DP{layout.dp}",
            "layout": layout,
            "pools": pools,
            "gpus_per_replica": each * count,
            "nodes_per_replica": nodes * count,
            "replicas": groups,
            "spares": spares,
            "gpus_total": each * count * (groups + spares),
            "supply": (plan.supply[0].model_copy(update={"units": units}),),
            "memory": found.memory,
            "serving": found.serving.model_copy(update={"utilisation": 1 / sizing.margin}),
            "slo": SloResult(ttft_p99_s=sizing.ttft_s.p99, tpot_p99_s=tpot_s, met=True),
            "sizing": sizing,
            "power": found.power,
            "cost": _cost(study.workload, priced, offer, units),
            "availability": float(priced.ready[0]),
            "pareto": False,
            "basis": found.basis,
            "band": found.band,
        }
    )


def _cost(workload: Workload, priced: Priced, offer: Offer, units: int) -> Cost:
    parts = {name: float(usd) for name, usd in zip(PARTS, priced.parts[:, 0], strict=True) if usd}
    monthly, capital = sum(parts.values()), offer.capital_usd * units
    running = monthly - parts.get("capital", 0.0)
    left = workload.ownership.residual_share * capital
    paid = cash.payments_usd(capital, left, running, workload.horizon_years)
    tokens = (workload.traffic.rate_per_s or 0.0) * workload.traffic.output_tokens * HOURS_PER_MONTH * 3600
    return Cost(
        usd_per_month=monthly,
        usd_per_million_output_tokens=monthly / tokens * 1e6,
        npv_usd=cash.present_usd(paid, workload.discount_rate),
        horizon_years=workload.horizon_years,
        parts_usd_per_month=parts,
    )
