"""How long a replica takes to start, and how often enough of them are there."""

from __future__ import annotations

from planner.audit.finding import Context, Finding, formula
from planner.audit.quantity import close, stated_in, written
from planner.errors import WorkloadError
from planner.models.availability import at_least, replica_availability, spares_for
from planner.models.memory import weight_bytes
from planner.schema import AvailabilityClaim, Evidence, LoadTimeClaim, Verdict
from planner.search.loading import Loader, Started, Storage, start_of
from planner.search.space import possible_weights
from planner.shapes import llm_shape
from planner.units import floored, si

# Stages that are hardware, whatever loads.
HARDWARE = ("storage", "staging", "pcie")
LOADERS: tuple[Loader, ...] = ("streamed", "safetensors")


def load_time(claim: LoadTimeClaim, context: Context) -> Finding:
    """The stated time against each loader, and against what drives and links need at least."""
    _, stated = context._, stated_in(claim.stated, claim.unit, "s")
    loaders: tuple[Loader, ...] = (claim.loader,) if claim.loader else LOADERS
    starts = {loader: _start(claim, loader, context) for loader in loaders}
    engine = claim.until == "serving"
    times = {name: s.loading.seconds + (s.start.engine_s if engine else 0.0) for name, s in starts.items()}
    fastest = min(times, key=lambda name: times[name])
    stages = starts[fastest].loading.stages_s
    bound = max(HARDWARE, key=lambda stage: stages[stage])  # type: ignore[index]
    least = stages[bound]  # type: ignore[index]
    stage_words = {"storage": _("drives or network"), "loader": _("the loader"), "staging": _("host memory"),
                   "pcie": _("PCIe links")}  # fmt: skip
    words = {"safetensors": _("the engine's own loader"), "streamed": _("a streaming loader")}
    told = [
        _("With {loader} {time}, bound by {stage}.").format(
            loader=words[name], time=si(times[name], "s"), stage=stage_words[started.loading.bound]
        )
        for name, started in starts.items()
    ]
    if engine:
        own = si(starts[fastest].start.engine_s, "s")
        told.append(_("The engine's own start takes {time} of it.").format(time=own))
    room = 1 + claim.tolerance
    verdict: Verdict = "holds" if stated * room >= max(times.values()) else "conditional"
    if stated * room < least:
        verdict = "refuted"
        told.append(_("By {stage} alone it takes {time}.").format(stage=stage_words[bound], time=si(least, "s")))
    elif stated * room < times[fastest]:
        told.append(_("Faster than any loader that is known here; by {stage} alone it takes {time}.").format(
            stage=stage_words[bound], time=si(least, "s")))  # fmt: skip
    elif verdict == "conditional":
        told.append(_("It holds with {loader}.").format(loader=words[fastest]))
    right = "; ".join(f"{name} {si(time, 's')}" for name, time in times.items())
    return Finding(verdict, " ".join(told), written(stated, claim.unit), right, claim.unit,
                   _rests_on(starts[fastest]))  # fmt: skip


def _start(claim: LoadTimeClaim, loader: Loader, context: Context) -> Started:
    """One node of the replica, its machine standing ready."""
    catalog = context.catalog
    llm, card = catalog.llm_id(claim.llm), catalog.accelerator_id(claim.accelerator)
    weights = claim.weights or catalog.llms[llm].weights
    if weights not in possible_weights(catalog.llms[llm]):
        raise WorkloadError(
            "{llm} has no {weights}: give one of {allowed}",
            llm=llm,
            weights=weights,
            allowed=", ".join(possible_weights(catalog.llms[llm])),
        )
    inside = min(claim.gpus, catalog.accelerators[card].server_accelerators)
    size = weight_bytes(llm_shape(llm, catalog.llms[llm]), weights) * inside / claim.gpus
    storage = Storage(claim.storage, claim.drive, claim.drives, 0.0, loader, claim.host_cpu)
    return start_of(catalog, card, size, inside, storage, warm_node=True)


def _rests_on(started: Started) -> tuple[Evidence, ...]:
    stages = ", ".join(f"{name} {si(time, 's')}" for name, time in started.loading.stages_s.items())
    told = [
        Evidence(row=one.name, value=f"{one.value:.4g} {one.unit}", source=one.source) for one in started.assumptions
    ]
    return (formula("weights of a node / rate of each stage", stages), *told)


def availability(claim: AvailabilityClaim, context: Context) -> Finding:
    """Chance that enough replicas are ready, over the range of repair times that is known."""
    _, stated = context._, claim.stated / 100
    between = context.catalog.parameter("interruption_gpu_hours")
    repair = context.catalog.parameter("repair_hours", claim.supply)
    hours = [claim.repair_hours or value for value in (repair.value, repair.low, repair.high) if value is not None]
    value, best, least = (_ready(claim, between.value, h) for h in (hours[0], min(hours), max(hours)))
    right = floored(value, 3)
    text = _("{n} of {all} replicas are ready {share} of the time, with a repair in {hours:g} h; {least} to {best} "
             "from {slow:g} to {quick:g} h.")  # fmt: skip
    told = [text.format(
        n=claim.replicas, all=claim.replicas + claim.spares, share=right, hours=hours[0], least=floored(least, 3),
        best=floored(best, 3), slow=max(hours), quick=min(hours))]  # fmt: skip
    verdict: Verdict = "holds" if _reaches(least, stated) else "conditional" if _reaches(best, stated) else "refuted"
    one = float(replica_availability(claim.gpus, between.value, hours[0]))
    spares = spares_for(claim.replicas, one, stated)
    if spares is not None and verdict != "holds":
        told.append(_("Spare replicas for {target}: {spares}.").format(target=f"{claim.stated:g} %", spares=spares))
    told.append(_("Accelerators, hosts and links alone: sites, networks and software fail, too."))
    seen = tuple(
        Evidence(row=f"calibration {row.name}", field=row.scope, value=f"{row.value:g} h", source=row.source,
                 source_date=row.source_date, confidence=row.confidence) for row in (between, repair)
    )  # fmt: skip
    return Finding(verdict, " ".join(told), f"{claim.stated:g} %", right, "%", seen)


def _ready(claim: AvailabilityClaim, interruption_gpu_hours: float, repair_hours: float) -> float:
    one = float(replica_availability(claim.gpus, interruption_gpu_hours, repair_hours))
    return at_least(claim.replicas, claim.replicas + claim.spares, one)


def _reaches(value: float, stated: float) -> bool:
    """Down time is what counts: 99.9 % is not reached by 99.8 %, however close the two are."""
    return value >= stated or close(1 - value, 1 - stated, 1e-6)
