"""Words of closed vocabularies in the reader's language: whatever a result carries as an identifier."""

from __future__ import annotations

from collections.abc import Callable

Translate = Callable[[str], str]


def basis_words(_: Translate) -> dict[str, str]:
    """What an estimate rests on; `assumed` is for inputs that nobody measured."""
    return {
        "measured": _("measured"),
        "calibrated": _("calibrated"),
        "roofline": _("roofline"),
        "assumed": _("assumed"),
    }


def confidence_words(_: Translate) -> dict[str, str]:
    """How far a source can be trusted."""
    return {"high": _("high"), "medium": _("medium"), "low": _("low")}


def kind_words(_: Translate) -> dict[str, str]:
    """How the number of a parameter was found, as in `Parameter.kind`."""
    return {
        "measured": _("measured"),
        "fitted": _("fitted"),
        "published": _("published"),
        "assumed": _("assumed"),
    }


def supply_words(_: Translate) -> dict[str, str]:
    """Ways to obtain capacity, as in `Supply.options`."""
    return {
        "own": _("own"),
        "on_demand": _("on demand"),
        "commitment": _("committed"),
        "spot": _("spot"),
    }


def bought_text(option: str, provider: str, _: Translate) -> str:
    """How capacity is obtained, and from whom where somebody rents it out."""
    way = supply_words(_)[option]
    return way if option == "own" else _("{way}, {provider}").format(way=way, provider=provider)


def term_words(_: Translate) -> dict[str, str]:
    """Terms of a price; any other is shown as the catalog writes it."""
    return {
        "purchase": _("bought"),
        "on_demand": _("by the hour"),
        "spot": _("spot"),
        "reserved_1y": _("1 year"),
        "reserved_1y_no_upfront": _("1 year, nothing upfront"),
        "rental_3y": _("3 years"),
        "capacity_block": _("capacity block"),
    }


def bound_words(_: Translate) -> dict[str, str]:
    """What limits a decoding step."""
    return {
        "memory": _("memory bandwidth"),
        "compute": _("arithmetic"),
        "communication": _("communication"),
        "host": _("host time"),
    }


def limit_words(_: Translate) -> dict[str, str]:
    """Limits that a rejected candidate broke."""
    return {
        "tpot_p99_s": "TPOT",
        "ttft_p99_s": "TTFT",
        "e2e_p99_s": _("whole answer"),
        "price": _("price"),
        "availability": _("availability"),
        "memory_bytes": _("memory"),
        "prefix": _("prefix cache"),
        "link": _("interconnect"),
        "shape": _("layout"),
        "engine": _("engine"),
        "precision": _("precision"),
        "facts": _("missing facts"),
    }


def part_words(_: Translate) -> dict[str, str]:
    """What fills the memory of one accelerator; the workspace is activations, buffers and CUDA graphs."""
    return {
        "weights": _("Weights"),
        "working": _("Workspace"),
        "kv": _("KV cache"),
        "margin": _("Margin"),
    }


def preset_words(_: Translate) -> dict[str, str]:
    """Titles of the workloads that ship with the planner."""
    return {
        "default": _("R1 chat service"),
        "2000-concurrent": _("2,000 users"),
        "article": _("R1 on A100, A6000"),
        "chat": _("Chat trace"),
        "code": _("Code completion"),
        "rag": _("Retrieval (RAG)"),
        "reasoning": _("Reasoning"),
    }


def explanation_words(_: Translate) -> dict[str, str]:
    """Names of the explained numbers."""
    return {
        "P99 TTFT": _("P99 TTFT"),
        "P99 TPOT": _("P99 TPOT"),
        "Replicas": _("Replicas"),
        "KV cache": _("KV cache"),
        "Facility power of the serving replicas": _("Facility power of the serving replicas"),
        "Availability": _("Availability"),
        "Cost per month": _("Cost per month"),
        "Cost per million output tokens": _("Cost per million output tokens"),
    }
