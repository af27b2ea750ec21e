"""What a bundle is about: the plan with the catalog rows behind it, and the plans that cannot be written yet."""

from __future__ import annotations

import hashlib
import math
import re
from dataclasses import dataclass

from planner.catalog import Catalog
from planner.errors import Message, MissingFact, PlannerError
from planner.models.memory import weight_bytes
from planner.schema import Accelerator, Engine, Layout, Llm, Plan, PlanResult
from planner.shapes import llm_shape

NAME_LENGTH = 40  # leaves room for the suffixes that Kubernetes adds: a pod's revision label holds 63 in all
MODEL_VARIABLE = "MODEL"  # environment variable that names a checkpoint which nobody has published
COMMON_SERVER_GPUS = 8


@dataclass(frozen=True)
class Pool:
    """Engines of one kind: the whole fleet, or those that compute prompts or answers alone.

    Attributes
    ----------
    role : `serve`, `prefill` or `decode`
    replicas : engines, spares included
    gpus, nodes : accelerators and servers of one engine
    """

    role: str
    layout: Layout
    replicas: int
    gpus: int
    nodes: int

    @property
    def gpus_per_node(self) -> int:
        return self.gpus // self.nodes

    @property
    def suffix(self) -> str:
        """What tells the names of this pool's objects from the other's."""
        return "" if self.role == "serve" else f"-{self.role}"


@dataclass(frozen=True)
class Subject:
    """Everything that the documents spell out.

    Attributes
    ----------
    name : name of the Kubernetes objects, a DNS label
    published : the plan serves the published checkpoint, and no other precision of it
    checkpoint_bytes : size of the weights on disk. [B]
    drain_s : time that the longest answer of the plan takes, whole seconds. [s]
    same_catalogs : plan and bundle rest on the same catalogs
    stands_for : name in requests of another LLM that this one answers for; empty: its own
    """

    result: PlanResult
    plan: Plan
    llm: Llm
    engine: Engine
    accelerator: Accelerator
    name: str
    published: bool
    checkpoint_bytes: float
    drain_s: int
    load_time_s: float
    same_catalogs: bool
    stands_for: str = ""

    @property
    def model(self) -> str:
        """Repository of the weights, or the variable that will hold it."""
        return self.llm.hf_id if self.published else f"$({MODEL_VARIABLE})"

    @property
    def pods(self) -> int:
        """Replicas of the fleet, spares included."""
        return self.plan.replicas + self.plan.spares

    @property
    def pools(self) -> tuple[Pool, ...]:
        """One pool, or prefill and decode."""
        plan = self.plan
        if not plan.pools:
            return (Pool("serve", plan.layout, self.pods, plan.gpus_per_replica, plan.nodes_per_replica),)
        return tuple(
            Pool(p.role, p.layout, p.replicas * self.pods, p.gpus_per_replica, p.nodes_per_replica) for p in plan.pools
        )

    @property
    def apart(self) -> bool:
        """Prefill and decode have pools of their own."""
        return bool(self.plan.pools)


def describe(result: PlanResult, rank: int, catalog: Catalog) -> Subject:
    """Gather the rows of a ranked plan.

    Raises
    ------
    PlannerError
        If there is no such rank, or an engine of it reaches beyond what its servers hold.
    MissingFact
        If a figure that the manifests need is not in the catalogs.
    """
    plan = _ranked(result, rank)
    llm, accelerator = catalog.llms[plan.llm], catalog.accelerators[plan.accelerator]
    _refuse_pools(plan)
    _refuse_beyond_servers(result, plan, catalog)
    if plan.load_time_s is None:
        raise MissingFact(
            plan.title,
            Message("load time"),
            Message("the startup probe"),
            Message("Plan again with the current catalogs."),
        )
    return Subject(
        result=result,
        plan=plan,
        llm=llm,
        engine=catalog.engines[plan.engine],
        accelerator=accelerator,
        name=dns_label(plan.llm),
        published=plan.layout.weights == llm.weights,
        checkpoint_bytes=_checkpoint_bytes(plan, llm),
        drain_s=_drain_s(result, plan),
        load_time_s=plan.load_time_s,
        same_catalogs=result.catalog_sha256 == catalog.sha256,
    )


def dns_label(text: str, most: int = NAME_LENGTH) -> str:
    """Name that every Kubernetes object accepts (RFC 1035 label); what is cut off leaves a hash.

    Examples
    --------
    >>> dns_label("deepseek-v3.2"), dns_label("0.5B; rm -rf /"), dns_label("")
    ('deepseek-v3-2', 'llm-0-5b-rm-rf', 'llm')
    """
    label = re.sub(r"[^a-z0-9]+", "-", text.lower()).strip("-")
    if not label or not label[0].isalpha():
        label = f"llm-{label}".strip("-")
    if len(label) <= most:
        return label
    return f"{label[: most - 9].strip('-')}-{hashlib.sha256(text.encode()).hexdigest()[:8]}"


def _ranked(result: PlanResult, rank: int) -> Plan:
    for plan in result.plans:
        if plan.rank == rank:
            return plan
    ranks = [plan.rank for plan in result.plans]
    allowed = Message("1 to {most}", most=max(ranks)) if ranks else Message("none: there is no plan")
    raise PlannerError(
        "--plan {rank}: no plan has this rank. Allowed: {allowed}.\n  List them: planner plan",
        rank=rank,
        allowed=allowed,
    )


def _refuse_pools(plan: Plan) -> None:
    roles = tuple(pool.role for pool in plan.pools)
    if roles not in ((), ("prefill", "decode")) or (plan.layout.mode == "disaggregated") != bool(roles):
        raise PlannerError(
            "{title}: a disaggregated plan has a prefill and a decode pool, this one has {roles}.\n  Next: plan again.",
            title=plan.title,
            roles=list(roles),
        )


def _refuse_beyond_servers(result: PlanResult, plan: Plan, catalog: Catalog) -> None:
    """A pod sees one server, so an engine on n servers needs n times what one holds; a rack's link changes nothing."""
    if _servers_hold(plan, catalog):
        return
    fits = [str(p.rank) for p in result.plans if _servers_hold(p, catalog)]
    other = Message("choose --plan {ranks}, or ", ranks=", ".join(fits)) if fits else ""
    most = _server_gpus(plan, catalog)
    raise PlannerError(
        "--plan {rank} ({title}) spreads one engine over servers that its link joins, and these "
        "servers hold up to {most} x {accelerator} each: Kubernetes needs the vendor's driver "
        "for such links, which the bundle does not write.\n"
        "  Next: {other}set limits.max_gpus_per_replica = {most}.",
        rank=plan.rank,
        title=plan.title,
        most=most,
        accelerator=plan.accelerator,
        other=other,
    )


def _servers_hold(plan: Plan, catalog: Catalog) -> bool:
    sizes = [(p.gpus_per_replica, p.nodes_per_replica) for p in plan.pools or (plan,)]
    most = _server_gpus(plan, catalog)
    return all(gpus % nodes == 0 and gpus // nodes <= most for gpus, nodes in sizes)


def _server_gpus(plan: Plan, catalog: Catalog) -> int:
    """Accelerators that one operating system sees: a pod cannot reach beyond, whatever the link joins.

    A rack-scale link spans many servers, so the largest server or instance in the catalogs counts there.
    """
    reach = catalog.accelerators[plan.accelerator].server_accelerators
    if reach <= COMMON_SERVER_GPUS:
        return reach
    servers = [
        row.accelerators
        for row in catalog.servers.values()
        if row.accelerator == plan.accelerator and not re.search("rack|pod", row.kind)
    ]
    known = [count for count in servers if count] + [
        math.floor(row.accelerators)
        for row in catalog.instances
        if row.accelerator == plan.accelerator and row.accelerators
    ]
    return max(known, default=1)


def _checkpoint_bytes(plan: Plan, llm: Llm) -> float:
    weights = plan.layout.weights
    wide = True if weights == llm.weights and "attention" in llm.unquantised else None
    return weight_bytes(llm_shape(plan.llm, llm), weights, wide)


def _drain_s(result: PlanResult, plan: Plan) -> int:
    """An answer of twice the mean length, from its first token on, at the plan's slow end."""
    longest = 2 * result.workload.traffic.output_tokens
    return math.ceil(plan.slo.ttft_p99_s + longest * plan.slo.tpot_p99_s)
