"""Intervals around the headline numbers, from the bands and ranges that the catalogs state."""

from __future__ import annotations

import math

from planner.catalog import Catalog
from planner.models.availability import at_least, replica_availability
from planner.schema import Plan, Workload
from planner.search.metrics import power_basis_of
from planner.search.study import burst_factor

Range = tuple[float, float]


def ttft_p99_s(plan: Plan) -> Range:
    """80 % interval of the mean TTFT, carried over to the 99th percentile in proportion. [s]"""
    return _scaled(plan.slo.ttft_p99_s, plan.band.ttft_s, plan.serving.ttft_s)


def tpot_p99_s(plan: Plan) -> Range:
    """80 % interval of the mean TPOT, carried over to the 99th percentile in proportion. [s]"""
    return _scaled(plan.slo.tpot_p99_s, plan.band.tpot_s, plan.serving.tpot_s)


def cost_usd_per_million(plan: Plan, workload: Workload, catalog: Catalog) -> Range:
    """Cost per million output tokens if throughput errs as its band says. [USD/Mtoken]

    A replica that holds less means more replicas, in whole numbers, and the other way round;
    spares and prices stay. Equal ends mean that the same fleet serves over the whole band.
    """
    serving = plan.serving
    low, high = plan.band.output_tokens_per_s
    used = serving.utilisation * burst_factor(workload, catalog) / catalog.parameter("headroom").value
    added = plan.replicas + plan.spares - _fleet(plan, used)  # by a simulation, which the band does not change
    best, worst = (_fleet(plan, used * serving.output_tokens_per_s / t) + added for t in (high, low))
    unit = plan.cost.usd_per_million_output_tokens / (plan.replicas + plan.spares)
    return unit * min(best, plan.replicas + plan.spares), unit * max(worst, plan.replicas + plan.spares)


def availability(plan: Plan, catalog: Catalog) -> Range | None:
    """Availability over the stated range of repair times; None for spot, whose model is another. [-]"""
    option = plan.supply[0].option
    repair = catalog.parameter("repair_hours", "own" if option == "own" else "cloud")
    if option == "spot" or repair.low is None or repair.high is None:
        return None
    between = catalog.parameter("interruption_gpu_hours").value
    slow, quick = (
        at_least(
            plan.replicas,
            plan.replicas + plan.spares,
            float(replica_availability(plan.gpus_per_replica, between, hours)),
        )
        for hours in (repair.high, repair.low)
    )
    return slow, quick


def facility_w(plan: Plan, catalog: Catalog) -> Range | None:
    """Facility power of the serving replicas: the band of GPU power and the stated range of the host's share.

    The two err on their own, so that their distances add in quadrature; None where power is not sourced. [W]
    """
    power, band = plan.power, plan.band.gpu_w
    host = catalog.parameter("host_power_w_per_gpu")
    if power.gpu_w is None or power.facility_w is None or band is None or host.low is None or host.high is None:
        return None
    middle, per_watt = power.gpu_w + host.value, power.facility_w / (power.gpu_w + host.value) * plan.replicas
    low = middle - math.hypot(power.gpu_w - band[0], host.value - host.low)
    high = middle + math.hypot(band[1] - power.gpu_w, host.high - host.value)
    return low * per_watt, high * per_watt


def power_basis(plan: Plan, catalog: Catalog) -> str:
    """`calibrated` where watts of this accelerator were measured, else `roofline`."""
    return power_basis_of(catalog, plan.accelerator)


def _scaled(value: float, band: Range, middle: float) -> Range:
    return value * band[0] / middle, value * band[1] / middle


def _fleet(plan: Plan, used: float) -> int:
    """Replicas and spares when the serving replicas are used to the share `used` of their headroom."""
    return math.ceil(plan.replicas * used - 1e-3) + plan.spares
