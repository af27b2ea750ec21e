"""The fields of the form: a widget's name, the field of the question that it sets, what it can hold."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from planner.catalog import Catalog
from planner.errors import Message, UnknownName, WorkloadError
from planner.workloads import NAMED_TABLES, set_field

PERCENT, PER_THOUSAND = 100.0, 1000.0


@dataclass(frozen=True)
class Field:
    """A widget's name, the workload field that it sets, the widget's units in one SI unit, what a blank means."""

    name: str
    path: str
    scale: float = 1.0
    blank: Any = None


# The buyer's own figures, which the page of costs asks for. A blank stays not priced.
OWN_SHARES = ("residual_share", "installation_share", "maintenance_share_per_year", "tax_rate")
OWN_AMOUNTS = (
    "staff_usd_per_year",
    "licence_usd_per_gpu_year",
    "transit_usd_per_month",
    "demand_charge_usd_per_kw_month",
    "carbon_price_usd_per_tonne",
    "egress_usd_per_month",
    "storage_usd_per_gb_month",
)
OWN_YEARS = ("1y", "3y")
OWN = (
    Field("residual_share", "ownership.residual_share", PERCENT, blank=0.0),
    *(Field(name, f"ownership.{name}", PERCENT) for name in OWN_SHARES[1:]),
    *(Field(name, f"ownership.{name}") for name in OWN_AMOUNTS),
    *(Field(f"discount_{years}", f"ownership.commitment_discounts.{years}", PERCENT) for years in OWN_YEARS),
    Field("load_profile", "ownership.load_profile"),
)
FIELDS = (
    Field("llm", "llm"),
    Field("rate", "traffic.rate_per_s"),
    Field("users", "traffic.concurrency"),
    Field("tokens_in", "traffic.input_tokens"),
    Field("tokens_out", "traffic.output_tokens"),
    Field("ttft", "slo.ttft_p99_s"),
    Field("tpot", "slo.tpot_p99_s", PER_THOUSAND),
    Field("availability", "slo.availability", PERCENT),
    Field("supply", "supply.options"),
    Field("site", "site"),
    Field("horizon", "horizon_years"),
    Field("weights", "limits.weights"),
    Field("kv", "limits.kv"),
    Field("accelerators", "limits.accelerators"),
    Field("max_gpus", "limits.max_gpus_per_replica"),
    Field("prefix_hits", "traffic.prefix_hit_rate", PERCENT),
    Field("discount", "discount_rate", PERCENT),
    *OWN,
)
LOADS = ("rate", "users")
USUAL = {"rate": 5.0, "users": 100}  # where nothing says how much
# Number fields of the form, as it heads them.
LABELS = {
    "rate": Message("Requests/s"),
    "users": Message("Users at once"),
    "tokens_in": Message("Tokens in"),
    "tokens_out": Message("Tokens out"),
    "ttft": Message("P99 TTFT, s"),
    "tpot": Message("P99 TPOT, ms"),
    "availability": Message("Available, %"),
    "horizon": Message("Years over which a purchase is recovered"),
    "discount": Message("Yearly cost of capital, %"),
    "max_gpus": Message("Most accelerators per replica"),
    "prefix_hits": Message("Prompt tokens found in the prefix cache, %"),
}
# What the number fields can hold, in their own units.
BOUNDS: dict[str, tuple[Any, Any]] = {
    "rate": (1e-6, 1e6),
    "users": (1, 10_000_000),
    "tokens_in": (1, 10_000_000),
    "tokens_out": (1, 10_000_000),
    "ttft": (1e-3, 3600.0),
    "tpot": (0.01, 60_000.0),
    "availability": (0.1, 99.999999),
    "horizon": (0.25, 15.0),
    "discount": (0.0, 99.0),
    "max_gpus": (1, 512),
    "prefix_hits": (0.0, 99.0),
    **dict.fromkeys(OWN_SHARES, (0.0, 99.0)),
    **dict.fromkeys(OWN_AMOUNTS, (1e-6, 1e9)),
    **{f"discount_{years}": (0.1, 99.0) for years in OWN_YEARS},
}


def values_of(table: dict[str, Any], catalog: Catalog) -> dict[str, Any]:
    """Widget values of a workload table; synonyms become ids.

    Raises
    ------
    UnknownName
        For a name that the catalogs have not.
    """
    found: dict[str, Any] = {}
    for field in FIELDS:
        value: Any = table
        for part in field.path.split("."):
            value = value.get(part) if value else None
        found[field.name] = round(value * field.scale, 9) if field.scale != 1 and value is not None else value
    found["llm"] = catalog.llm_id(found["llm"])
    found["site"] = catalog.site(found["site"]).id
    found["accelerators"] = [catalog.accelerator_id(name) for name in found["accelerators"]]
    found["horizon"] = float(found["horizon"])
    found["load"] = "rate" if found["rate"] is not None else "users"
    found["rate"] = float(found["rate"] or USUAL["rate"])
    found["users"] = found["users"] or USUAL["users"]
    if found["load_profile"] not in (None, *profiles(catalog)):
        raise UnknownName(
            "rate profile", found["load_profile"], profiles(catalog), Message("the page Catalogs, traces")
        )
    return found


def profiles(catalog: Catalog) -> list[str]:
    """Rate profiles that the catalogs hold."""
    return [name for name, row in catalog.traces.items() if row.kind == "rates"]


def table_of(before: dict[str, Any], values: dict[str, Any]) -> dict[str, Any]:
    """A question's table with the values of all widgets."""
    table = _copy(before)
    for field in FIELDS:
        value = values[field.name]
        if field.name in LOADS and field.name != values["load"]:
            continue
        if value is None:
            value = field.blank
        *way, last = field.path.split(".")
        if value is None and way and way[-1] in NAMED_TABLES:
            (table["ownership"].get(way[-1]) or {}).pop(last, None)
            continue
        set_field(table, field.path, round(value / field.scale, 9) if field.scale != 1 and value is not None else value)
    return table


def check_bounds(values: dict[str, Any]) -> None:
    """Refuse what lies outside a field's bounds; the browser would do so without a word.

    Raises
    ------
    WorkloadError
        Naming the field and what it can hold.
    """
    for name, (low, high) in BOUNDS.items():
        if values[name] is not None and not low <= values[name] <= high:
            raise WorkloadError(
                "{name}: {value:.10g} is outside {low:.10g} to {high:.10g}, which the form can hold.",
                name=LABELS.get(name, name),
                value=values[name],
                low=low,
                high=high,
            )


def _copy(table: dict[str, Any]) -> dict[str, Any]:
    return {name: _copy(value) if isinstance(value, dict) else value for name, value in table.items()}
