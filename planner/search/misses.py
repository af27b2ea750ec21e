"""Why a candidate failed, by kind, in the reader's language."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from planner.errors import Joined, Message, NoPlan, Translate
from planner.schema import Rejection


def texts(_: Translate) -> dict[str, str]:
    """Text of each kind, to be filled with its values."""
    spot = _(
        "{name} bought only as {way} capacity, for {usd} a month without spares, is ready {ready} of the time even "
        "with as many spares as replicas; the promise is {promise}."
    )
    return {
        "no_kernels": _("{name} has no kernels for {precision}; the engines serve it in {others}."),
        "no_arithmetic": _("{name} has no arithmetic for {precision}; the engines serve it in {others}."),
        "facts": _("{name} lacks sourced {facts}."),
        "link": _("{name} joins {count} accelerators by {link}; no allowed layout fits that."),
        "prefix": _(
            "{name}: its engines serve {llm} in {precision} without a prefix cache. Set traffic.prefix_hit_rate to 0."
        ),
        "shape": _("{name} cannot divide {llm} into equal parts within the limits."),
        "memory": _(
            "{candidate}: {weights} of weights, {reserve} of reserve and {sequence} for one sequence per accelerator; "
            "{usable} usable."
        ),
        "alone": _("{candidate}: P99 {metric} is {got} even for a single request; the promise is {promise}."),
        "crowd": _("{candidate}: the promise is kept for a single request but not for the crowd around it."),
        "simulated": _(
            "{candidate}: on the trace, P99 {metric} is {got} at the asked load with headroom, the promise {promise}; "
            "a tenth of the load is not kept either."
        ),
        "price": _(
            "{name} keeps the promise but has no sourced price for {options} in units large enough. Give one under "
            "[prices]."
        ),
        "other_supply": spot + _(" Allow another supply."),
        "all_firm": spot + _(" All its replicas must be firm."),
        "some_firm": spot + _(" Of its {replicas} replicas {base} must be firm."),
    }


def words(_: Translate) -> dict[str, dict[str, str]]:
    """Values that are words themselves, by the name of the value."""
    ways = {"own": _("own"), "on_demand": _("on-demand"), "commitment": _("committed"), "spot": _("spot")}
    return {"way": ways, "options": ways, "others": {"": _("no sourced precision")}}


def rejection(
    kind: str,
    values: dict[str, str | int],
    *,
    accelerator: str,
    limit: str,
    candidate: str,
    needed: float | None = None,
    available: float | None = None,
    unit: str = "",
) -> Rejection:
    """A rejection with its English text."""
    found = Rejection(
        candidate=candidate,
        accelerator=accelerator,
        limit=limit,
        needed=needed,
        available=available,
        unit=unit,
        message="",
        kind=kind,
        values=values,
    )
    return found.model_copy(update={"message": spelled(found, str)})


def spelled(found: Rejection, _: Translate) -> str:
    """Why a candidate failed; as its answer says it where that is older than these kinds."""
    known = texts(_)
    if found.kind not in known:
        return found.message
    own = words(_)
    values: dict[str, Any] = {name: _in(value, own.get(name, {}), _(", ")) for name, value in found.values.items()}
    return known[found.kind].format(candidate=found.candidate, **values)


@dataclass(frozen=True)
class Miss:
    """A candidate that failed, as a line below what failed."""

    rejection: Rejection

    def told(self, _: Translate) -> str:
        """The line, in the language of `_`."""
        return f"  {spelled(self.rejection, _)}"


def unserved(llm: str, nearest: Sequence[Rejection]) -> NoPlan:
    """That no candidate serves an LLM, which came closest, and what to do."""
    first = Message("no candidate serves {llm} within the promise. Nearest:", llm=llm)
    step = Message("  Relax the promise [slo], or allow more of [limits], such as narrower weights, or of [supply].")
    return NoPlan(Joined(first, *map(Miss, nearest), step), nearest=nearest)


def _in(value: str | int, known: dict[str, str], comma: str) -> str | int:
    """A word, or several with commas between, in the reader's language."""
    if not isinstance(value, str) or not known:
        return value
    return comma.join(known.get(one, one) for one in value.split(", "))
