"""Each headline number with its formula, its inputs, where they come from, and its band."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from typing import Protocol

from planner.catalog import Catalog
from planner.report import bands
from planner.report.words import basis_words, confidence_words, kind_words
from planner.schema import Accelerator, Assumption, Parameter, Plan, PlanResult, Strict
from planner.search.learned import scope_for
from planner.search.metrics import assumptions, band_row
from planner.units import floored, si, usd

Translate = Callable[[str], str]

POWER = (
    "power_limit_share",
    "power_awake_share",
    "power_busy_share",
    "power_memory_j_per_byte",
    "power_compute_share",
    "power_rank_loss",
    "power_most_ranks",
)


class Found(Protocol):
    """What has a source."""

    @property
    def source(self) -> str: ...
    @property
    def source_date(self) -> str: ...
    @property
    def confidence(self) -> str: ...


class Explanation(Strict):
    """How one number comes about."""

    name: str
    value: str
    formula: str
    inputs: tuple[Assumption, ...]
    band: str


def explain(result: PlanResult, catalog: Catalog, rank: int = 1, _: Translate = str) -> tuple[Explanation, ...]:
    """Explain the headline numbers of one plan, in the reader's language; names of sources stay as they were written.

    Raises
    ------
    IndexError
        If there is no plan of that rank.
    """
    plan = result.plans[rank - 1]
    row = catalog.accelerators[plan.accelerator]
    return (
        _ttft(result, catalog, plan, row, _),
        _tpot(result, catalog, plan, row, _),
        _replicas(result, catalog, plan, _),
        _memory(catalog, plan, row, _),
        _power(catalog, plan, row, result, _),
        _availability(catalog, plan, _),
        _month(catalog, plan, _),
        _unit_cost(result, plan, _),
    )


def assumption_lines(inputs: Iterable[Assumption]) -> list[str]:
    """Each input with its value, unit and source."""
    lines = []
    for one in inputs:
        value = f"{one.value:,.6g}" if isinstance(one.value, float | int) else one.value
        figure = value if one.unit == "-" else f"{value} {one.unit}"
        lines.append(f"{one.name} = {figure}: {one.source}")
    return lines


def _ttft(result: PlanResult, catalog: Catalog, plan: Plan, row: Accelerator, _: Translate) -> Explanation:
    traffic = result.workload.traffic
    return Explanation(
        name="P99 TTFT",
        value=si(plan.slo.ttft_p99_s, "s"),
        formula=_simulated(plan, _)
        or _(
            "ingest + first-token steps × TPOT + half a step + queue of prompts (M/G/1 at the busy rate, exponential "
            "tail) + overhead × prompt time of the longest percentile; excesses over the means add in quadrature"
        ),
        inputs=(
            _given(_("prompt tokens, mean"), _, traffic.input_tokens, "token"),
            *_scoped(catalog, _, *((name, _own(catalog, name, plan)) for name in ("ingest_s", "prompt_overhead"))),
            *_parameters(catalog, _, "first_token_steps", "input_p99_ratio", "input_cv", "burst_factor"),
            _fact(row, plan.accelerator, "peak_flops_per_s", row.peak_flops_per_s.get("bf16"), "FLOP/s, bf16", _),
        ),
        band=_band(_("measured over predicted mean TTFT"), catalog, "ttft", plan, _),
    )


def _simulated(plan: Plan, _: Translate) -> str:
    """How a simulated percentile comes about; empty for one of closed forms."""
    if plan.sizing is None:
        return ""
    return _(
        "99th percentile of {n:,} requests, simulated step by step of the engine under the trace {trace}; "
        "a step takes what the inputs below make of it"
    ).format(n=plan.sizing.requests, trace=plan.sizing.trace)


def _tpot(result: PlanResult, catalog: Catalog, plan: Plan, row: Accelerator, _: Translate) -> Explanation:
    return Explanation(
        name="P99 TPOT",
        value=si(plan.slo.tpot_p99_s, "s"),
        formula=_simulated(plan, _)
        or _(
            "step time at the 99th percentile of running sequences, B + 2.33 √B; a step is, per operator, "
            "cube-norm(bytes / bandwidth reached, FLOP / peak reached) + collectives + host time, "
            "plus the prompts that interrupt it"
        ),
        inputs=(
            _given(_("running sequences per replica, mean"), _, round(plan.serving.running_sequences, 1), "-"),
            _fact(row, plan.accelerator, "bandwidth_bytes_per_s", row.bandwidth_bytes_per_s, "B/s", _),
            *_scoped(
                catalog,
                _,
                ("gemm_memory_efficiency", plan.layout.weights),
                ("moe_memory_efficiency", ""),
                ("kv_memory_efficiency", ""),
                ("host_layer_s", ""),
                ("interference_share", ""),
                ("time_factor", _own(catalog, "time_factor", plan, row.architecture.split()[0])),
            ),
        ),
        band=_band(_("measured over predicted mean TPOT"), catalog, "tpot", plan, _),
    )


def _replicas(result: PlanResult, catalog: Catalog, plan: Plan, _: Translate) -> Explanation:
    traffic = result.workload.traffic
    load = traffic.rate_per_s if traffic.rate_per_s is not None else traffic.concurrency
    unit = "1/s" if traffic.rate_per_s is not None else "requests"
    return Explanation(
        name="Replicas",
        value=f"{plan.replicas} + {plan.spares}",
        formula=_(
            "⌈ load × burst factor ÷ (headroom × largest load that one replica holds within the promise) ⌉, "
            "plus the fewest spares that reach the availability; then as many as a simulation at the load over the "
            "headroom needs"
        ),
        inputs=(
            _given(_("load of the fleet"), _, load or 0, unit),
            _given(_("utilisation of a replica at the mean load"), _, round(plan.serving.utilisation, 3), "-"),
            *_parameters(catalog, _, "burst_factor", "headroom"),
        ),
        band=_("an error of x % in throughput moves this by x %"),
    )


def _memory(catalog: Catalog, plan: Plan, row: Accelerator, _: Translate) -> Explanation:
    memory = plan.memory
    return Explanation(
        name="KV cache",
        value=_("{n} tokens per replica").format(n=f"{memory.kv_capacity_tokens:,.0f}"),
        formula=_(
            "(driver-visible memory − driver reserve) × engine's share − weights − activations − reserve, "
            "÷ bytes per token and GPU, × attention-data-parallel ranks"
        ),
        inputs=(
            _fact(row, plan.accelerator, "memory_visible_bytes", row.memory_visible_bytes, "B", _),
            _given(_("weights per GPU"), _, memory.weights_bytes_per_gpu, "B"),
            _given(_("activations per GPU"), _, memory.activation_bytes_per_gpu, "B"),
            _given(_("reserve per GPU"), _, memory.reserve_bytes_per_gpu, "B"),
            _given(_("KV cache per token and GPU"), _, memory.kv_bytes_per_token_per_gpu, "B"),
            *_parameters(catalog, _, "driver_reserve_bytes", "runtime_reserve_bytes"),
        ),
        band=_("measured rooms of vLLM 0.11 and 0.20 are reproduced within 5 %"),
    )


def _power(catalog: Catalog, plan: Plan, row: Accelerator, result: PlanResult, _: Translate) -> Explanation:
    watts, site = plan.power.facility_w, catalog.site(result.workload.site)
    family = row.architecture.split()[0]
    value = _("not sourced") if watts is None else si(watts * plan.replicas, "W")
    return Explanation(
        name="Facility power of the serving replicas",
        value=value,
        formula=_(
            "GPUs × (idle + span × cap(awake + (busy share of time × busy + J/B × bytes/s ÷ span + compute × "
            "FLOP/s ÷ peak + expert time × experts) × exp(−loss × (TP × DP − 1))) + host) × PUE; span: idle to limit"
        ),
        inputs=(
            _fact(row, plan.accelerator, "tdp_w", row.tdp_w, "W", _),
            *_scoped(
                catalog,
                _,
                *((name, family) for name in POWER),
                ("power_expert_share", plan.layout.weights),
                ("host_power_w_per_gpu", ""),
            ),
            Assumption(
                name=_("PUE of {site}").format(site=site.id),
                value=site.pue or "-",
                unit="-",
                source=_where(site.provenance(site.id, "pue"), _),
            ),
        ),
        band=_power_band(catalog, plan, _),
    )


def _availability(catalog: Catalog, plan: Plan, _: Translate) -> Explanation:
    scope = "own" if plan.supply[0].option == "own" else "cloud"
    return Explanation(
        name="Availability",
        value=floored(plan.availability, 3),
        formula=_(
            "P(at least the needed replicas are ready), replicas independent; one replica: "
            "MTBF / (MTBF + repair), MTBF = interruption hours ÷ its GPUs"
        ),
        inputs=(
            _given(_("GPUs per replica"), _, plan.gpus_per_replica, "-"),
            *_scoped(catalog, _, ("interruption_gpu_hours", ""), ("repair_hours", scope)),
        ),
        band=_("repair time is the least certain input: give your own contract's"),
    )


def _month(catalog: Catalog, plan: Plan, _: Translate) -> Explanation:
    unit = plan.supply[0]
    parts = ", ".join(f"{name} {usd(value)}" for name, value in plan.cost.parts_usd_per_month.items())
    age = _(", older than 180 days") if unit.stale else ""
    price = Assumption(
        name=f"{unit.instance_type}, {unit.term}",
        value=unit.usd_per_hour,
        unit="USD/h",
        source=_where(unit, _, age),
    )
    extra = _parameters(catalog, _, "maintenance_share_per_year") if unit.option == "own" else ()
    return Explanation(
        name="Cost per month",
        value=usd(plan.cost.usd_per_month),
        formula=_(
            "units × price per hour × 730.5 h; owned: capital-recovery factor, maintenance, energy, colocation: {parts}"
        ).format(parts=parts),
        inputs=(_given(_("units"), _, unit.units, "-"), price, *extra),
        band=_("prices are dated facts; ask for quotes"),
    )


def _unit_cost(result: PlanResult, plan: Plan, _: Translate) -> Explanation:
    return Explanation(
        name="Cost per million output tokens",
        value=usd(plan.cost.usd_per_million_output_tokens),
        formula=_("cost per month ÷ output tokens per month at the mean load"),
        inputs=(
            _given(
                _("output tokens per second of the fleet"),
                _,
                round(plan.serving.output_tokens_per_s * plan.replicas, 1),
                "token/s",
            ),
            _given(_("cost per month"), _, round(plan.cost.usd_per_month, 2), "USD"),
        ),
        band=_("follows the load that is really there: half the load, twice the cost"),
    )


def _given(name: str, _: Translate, value: float, unit: str) -> Assumption:
    return Assumption(name=name, value=value, unit=unit, source=_("the workload, or computed in this plan"))


def _fact(row: Accelerator, id: str, field: str, value: float | None, unit: str, _: Translate) -> Assumption:
    return Assumption(
        name=f"{id}.{field}",
        value="-" if value is None else value,
        unit=unit,
        source=_where(row.provenance(id, field), _),
    )


def _where(one: Found, _: Translate, age: str = "") -> str:
    where = _("{source} ({date}, {confidence} confidence{age})")
    trust = confidence_words(_)[one.confidence]
    return where.format(source=one.source, date=one.source_date, confidence=trust, age=age)


def _parameters(catalog: Catalog, _: Translate, *names: str) -> tuple[Assumption, ...]:
    return _scoped(catalog, _, *((name, "") for name in names))


def _scoped(catalog: Catalog, _: Translate, *names: tuple[str, str]) -> tuple[Assumption, ...]:
    """Parameters with what they mean and where they come from, in the reader's language."""
    found = zip(assumptions(catalog, names), (catalog.parameter(*name) for name in names), strict=True)
    return tuple(one.model_copy(update={"source": _about(row, _)}) for one, row in found)


def _about(row: Parameter, _: Translate) -> str:
    about = _("{kind}: {meaning}. {where}")
    return about.format(kind=kind_words(_)[row.kind], meaning=_(row.meaning), where=_where(row, _))


def _own(catalog: Catalog, name: str, plan: Plan, otherwise: str = "") -> str:
    """Scope of the user's own figure for the set-up of a plan, if there is one."""
    return scope_for(catalog, name, (plan.accelerator, plan.llm, plan.engine), otherwise)


def _band(what: str, catalog: Catalog, metric: str, plan: Plan, _: Translate) -> str:
    return _spelled(what, band_row(catalog, metric, plan.basis, plan.engine), plan.basis, _)


def _power_band(catalog: Catalog, plan: Plan, _: Translate) -> str:
    basis = bands.power_basis(plan, catalog)
    row, span = band_row(catalog, "power", basis), bands.facility_w(plan, catalog)
    gpu = _spelled(_("measured over predicted GPU power"), row, basis, _)
    if span is None:
        return gpu
    both = _("{gpu}; with the range of host power, {low} to {high}")
    return both.format(gpu=gpu, low=si(span[0], "W"), high=si(span[1], "W"))


def _spelled(what: str, row: Parameter, basis: str, _: Translate) -> str:
    """An interval in words."""
    words = basis_words(_).get(basis, basis)
    text = _("{share} of {what}: {low} to {high} ({basis}, n = {n})")
    return text.format(
        share="80 %", what=what, low=f"{row.low:g}", high=f"{row.high:g}", basis=words, n=row.n or _("none")
    )
