"""Plans that were kept as `planner plan --json` wrote them: read again, and held against today's catalogs."""

from __future__ import annotations

from pathlib import Path

from pydantic import ValidationError

from planner.catalog import Catalog
from planner.complaints import complaint
from planner.encoding import decoded
from planner.errors import Message, UnknownName, WorkloadError
from planner.schema import Layout, Plan, PlanResult

MOST_BYTES = 50_000_000
LONGEST = 300
MARKUP = frozenset("<>|`")  # these texts stand in the pages of a bundle
NEXT = Message("  Write one: planner plan --json > plan.json")


def read_plans(path: Path, catalog: Catalog) -> PlanResult:
    """Plans of a file.

    Raises
    ------
    WorkloadError
        For a file that cannot be read, that holds no plans, or plans that nothing could run.
    UnknownName
        For an LLM, accelerator or engine that the catalogs do not hold.
    """
    try:
        if path.stat().st_size > MOST_BYTES:
            raise WorkloadError(
                "{path} is larger than {most_bytes:,} bytes: no answer of planner plan.\n{next_step}",
                path=path,
                most_bytes=MOST_BYTES,
                next_step=NEXT,
            )
        result = PlanResult.model_validate_json(decoded(path.read_bytes()))
    except (OSError, UnicodeDecodeError) as error:
        raise WorkloadError(
            "cannot read {path}: {reason}.\n{next_step}", path=path, reason=error, next_step=NEXT
        ) from None
    except ValidationError as error:
        first = error.errors()[0]
        where = ".".join(str(step) for step in first["loc"]) or Message("the file")
        raise WorkloadError(
            "{path} holds no plans: {where}: {msg}.\n{next_step}",
            path=path,
            where=where,
            msg=complaint(first),
            next_step=NEXT,
        ) from None
    texts = {"catalog_sha256": result.catalog_sha256, "catalog_as_of": result.catalog_as_of}
    for plan in result.plans:
        _refuse(path, plan, catalog)
        texts |= _texts(plan)
    for name, text in texts.items():
        if len(text) > LONGEST or not text.isprintable() or MARKUP & set(text):
            raise WorkloadError(
                "{path}: {name} = {text!r} is no text of planner plan: one line of up to {longest} "
                "characters without {markup}.\n"
                "{next_step}",
                path=path,
                name=name,
                text=text[:40],
                longest=LONGEST,
                markup=" ".join(sorted(MARKUP)),
                next_step=NEXT,
            )
    return result


def _refuse(path: Path, plan: Plan, catalog: Catalog) -> None:
    """Ids are what `planner plan` writes, no synonyms; sizes are those of something that runs."""
    kinds = (("llm", catalog.llms), ("accelerator", catalog.accelerators), ("engine", catalog.engines))
    for kind, rows in kinds:
        if getattr(plan, kind) not in rows:
            raise UnknownName(kind, getattr(plan, kind), rows, f"planner catalog ls {kind}s", str(path))
    sizes = {"replicas": plan.replicas, "gpus_per_replica": plan.gpus_per_replica, "nodes": plan.nodes_per_replica}
    for layout in (plan.layout, *(pool.layout for pool in plan.pools)):
        sizes |= _sizes(layout)
    for pool in plan.pools:
        sizes |= {f"{pool.role} replicas": pool.replicas, f"{pool.role} gpus": pool.gpus_per_replica}
        sizes |= {f"{pool.role} nodes": pool.nodes_per_replica}
    wrong = [f"{name} = {size}" for name, size in sizes.items() if size < 1]
    if plan.spares < 0:
        wrong.append(f"spares = {plan.spares}")
    if not plan.supply:
        wrong.append("no supply")
    if wrong:
        raise WorkloadError(
            "{path}: plan {rank} cannot run: {wrong}.\n{next_step}",
            path=path,
            rank=plan.rank,
            wrong=", ".join(wrong),
            next_step=NEXT,
        )


def _texts(plan: Plan) -> dict[str, str]:
    """Texts that pages show, by where they are."""
    names = ("option", "term", "provider", "instance_type", "region", "source_date")
    bought = {f"supply {name}": getattr(unit, name) for unit in plan.supply for name in names}
    return {f"plan {plan.rank} {name}": str(text) for name, text in {"title": plan.title, **bought}.items()}


def _sizes(layout: Layout) -> dict[str, int]:
    names = ("tp", "dp", "pp", "ep", "max_sequences", "max_batched_tokens", "max_context_tokens")
    return {name: getattr(layout, name) for name in names}
