"""How the plan's servers are obtained, as what a cluster can ask for: reserved, on demand, Spot."""

from __future__ import annotations

import math
from dataclasses import dataclass

from planner.bundle.documents.draft import Draft
from planner.bundle.documents.subject import Subject

KINDS = {"own": "reserved", "commitment": "reserved", "on_demand": "on-demand", "spot": "spot"}
CLOUD = "aws"  # the cloud whose node pools and machines the bundle can write


@dataclass(frozen=True)
class Capacity:
    """Servers of a plan by the way they are obtained.

    Attributes
    ----------
    shapes : instance types of CLOUD whose accelerators hold an engine's server, by name
    gpus_per_server : accelerators that one server offers to pods of this plan
    reserved, on_demand, spot : servers
    """

    shapes: tuple[str, ...]
    gpus_per_server: int
    reserved: int
    on_demand: int
    spot: int

    @property
    def servers(self) -> int:
        return self.reserved + self.on_demand + self.spot

    @property
    def firm(self) -> int:
        """Servers that nobody takes back: what availability rests on."""
        return self.reserved + self.on_demand


def capacity(draft: Draft) -> Capacity | None:
    """Servers of the plan; None where CLOUD has no shape with its accelerators."""
    subject = draft.subject
    need = max(pool.gpus_per_node for pool in subject.pools)
    offered = {
        row.instance_type: math.floor(row.accelerators)
        for row in draft.catalog.instances
        if row.provider == CLOUD and row.accelerator == subject.plan.accelerator and row.accelerators
    }
    fits = {name: count for name, count in offered.items() if count >= need}
    if not fits:
        return None
    smallest = min(fits.values())
    shapes = tuple(sorted(name for name, count in fits.items() if count == smallest))
    servers = _servers(subject, smallest)
    return Capacity(shapes, smallest, *_shares(subject, servers))


def _servers(subject: Subject, gpus: int) -> int:
    """Servers that hold every pod, whole pods on each."""
    return sum(math.ceil(p.replicas * p.nodes / (gpus // p.gpus_per_node)) for p in subject.pools)


def _shares(subject: Subject, servers: int) -> tuple[int, int, int]:
    """Servers by kind in the proportion of the units that the plan buys; rounding goes to what is firm."""
    units = {kind: sum(u.units for u in subject.plan.supply if KINDS[u.option] == kind) for kind in set(KINDS.values())}
    total = sum(units.values()) or 1
    spot = servers * units["spot"] // total
    on_demand = min(math.ceil(servers * units["on-demand"] / total), servers - spot)
    return servers - spot - on_demand, on_demand, spot
