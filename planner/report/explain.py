"""Each headline number with its formula, its inputs, where they come from, and its band."""

from __future__ import annotations

from planner.catalog import Catalog
from planner.report import bands
from planner.schema import Accelerator, Assumption, Plan, PlanResult, Strict
from planner.search.learned import scope_for
from planner.search.metrics import assumptions, band_row
from planner.units import percent, si, usd

POWER = (
    "power_limit_share",
    "power_awake_share",
    "power_busy_share",
    "power_memory_j_per_byte",
    "power_compute_share",
    "power_rank_loss",
    "power_most_ranks",
)


class Explanation(Strict):
    """How one number comes about."""

    name: str
    value: str
    formula: str
    inputs: tuple[Assumption, ...]
    band: str


def explain(result: PlanResult, catalog: Catalog, rank: int = 1) -> tuple[Explanation, ...]:
    """Explain the headline numbers of one plan.

    Raises
    ------
    IndexError
        If there is no plan of that rank.
    """
    plan = result.plans[rank - 1]
    row = catalog.accelerators[plan.accelerator]
    return (
        _ttft(result, catalog, plan, row),
        _tpot(result, catalog, plan, row),
        _replicas(result, catalog, plan),
        _memory(catalog, plan, row),
        _power(catalog, plan, row, result),
        _availability(catalog, plan),
        _month(catalog, plan),
        _unit_cost(result, plan),
    )


def _ttft(result: PlanResult, catalog: Catalog, plan: Plan, row: Accelerator) -> Explanation:
    traffic = result.workload.traffic
    return Explanation(
        name="P99 TTFT",
        value=si(plan.slo.ttft_p99_s, "s"),
        formula="ingest + a running step + queue of prompts (M/G/1 at the busy rate, exponential tail) "
        "+ overhead × prompt time of the longest percentile; excesses over the means add in quadrature",
        inputs=(
            _given("prompt tokens, mean", traffic.input_tokens, "token"),
            *_scoped(catalog, *((name, _own(catalog, name, plan)) for name in ("ingest_s", "prompt_overhead"))),
            *_parameters(catalog, "input_p99_ratio", "input_cv", "burst_factor"),
            _fact(row, plan.accelerator, "peak_flops_per_s", row.peak_flops_per_s.get("bf16"), "FLOP/s, bf16"),
        ),
        band=_band("measured over predicted mean TTFT", catalog, "ttft", plan),
    )


def _tpot(result: PlanResult, catalog: Catalog, plan: Plan, row: Accelerator) -> Explanation:
    return Explanation(
        name="P99 TPOT",
        value=si(plan.slo.tpot_p99_s, "s"),
        formula="step time at the 99th percentile of running sequences, B + 2.33 √B; a step is, per operator, "
        "cube-norm(bytes / bandwidth reached, FLOP / peak reached) + collectives + host time, "
        "plus the prompts that interrupt it",
        inputs=(
            _given("running sequences per replica, mean", round(plan.serving.running_sequences, 1), "-"),
            _fact(row, plan.accelerator, "bandwidth_bytes_per_s", row.bandwidth_bytes_per_s, "B/s"),
            *_scoped(
                catalog,
                ("gemm_memory_efficiency", plan.layout.weights),
                ("moe_memory_efficiency", ""),
                ("kv_memory_efficiency", ""),
                ("host_layer_s", ""),
                ("interference_share", ""),
                ("time_factor", _own(catalog, "time_factor", plan, row.architecture.split()[0])),
            ),
        ),
        band=_band("measured over predicted mean TPOT", catalog, "tpot", plan),
    )


def _replicas(result: PlanResult, catalog: Catalog, plan: Plan) -> Explanation:
    traffic = result.workload.traffic
    load = traffic.rate_per_s if traffic.rate_per_s is not None else traffic.concurrency
    unit = "1/s" if traffic.rate_per_s is not None else "requests"
    return Explanation(
        name="Replicas",
        value=f"{plan.replicas} + {plan.spares}",
        formula="⌈ load × burst factor ÷ (headroom × largest load that one replica holds within the promise) ⌉, "
        "plus the fewest spares that reach the availability",
        inputs=(
            _given("load of the fleet", load or 0, unit),
            _given("utilisation of a replica at the mean load", round(plan.serving.utilisation, 3), "-"),
            *_parameters(catalog, "burst_factor", "headroom"),
        ),
        band="an error of x % in throughput moves this by x %",
    )


def _memory(catalog: Catalog, plan: Plan, row: Accelerator) -> Explanation:
    memory = plan.memory
    return Explanation(
        name="KV cache",
        value=f"{memory.kv_capacity_tokens:,.0f} tokens per replica",
        formula="(driver-visible memory − driver reserve) × engine's share − weights − activations − reserve, "
        "÷ bytes per token and GPU, × attention-data-parallel ranks",
        inputs=(
            _fact(row, plan.accelerator, "memory_visible_bytes", row.memory_visible_bytes, "B"),
            _given("weights per GPU", memory.weights_bytes_per_gpu, "B"),
            _given("activations per GPU", memory.activation_bytes_per_gpu, "B"),
            _given("reserve per GPU", memory.reserve_bytes_per_gpu, "B"),
            _given("KV cache per token and GPU", memory.kv_bytes_per_token_per_gpu, "B"),
            *_parameters(catalog, "driver_reserve_bytes", "runtime_reserve_bytes"),
        ),
        band="measured rooms of vLLM 0.11 and 0.20 are reproduced within 5 %",
    )


def _power(catalog: Catalog, plan: Plan, row: Accelerator, result: PlanResult) -> Explanation:
    watts, site = plan.power.facility_w, catalog.site(result.workload.site)
    family = row.architecture.split()[0]
    value = "not sourced" if watts is None else si(watts * plan.replicas, "W")
    return Explanation(
        name="Facility power of the serving replicas",
        value=value,
        formula="GPUs × (idle + span × cap(awake + (busy share of time × busy + J/B × bytes/s ÷ span + compute × "
        "FLOP/s ÷ peak + expert time × experts) × exp(−loss × (TP × DP − 1))) + host) × PUE; span: idle to limit",
        inputs=(
            _fact(row, plan.accelerator, "tdp_w", row.tdp_w, "W"),
            *_scoped(
                catalog,
                *((name, family) for name in POWER),
                ("power_expert_share", plan.layout.weights),
                ("host_power_w_per_gpu", ""),
            ),
            Assumption(
                name=f"PUE of {site.id}",
                value=site.pue or "-",
                unit="-",
                source=f"{site.source} ({site.source_date})",
            ),
        ),
        band=_power_band(catalog, plan),
    )


def _availability(catalog: Catalog, plan: Plan) -> Explanation:
    scope = "own" if plan.supply[0].option == "own" else "cloud"
    return Explanation(
        name="Availability",
        value=percent(plan.availability, 3),
        formula="P(at least the needed replicas are ready), replicas independent; one replica: "
        "MTBF / (MTBF + repair), MTBF = interruption hours ÷ its GPUs",
        inputs=(
            _given("GPUs per replica", plan.gpus_per_replica, "-"),
            *_scoped(catalog, ("interruption_gpu_hours", ""), ("repair_hours", scope)),
        ),
        band="repair time is the least certain input: give your own contract's",
    )


def _month(catalog: Catalog, plan: Plan) -> Explanation:
    unit = plan.supply[0]
    parts = ", ".join(f"{name} {usd(value)}" for name, value in plan.cost.parts_usd_per_month.items())
    age = ", older than 180 days" if unit.stale else ""
    price = Assumption(
        name=f"{unit.instance_type}, {unit.term}",
        value=unit.usd_per_hour,
        unit="USD/h",
        source=f"{unit.source} ({unit.source_date}, {unit.confidence} confidence{age})",
    )
    extra = _parameters(catalog, "maintenance_share_per_year") if unit.option == "own" else ()
    return Explanation(
        name="Cost per month",
        value=usd(plan.cost.usd_per_month),
        formula="units × price per hour × 730.5 h; owned: capital-recovery factor, maintenance, energy, colocation: "
        + parts,
        inputs=(_given("units", unit.units, "-"), price, *extra),
        band="prices are dated facts; ask for quotes",
    )


def _unit_cost(result: PlanResult, plan: Plan) -> Explanation:
    return Explanation(
        name="Cost per million output tokens",
        value=usd(plan.cost.usd_per_million_output_tokens),
        formula="cost per month ÷ output tokens per month at the mean load",
        inputs=(
            _given(
                "output tokens per second of the fleet",
                round(plan.serving.output_tokens_per_s * plan.replicas, 1),
                "token/s",
            ),
            _given("cost per month", round(plan.cost.usd_per_month, 2), "USD"),
        ),
        band="follows the load that is really there: half the load, twice the cost",
    )


def _given(name: str, value: float, unit: str) -> Assumption:
    return Assumption(name=name, value=value, unit=unit, source="the workload, or computed in this plan")


def _fact(row: Accelerator, id: str, field: str, value: float | None, unit: str) -> Assumption:
    where = row.provenance(id, field)
    return Assumption(
        name=f"{id}.{field}",
        value="-" if value is None else value,
        unit=unit,
        source=f"{where.source} ({where.source_date}, {where.confidence} confidence)",
    )


def _parameters(catalog: Catalog, *names: str) -> tuple[Assumption, ...]:
    return _scoped(catalog, *((name, "") for name in names))


def _scoped(catalog: Catalog, *names: tuple[str, str]) -> tuple[Assumption, ...]:
    return assumptions(catalog, names)


def _own(catalog: Catalog, name: str, plan: Plan, otherwise: str = "") -> str:
    """Scope of the user's own figure for the set-up of a plan, if there is one."""
    return scope_for(catalog, name, (plan.accelerator, plan.llm, plan.engine), otherwise)


def _band(what: str, catalog: Catalog, metric: str, plan: Plan) -> str:
    row = band_row(catalog, metric, plan.basis, plan.engine)
    return f"80 % of {what}: {row.low:g} to {row.high:g} ({plan.basis}, n = {row.n or 'none'})"


def _power_band(catalog: Catalog, plan: Plan) -> str:
    basis = bands.power_basis(plan, catalog)
    row, span = catalog.parameter("band_power", basis), bands.facility_w(plan, catalog)
    gpu = f"80 % of measured over predicted GPU power: {row.low:g} to {row.high:g} ({basis}, n = {row.n or 'none'})"
    if span is None:
        return gpu
    return f"{gpu}; with the range of host power, {si(span[0], 'W')} to {si(span[1], 'W')}"
