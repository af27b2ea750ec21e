"""Bill of materials of a plan: servers with their hosts, drives and NICs, switches and optics, racks."""

from __future__ import annotations

import math
import re
from dataclasses import dataclass

from planner.catalog import Catalog
from planner.errors import Message, MissingFact, UnknownName
from planner.models import bill as counts
from planner.models.host import Stage
from planner.models.memory import weight_bytes
from planner.schema import Accelerator, Cpu, Drive, Plan, Server, Sourced, Workload
from planner.schema.costs import Bill, BillItem, HostDesign, Unpriced
from planner.search.bom_prices import Pricing
from planner.search.loading import Storage, start_of
from planner.shapes import llm_shape

SOCKETS = 2
SWITCH, NIC, TRANSCEIVER = "qm9700", "connectx-7", "mms4x00-ns400"
FRONT_END_SWITCH, FRONT_END_LINK = "sn5400", "400g-ethernet-link"
FRONT_END_LINKS = 2
NEARLY = 0.9  # of the fastest read: what is slower costs load time, what is faster is not worth a larger drive


@dataclass(frozen=True)
class Fleet:
    """Servers of a plan as if owned: how many, how many of them stand by, accelerators in each."""

    servers: int
    spare_servers: int
    accelerators: int


@dataclass(frozen=True)
class Beside:
    """What stands beside the servers.

    Attributes
    ----------
    rails : a port per accelerator, not a front end alone
    links : of one server [-]
    fabric : None where it would need a third tier
    optics_w : power of all transceivers [W]
    racks, rack_w : how many, and what each may draw [-], [W]
    items : lines of the bill
    """

    rails: bool
    links: int
    fabric: counts.Fabric | None
    optics_w: float
    racks: int
    rack_w: float
    items: tuple[BillItem, ...]


def bill_of(plan: Plan, workload: Workload, catalog: Catalog, fleet: Fleet) -> Bill:
    """Everything to buy for a plan, priced where a price is sourced or quoted.

    Raises
    ------
    UnknownName, MissingFact, WorkloadError
        For parts that do not exist, that lack a figure, or that do not fit together.
    """
    accelerator = catalog.accelerators[plan.accelerator]
    host, cpu, drive = design_host(plan, workload, catalog, fleet.accelerators)
    beside, pricing = beside_servers(plan, workload, catalog, fleet), Pricing(catalog, workload)
    server_w = server_power_w(catalog, plan.accelerator, fleet.accelerators)
    items = [
        _server(pricing, plan, accelerator, fleet, server_w),
        *_parts(pricing, plan, catalog, fleet, host, cpu, drive, beside.links),
        *beside.items,
    ]
    items += pricing.installation(items)
    unpriced = pricing.unpriced(items)
    if beside.fabric is None:
        unpriced += (Unpriced(what="three-tier fabric", field="ownership.fabric = front-end, or a quote"),)
    priced = pricing.totals(items)
    return Bill(
        servers=fleet.servers,
        spare_servers=fleet.spare_servers,
        host=host,
        fabric="rails" if beside.rails else "front-end",
        racks=beside.racks,
        rack_w=beside.rack_w,
        cooling=workload.ownership.cooling,
        provisioned_w=provisioned_w(catalog, plan.accelerator, fleet) + beside.optics_w,
        items=tuple(items),
        capital_usd=priced[1],
        capital_usd_low=priced[0],
        capital_usd_high=priced[2],
        unpriced=unpriced,
    )


def beside_servers(plan: Plan, workload: Workload, catalog: Catalog, fleet: Fleet) -> Beside:
    """Switches, links and racks for servers of a plan, priced where a price is sourced or quoted.

    Raises
    ------
    MissingFact
        If the board limit is not sourced.
    """
    rails = _rails(plan, workload, catalog.accelerators[plan.accelerator])
    links = fleet.accelerators if rails else FRONT_END_LINKS
    ports = catalog.network[SWITCH if rails else FRONT_END_SWITCH].ports
    assert ports is not None
    fabric = counts.rail_fabric(fleet.servers, links, ports) if rails else counts.front_end(fleet.servers, ports, links)
    optics_w = (catalog.network[TRANSCEIVER].max_power_w or 0.0) * (fabric.transceivers if fabric else 0)
    rack_w, server_w = _rack_w(workload, catalog), server_power_w(catalog, plan.accelerator, fleet.accelerators)
    racks, pricing = counts.racks_needed(fleet.servers, server_w, rack_w), Pricing(catalog, workload)
    kind = f"{rack_w / 1e3:g} kW, {workload.ownership.cooling}"
    items = [
        *_network(pricing, catalog, fabric, fleet, rails),
        pricing.item("rack", "rack", kind, racks, kw=rack_w / 1e3),
    ]
    return Beside(rails, links, fabric, optics_w, racks, rack_w, tuple(items))


def provisioned_w(catalog: Catalog, accelerator: str, fleet: Fleet) -> float:
    """IT power of all servers at their limits, as colocation is paid for. [W]

    Raises
    ------
    MissingFact
        If the board limit is not sourced.
    """
    tdp = catalog.accelerators[accelerator].tdp_w
    if tdp is None:
        raise MissingFact(
            accelerator, "tdp_w", Message("a bill of materials"), Message("Add it to catalogs/accelerators.toml.")
        )
    each = tdp + catalog.parameter("host_power_w_per_gpu").value
    return each * fleet.servers * fleet.accelerators


def server_power_w(catalog: Catalog, accelerator: str, count: int) -> float:
    """Power to provide for one server: its sourced maximum, or boards and host at their limits if that is more. [W]"""
    known = [s.max_power_w for s in _servers(catalog, accelerator, count) if s.max_power_w]
    return max([*known, provisioned_w(catalog, accelerator, Fleet(1, 0, count))])


def design_host(plan: Plan, workload: Workload, catalog: Catalog, count: int) -> tuple[HostDesign, Cpu | None, Drive]:
    """Cores, memory and drives of one server with `count` accelerators."""
    own = workload.ownership
    cpu, sockets = _host_cpu(plan, workload, catalog, count)
    stored = checkpoint_bytes(plan, catalog)
    replicas = max(count // plan.gpus_per_replica, 1)
    memory = _share_of_server(plan, stored, count) + count * catalog.parameter("host_bytes_per_gpu").value
    channels = sockets * cpu.memory_channels if cpu and cpu.memory_channels else None
    modules = counts.memory_modules(memory, channels) if channels else None
    room = stored * catalog.parameter("stored_over_weights").value
    drive = _drive(workload, catalog, room, cpu)
    assert drive.capacity_bytes and drive.read_bytes_per_s
    drives = counts.drives_needed(room, drive.capacity_bytes, own.raid)
    gen = cpu.pcie_gen if cpu else drive.pcie_gen
    read = counts.array_read_bytes_per_s(
        drives, drive.read_bytes_per_s, drive.pcie_gen, drive.pcie_lanes, gen, own.raid
    )
    seconds, bound = _load_time(plan, catalog, count, read)
    return (
        HostDesign(
            cpu=cpu.id if cpu else None,
            sockets=sockets,
            cores_needed=_cores_needed(plan, catalog, count, replicas),
            cores=cpu.cores * sockets if cpu else None,
            memory_needed_bytes=memory,
            memory_bytes=float(modules[0] * modules[1]) if modules else None,
            memory_channels=channels,
            memory_bytes_per_s=cpu.memory_bytes_per_s * sockets if cpu and cpu.memory_bytes_per_s else None,
            drive=drive.id,
            drives=drives,
            raid=own.raid,
            stored_bytes=room,
            array_bytes=counts.array_bytes(drives, drive.capacity_bytes, own.raid),
            array_read_bytes_per_s=read,
            load_time_s=seconds,
            load_bound=bound,
            survives_a_drive=own.raid != "raid0",
        ),
        cpu,
        drive,
    )


def checkpoint_bytes(plan: Plan, catalog: Catalog) -> float:
    """Size of the weights on disk. [B]"""
    llm, weights = catalog.llms[plan.llm], plan.layout.weights
    wide = True if weights == llm.weights and "attention" in llm.unquantised else None
    return weight_bytes(llm_shape(plan.llm, llm), weights, wide)


def _share_of_server(plan: Plan, stored: float, count: int) -> float:
    """Weights that one server stages: all of them, or its part of a replica over several servers. [B]"""
    return stored * min(count / plan.gpus_per_replica, 1.0)


def _cores_needed(plan: Plan, catalog: Catalog, count: int, replicas: int) -> int:
    """A core for each busy process of the engines, and those that tokenise at the busy rate.

    Processes as vLLM counts them: server, engine core of each rank group, worker of each accelerator, coordinator.
    """
    dp = plan.layout.dp
    processes = replicas * (2 * dp + (dp > 1)) + count
    busy = plan.serving.requests_per_s / max(plan.serving.utilisation, 1e-9) * replicas
    tokenising = busy * catalog.parameter("ingest_s").value
    threads = catalog.parameter("host_threads_per_process").value
    return math.ceil(processes * threads / 2 + tokenising)


def _load_time(plan: Plan, catalog: Catalog, count: int, read_bytes_per_s: float) -> tuple[float, Stage]:
    """Weights of a server's accelerators from its array, as a plan computes it from the reference drive. [s]"""
    gpus = min(plan.gpus_per_replica, count)
    on_disk = checkpoint_bytes(plan, catalog) * gpus / plan.gpus_per_replica
    array = Storage(array_bytes_per_s=read_bytes_per_s)
    started = start_of(catalog, plan.accelerator, on_disk, gpus, array, warm_node=True)
    return started.start.seconds, started.loading.bound


def _host_cpu(plan: Plan, workload: Workload, catalog: Catalog, count: int) -> tuple[Cpu | None, int]:
    """The buyer's processor, else the one that the first sourced server with these accelerators has."""
    if workload.ownership.host:
        return catalog.cpus[catalog.cpu_id(workload.ownership.host, "ownership.host")], SOCKETS
    for server in _servers(catalog, plan.accelerator, count):
        for cpu in catalog.cpus.values():
            if _is_cpu(cpu, server.cpu_as_written):
                return cpu, server.sockets or SOCKETS
    return None, SOCKETS


def _servers(catalog: Catalog, accelerator: str, count: int) -> list[Server]:
    return [s for s in catalog.servers.values() if s.accelerator == accelerator and s.accelerators == count]


def _is_cpu(cpu: Cpu, written: str) -> bool:
    """Same model number: `Xeon Platinum 8480C` is the 8480+ of the catalog."""
    number = re.search(r"\d{4}[A-Z]?", cpu.name)
    return number is not None and number.group().rstrip("C") in written


def _drive(workload: Workload, catalog: Catalog, room: float, cpu: Cpu | None) -> Drive:
    """The buyer's drive; else of those that it takes fewest of, and nearly as fast as the fastest, the smallest."""
    if workload.ownership.drive:
        return _named_drive(catalog, workload.ownership.drive)
    raid, gen = workload.ownership.raid, cpu.pcie_gen if cpu else max(counts.PCIE_LANE_BYTES_PER_S)
    real = [d for d in catalog.drives.values() if d.capacity_bytes and d.read_bytes_per_s and d.vendor != "computed"]

    def number(d: Drive) -> int:
        return counts.drives_needed(room, d.capacity_bytes or 0.0, raid)

    def reads(d: Drive) -> float:
        read = d.read_bytes_per_s or 0.0
        return counts.array_read_bytes_per_s(number(d), read, d.pcie_gen, d.pcie_lanes, gen, raid)

    least = min(number(d) for d in real)
    few = [d for d in real if number(d) == least]
    best = max(reads(d) for d in few)
    fast = [d for d in few if reads(d) >= NEARLY * best]
    return min(fast, key=lambda d: (d.capacity_bytes, d.id))


def _named_drive(catalog: Catalog, id: str) -> Drive:
    if id not in catalog.drives:
        raise UnknownName("drive", id, catalog.drives, "planner catalog ls drives", "ownership.drive")
    for field in ("capacity_bytes", "read_bytes_per_s"):
        if getattr(catalog.drives[id], field) is None:
            raise MissingFact(
                id, field, Message("the array of drives"), Message("Add it with its source to catalogs/drives.csv.")
            )
    return catalog.drives[id]


def _rails(plan: Plan, workload: Workload, accelerator: Accelerator) -> bool:
    """A port per accelerator, where asked for or where a replica reaches beyond its scale-up link."""
    asked = workload.ownership.fabric
    beyond = plan.nodes_per_replica > 1 and plan.gpus_per_replica > accelerator.scaleup_domain_gpus
    return asked == "rails" or (asked == "auto" and (beyond or plan.layout.mode == "disaggregated"))


def _rack_w(workload: Workload, catalog: Catalog) -> float:
    own = workload.ownership
    return own.rack_kw * 1e3 if own.rack_kw else catalog.parameter("rack_w", own.cooling).value


def _server(pricing: Pricing, plan: Plan, accelerator: Accelerator, fleet: Fleet, power_w: float) -> BillItem:
    name = f"server with {fleet.accelerators} x {accelerator.name}"
    return pricing.server(plan.accelerator, name, fleet.servers, fleet.spare_servers, fleet.accelerators, power_w)


def _parts(
    pricing: Pricing,
    plan: Plan,
    catalog: Catalog,
    fleet: Fleet,
    host: HostDesign,
    cpu: Cpu | None,
    drive: Drive,
    links: int,
) -> list[BillItem]:
    """What a server holds, at the price of the server."""
    n, spare = fleet.servers, fleet.spare_servers
    accelerator, nic = catalog.accelerators[plan.accelerator], catalog.network[NIC]

    def part(
        role: str, id: str, name: str, row: Sourced, each: int, power_w: float | None, **why: float | str
    ) -> BillItem:
        return pricing.part(plan.accelerator, role, id, name, row, n, spare, each, power_w, **why)

    found = [
        part("accelerator", plan.accelerator, accelerator.name, accelerator, fleet.accelerators, accelerator.tdp_w)
    ]
    if cpu is not None:
        cores = {"cores_needed": host.cores_needed, "cores": host.cores or 0}
        found.append(part("cpu", cpu.id, cpu.name, cpu, host.sockets, cpu.tdp_w, **cores))
    if cpu is not None and host.memory_bytes and host.memory_channels:
        modules, size = counts.memory_modules(host.memory_needed_bytes, host.memory_channels)
        filled = {"needed_gb": host.memory_needed_bytes / 1e9, "channels": host.memory_channels}
        found.append(part("memory", "memory", f"{cpu.memory_type} {size // 2**30} GiB", cpu, modules, None, **filled))
    stored: dict[str, float | str] = {
        "needed_gb": host.stored_bytes / 1e9,
        "raid": host.raid,
        "read_gb_per_s": host.array_read_bytes_per_s / 1e9,
        "load_s": host.load_time_s,
    }
    found.append(part("drive", drive.id, drive.name, drive, host.drives, drive.active_power_w, **stored))
    found.append(part("nic", NIC, nic.name, nic, links, nic.max_power_w))
    return found


def _network(
    pricing: Pricing, catalog: Catalog, fabric: counts.Fabric | None, fleet: Fleet, rails: bool
) -> list[BillItem]:
    """Switches and links, where there is more than one server: InfiniBand rails, or an Ethernet front end."""
    if fabric is None or fleet.servers <= 1:
        return []
    switch = catalog.network[SWITCH if rails else FRONT_END_SWITCH]
    optic = catalog.network[TRANSCEIVER]
    both_ends_w = 2 * optic.max_power_w if optic.max_power_w else None
    each = fabric.server_links // fleet.servers
    why: dict[str, float | str] = {"servers": fleet.servers, "links": each, "ports": switch.ports or 0}
    found = [pricing.item("leaf", switch.id, switch.name, fabric.leaves, switch.max_power_w, **why)]
    if fabric.spines:
        found.append(pricing.item("spine", switch.id, switch.name, fabric.spines, switch.max_power_w, **why))
    name, link = f"2 x {optic.name}", "ndr-host-link" if rails else FRONT_END_LINK
    found.append(pricing.item("server_link", link, name, fabric.server_links, both_ends_w, **why))
    if fabric.switch_links:
        found.append(pricing.item("switch_link", "ndr-switch-link", name, fabric.switch_links, both_ends_w, **why))
    return found
