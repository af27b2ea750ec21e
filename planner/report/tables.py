"""Answers as headings and rows of text, for the terminal and for documents."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass

from planner.report.options import option_rows
from planner.report.words import basis_words, bought_text, bound_words, limit_words
from planner.schema import Estimate, GroupScore, Plan, PlanResult, Validation
from planner.search.misses import spelled
from planner.units import floored, percent, si, usd

Translate = Callable[[str], str]


@dataclass(frozen=True)
class TextTable:
    """A title, column headings and rows; numbers are spelled and right-aligned by the reader."""

    title: str
    headings: tuple[str, ...]
    rows: tuple[tuple[str, ...], ...]
    numeric_from: int = 1


def sentence(result: PlanResult, _: Translate) -> str:
    """The answer in one sentence."""
    best = result.plans[0]
    low, high = best.band.tpot_s
    spare = _(" and {n} spare").format(n=best.spares) if best.spares else ""
    told = _(
        "{total} × {name}: {replicas} serving{spare}, {layout}, for {cost} a month "
        "({unit} per million output tokens). P99 TTFT {ttft}, P99 TPOT {tpot}; mean TPOT {mean}, "
        "80 % of such measurements fall in {low} to {high}. Price: {supply}, dated {priced}, {confidence} confidence."
    ).format(
        total=f"{best.gpus_total:,}",
        name=accelerator_name(best.title),
        replicas=f"{best.replicas:,}",
        spare=spare,
        layout=layout_text(best),
        cost=usd(best.cost.usd_per_month),
        unit=usd(best.cost.usd_per_million_output_tokens),
        ttft=si(best.slo.ttft_p99_s, "s"),
        tpot=si(best.slo.tpot_p99_s, "s"),
        mean=si(best.serving.tpot_s, "s"),
        low=si(low, "s"),
        high=si(high, "s"),
        supply=supply_text(best, _),
        priced=priced_text(best),
        confidence=_(best.supply[0].confidence),
    )
    return f"{told} {owning_note(_)}" if best.supply[0].option == "own" else told


def owning_note(_: Translate) -> str:
    """What the ranking of owned plans leaves out: it compares servers, the costs price the rest."""
    return _(
        "Owned servers with support, energy and space; network, racks, installation and staff come on top: "
        "`planner cost` names each."
    )


def accelerator_name(title: str) -> str:
    """Vendor's name of the accelerator in the title of a plan.

    Examples
    --------
    >>> accelerator_name("8 × NVIDIA B200 SXM (HGX/DGX), FP8, TP1 DP8")
    'NVIDIA B200 SXM (HGX/DGX)'
    """
    return title.split(" × ", 1)[1].rsplit(", ", 2)[0]


def fleet_title(title: str, fleet: int) -> str:
    """Title of a plan with all its replicas, spares included.

    Examples
    --------
    >>> fleet_title("4 × NVIDIA H100 SXM 80GB, FP8, TP4", 2), fleet_title("4 × NVIDIA H100 SXM 80GB, FP8, TP4", 1)
    ('2 × 4 NVIDIA H100 SXM 80GB, FP8, TP4', '4 × NVIDIA H100 SXM 80GB, FP8, TP4')
    """
    each, rest = title.split(" × ", 1)
    return title if fleet == 1 else f"{fleet:,} × {each} {rest}"


def layout_text(plan: Plan) -> str:
    """Precisions of weights and cache, and parallel sizes, such as `FP8/BF16 TP8 PP2`."""
    layout = plan.layout
    sizes = [(name, getattr(layout, name)) for name in ("tp", "dp", "pp", "ep")]
    ranks = (f"{name.upper()}{size}" for name, size in sizes if size > 1 or name == "tp")
    return " ".join([f"{layout.weights.upper()}/{layout.kv.upper()}", *ranks])


def supply_text(plan: Plan, _: Translate) -> str:
    """How it is bought, and from whom."""
    unit = plan.supply[0]
    return bought_text(unit.option, unit.provider, _)


def priced_text(plan: Plan) -> str:
    """Date of the price; `!` where it is older than 180 days."""
    unit = plan.supply[0]
    return unit.source_date.split("..")[0] + (" !" if unit.stale else "")


def plan_table(result: PlanResult, _: Translate) -> TextTable:
    """Ranked plans."""
    headings = (
        "#",
        _("Accelerator"),
        _("Layout"),
        _("Supply"),
        _("Priced"),
        _("GPUs"),
        _("Replicas"),
        _("P99 TTFT"),
        _("P99 TPOT"),
        _("$/month"),
        _("$/M out"),
        "kW",
        _("Ready"),
        _("Basis"),
    )
    rows = tuple(_plan_row(plan, _) for plan in result.plans)
    return TextTable(_("Plans, cheapest first"), headings, rows, 5)


def _plan_row(plan: Plan, _: Translate) -> tuple[str, ...]:
    kilowatts = "–" if plan.power.facility_w is None else f"{plan.power.facility_w * plan.replicas / 1e3:.1f}"
    spare = f"+{plan.spares}" if plan.spares else ""
    return (
        str(plan.rank),
        plan.accelerator,
        layout_text(plan),
        supply_text(plan, _),
        priced_text(plan),
        f"{plan.gpus_total:,}",
        f"{plan.replicas}{spare}",
        si(plan.slo.ttft_p99_s, "s"),
        si(plan.slo.tpot_p99_s, "s"),
        f"{plan.cost.usd_per_month:,.0f}",
        f"{plan.cost.usd_per_million_output_tokens:.2f}",
        kilowatts,
        floored(plan.availability, 2),
        basis_words(_)[plan.basis],
    )


def rejection_table(result: PlanResult, _: Translate, most: int = 8) -> TextTable:
    """Why not the others."""
    words = limit_words(_)
    rows = tuple((words[r.limit], spelled(r, _)) for r in result.rejections[:most])
    more = len(result.rejections) - len(rows)
    title = _("Why not the others") + (f" (+{more}, --json)" if more > 0 else "")
    return TextTable(title, (_("Limit"), _("Reason")), rows, 9)


def estimate_table(estimate: Estimate, _: Translate) -> TextTable:
    """One layout at one load."""
    memory, serving, power, band = estimate.memory, estimate.serving, estimate.power, estimate.band
    rows: list[tuple[str, str, str]] = [
        (_("TTFT, mean"), si(serving.ttft_s, "s"), _range(band.ttft_s, "s")),
        (_("TPOT, mean"), si(serving.tpot_s, "s"), _range(band.tpot_s, "s")),
        (_("Whole answer"), si(serving.e2e_s, "s"), ""),
        (
            _("Output throughput"),
            si(serving.output_tokens_per_s, "token/s"),
            _range(band.output_tokens_per_s, "token/s"),
        ),
        (_("Output throughput per GPU"), si(serving.output_tokens_per_s_per_gpu, "token/s"), ""),
        (_("Limited by"), bound_words(_).get(serving.bound, serving.bound), ""),
        (_("Weights per GPU"), si(memory.weights_bytes_per_gpu, "B"), ""),
        (
            _("Activations and reserve per GPU"),
            si(memory.activation_bytes_per_gpu + memory.reserve_bytes_per_gpu, "B"),
            "",
        ),
        (_("KV cache room per GPU"), si(memory.kv_room_bytes_per_gpu, "B"), ""),
        (_("KV cache per token"), f"{memory.kv_bytes_per_token:,.0f} B", ""),
        (_("KV cache per token and GPU"), f"{memory.kv_bytes_per_token_per_gpu:,.0f} B", ""),
        (_("Cached tokens per replica"), f"{memory.kv_capacity_tokens:,.0f}", ""),
        (_("Full-length sequences"), f"{memory.max_sequences:,.0f}", ""),
        (_("Power per GPU"), _optional(power.gpu_w, "W"), "" if band.gpu_w is None else _range(band.gpu_w, "W")),
        (_("Power at the meter"), _optional(power.facility_w, "W"), ""),
        (_("Energy per output token"), _optional(power.energy_j_per_output_token, "J"), ""),
        *option_rows(estimate, _),
        (_("Basis"), basis_words(_)[estimate.basis], ""),
    ]
    inputs = estimate.inputs
    title = f"{inputs['llm']}, {inputs['gpus']} × {inputs['accelerator']}, {inputs['weights']}, TP{inputs['tp']}"
    return TextTable(title, (_("Figure"), _("Value"), _("80 % of measurements")), tuple(rows))


def _range(span: Sequence[float], unit: str) -> str:
    return f"{si(span[0], unit)} … {si(span[1], unit)}"


def _optional(value: float | None, unit: str) -> str:
    return "–" if value is None else si(value, unit)


def validation_table(result: Validation, _: Translate) -> TextTable:
    """Errors by group, in the order of the groups."""
    headings = (_("Group"), "n", _("Predicted"), "MAPE", _("Median"), _("Bias"), _("Within 20 %"), _("In band"))
    rows = tuple(_score_row(score) for score in result.summary)
    return TextTable(_("Predicted against measured"), headings, rows)


def _score_row(score: GroupScore) -> tuple[str, ...]:
    shares = (score.predicted_share, score.mape, score.median_ape, score.bias, score.within_20, score.band_coverage)
    return (score.group, str(score.n), *("–" if share is None else percent(share, 1) for share in shares))
