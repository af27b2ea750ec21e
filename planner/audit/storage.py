"""What an array of drives reads and writes behind a host."""

from __future__ import annotations

from collections.abc import Iterator

from planner.audit.finding import Context, Finding, evidence, formula, together
from planner.audit.quantity import stated_in, written
from planner.errors import Message, MissingFact, WorkloadError
from planner.models.host import striped_bytes_per_s
from planner.schema import Cpu, Drive, StorageClaim
from planner.units import si

FAR_BELOW = 0.7  # of the drives' rating: something else than the drives sets the figure


def storage(claim: StorageClaim, context: Context) -> Finding:
    """Reads and writes against the drives' rating behind the host's lanes."""
    catalog = context.catalog
    drive = catalog.drives[catalog.drive_id(claim.drive)]
    cpu = catalog.cpus[catalog.cpu_id(claim.host_cpu)] if claim.host_cpu else None
    parts = list(_parts(claim, drive, cpu, context))
    if not parts:
        raise WorkloadError("give stated_read, stated_write or stated_random_reads: without any nothing is stated")
    found = together(parts)
    if claim.raid == "0" and claim.stated_read is None:
        text = context._("RAID 0 loses everything with one drive.")
        verdict = "conditional" if found.verdict == "holds" else found.verdict
        return Finding(
            verdict, f"{found.reason} {text}".strip(), found.stated, found.computed, found.unit, found.evidence
        )
    return found


def _parts(claim: StorageClaim, drive: Drive, cpu: Cpu | None, context: Context) -> Iterator[Finding]:
    for stated, field in ((claim.stated_read, "read_bytes_per_s"), (claim.stated_write, "write_bytes_per_s")):
        if stated is not None:
            yield _rate(claim, stated_in(stated, claim.unit, "B/s"), field, drive, cpu, context)
    if claim.stated_random_reads is not None:
        rated = _known(drive, "random_reads_per_s") * claim.drives
        yield _against(claim, claim.stated_random_reads, rated, "", "random_reads_per_s", drive, context)


def _known(drive: Drive, field: str) -> float:
    value = getattr(drive, field)
    if value is None:
        raise MissingFact(
            drive.id, field, Message("the audit"), Message("Add it with its source to catalogs/drives.csv.")
        )
    return float(value)


def _rate(claim: StorageClaim, stated: float, field: str, drive: Drive, cpu: Cpu | None, context: Context) -> Finding:
    """A sequential rate, halved lanes and all."""
    _ = context._
    rated = _known(drive, field)
    gen = min(drive.pcie_gen, cpu.pcie_gen) if cpu else drive.pcie_gen
    lane = rated / drive.pcie_lanes if gen == drive.pcie_gen else _fastest_lane(gen, context)
    reached = striped_bytes_per_s(rated, claim.drives, drive.pcie_lanes, lane)
    if claim.raid == "10":
        reached = reached if field.startswith("read") else reached / 2
    found = _against(claim, stated, reached, claim.unit, field, drive, context)
    if reached >= claim.drives * rated or found.verdict == "refuted":
        return found
    words = _("Holds only because {cpu} has PCIe {gen}.0: {each} a drive. In PCIe {own}.0 the drives read {full}.")
    reason = words.format(
        cpu=cpu.name if cpu else "", gen=gen, each=si(reached / claim.drives, "B/s"), own=drive.pcie_gen,
        full=si(claim.drives * rated, "B/s"),
    )  # fmt: skip
    if not field.startswith("read"):
        reason = found.reason
    text = f"{claim.drives} × min({si(rated, 'B/s')}, {drive.pcie_lanes} × {si(lane, 'B/s')})"
    seen = (*found.evidence, formula(text, si(reached, "B/s")))
    return Finding(found.verdict, reason, found.stated, found.computed, found.unit, seen)


def _against(
    claim: StorageClaim, stated: float, rated: float, unit: str, field: str, drive: Drive, context: Context
) -> Finding:
    """A stated figure against what the array can do: reached, far below, or out of reach."""
    _ = context._
    said, right = written(stated, unit), written(rated, unit, 3)
    seen = (evidence(context, drive.id, field, f"{getattr(drive, field):,.4g}"),)
    if stated > rated * (1 + claim.tolerance):
        return Finding("refuted", _("The drives reach {right} at most.").format(right=right), said, right, unit, seen)
    if stated < rated * FAR_BELOW:
        reason = _("Far below the {right} that the drives are rated for: something else limits it.").format(right=right)
        return Finding("conditional", reason, said, right, unit, seen)
    return Finding("holds", "", said, right, unit, seen)


def _fastest_lane(gen: int, context: Context) -> float:
    """What one lane of a PCIe generation carries, from the fastest drive of that generation. [B/s]"""
    rates = [d.read_bytes_per_s / d.pcie_lanes for d in context.catalog.drives.values()
             if d.pcie_gen == gen and d.read_bytes_per_s]  # fmt: skip
    if not rates:
        raise MissingFact(
            f"PCIe {gen}.0", Message("drive"), Message("the audit"), Message("Add one to catalogs/drives.csv.")
        )
    return max(rates)
