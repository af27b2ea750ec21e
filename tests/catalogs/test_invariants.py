"""What must hold between the figures; whoever breaks a rule is listed by name, with the reason."""

from __future__ import annotations

from collections import defaultdict

import pytest

from planner.catalog import Catalog
from planner.schema import Accelerator, Price
from planner.units import GIB

# PCIe card -> the SXM part of the same generation.
PCIE_AND_SXM = {
    "a100-pcie-40gb": "a100-sxm-40gb",
    "a100-pcie-80gb": "a100-sxm-80gb",
    "h100-pcie-80gb": "h100-sxm-80gb",
    "h100-nvl-94gb": "h100-sxm-80gb",
    "h200-nvl-141gb": "h200-sxm-141gb",
}
AS_FAST_AS_SXM = {
    "a100-pcie-40gb": "the NVLink bridge carries all 12 links; it joins 2 cards and not 8",
    "a100-pcie-80gb": "the NVLink bridge carries all 12 links; it joins 2 cards and not 8",
    "h200-nvl-141gb": "the NVLink bridge carries all 18 links; it joins 4 cards and not 8",
}
SPARSE_IS_NOT_DOUBLE = {
    ("b300-sxm-288gb", "fp4"): "Blackwell Ultra raised dense FP4 only",
    ("gb300-288gb", "fp4"): "Blackwell Ultra raised dense FP4 only",
}
NO_SPARSITY = {
    "mi250x-128gb": "CDNA 2 has no 2:4 sparsity",
    "gaudi3-128gb": "no 2:4 sparsity sourced",
    "ascend910b-64gb": "rates were not sourced",
    "ascend910c-128gb": "no 2:4 sparsity sourced",
}
# Part for China -> the part it was cut down from; only the link differs.
SAME_CHIP = {"a800-sxm-80gb": "a100-sxm-80gb", "h800-sxm-80gb": "h100-sxm-80gb"}
OTHER_RATE = {
    ("h800-sxm-80gb", "fp32"): "TechPowerUp lists a lower boost clock for the H800",
    ("h800-sxm-80gb", "bf16"): "989 against 989.4: rounded by the source",
    ("h800-sxm-80gb", "fp8"): "1979 against 1978.9: rounded by the source",
    ("h800-sxm-80gb", "int8"): "1979 against 1978.9: rounded by the source",
}
CUT_COMPUTE = {
    "h20-96gb": ("h100-sxm-80gb", "export rules limited the rate: 15 % of an H100"),
    "l20-48gb": ("l40s-48gb", "export rules limited the rate: a third of an L40S"),
}
SPOT_ABOVE_ON_DEMAND = {
    (
        "aws",
        "p4de.24xlarge",
        "ap-southeast-1",
    ): "32.9365 against 32.93646: rounded, equals on-demand, unusable",
    ("aws", "p4d.24xlarge", "eu-central-1"): "27.433 against 27.43298: rounded, equals on-demand, unusable",
}
NOT_A_SUM_OF_PARTS = {
    "b200-sxm-180gb": "NVIDIA's own DGX with its software and support; the parts are an OEM server's",
}
PCIE_LANE_BYTES_PER_S = {3: 1e9, 4: 2e9, 5: 4e9, 6: 8e9}  # one way, rounded as datasheets do


def peaks(row: Accelerator) -> dict[str, float]:
    return {str(dtype): value for dtype, value in row.peak_flops_per_s.items()}


@pytest.mark.parametrize("card", PCIE_AND_SXM)
def test_a_pcie_card_scales_up_more_slowly_than_sxm(catalog: Catalog, card: str) -> None:
    pcie, sxm = catalog.accelerators[card], catalog.accelerators[PCIE_AND_SXM[card]]
    assert pcie.scaleup_bytes_per_s is not None and sxm.scaleup_bytes_per_s is not None
    slower = pcie.scaleup_bytes_per_s < sxm.scaleup_bytes_per_s
    assert slower is (card not in AS_FAST_AS_SXM)
    assert pcie.scaleup_bytes_per_s <= sxm.scaleup_bytes_per_s
    assert pcie.scaleup_domain_gpus < sxm.scaleup_domain_gpus


def test_sparse_is_twice_dense(catalog: Catalog) -> None:
    for id, row in catalog.accelerators.items():
        assert bool(row.peak_sparse_flops_per_s) is (id not in NO_SPARSITY), id
        for dtype, sparse in row.peak_sparse_flops_per_s.items():
            double = sparse == pytest.approx(2 * row.peak_flops_per_s[dtype], rel=1e-3)
            assert double is ((id, str(dtype)) not in SPARSE_IS_NOT_DOUBLE), (id, dtype)
            assert sparse <= 2.001 * row.peak_flops_per_s[dtype]


def test_cdna4_has_no_sparse_fp4(catalog: Catalog) -> None:
    assert "fp4" not in catalog.accelerators["mi355x-288gb"].peak_sparse_flops_per_s


def test_narrower_numbers_are_never_slower(catalog: Catalog) -> None:
    # int8 is left out: Blackwell Ultra nearly removed it.
    for id, row in catalog.accelerators.items():
        known = peaks(row)
        rates = [known[dtype] for dtype in ("fp32", "tf32", "bf16", "fp8", "fp4") if dtype in known]
        assert rates == sorted(rates), id


def test_driver_shows_at_most_the_label_in_gib(catalog: Catalog) -> None:
    for id, row in catalog.accelerators.items():
        if row.memory_visible_bytes is not None:
            assert row.memory_visible_bytes <= row.memory_marketed_bytes / 1e9 * GIB, id


def test_every_accelerator_has_a_visible_memory(catalog: Catalog) -> None:
    assert [id for id, row in catalog.accelerators.items() if row.memory_visible_bytes is None] == []


@pytest.mark.parametrize("china", SAME_CHIP)
def test_cut_down_parts_keep_the_chip(catalog: Catalog, china: str) -> None:
    ours, full = catalog.accelerators[china], catalog.accelerators[SAME_CHIP[china]]
    assert ours.bandwidth_bytes_per_s == full.bandwidth_bytes_per_s
    assert ours.memory_marketed_bytes == full.memory_marketed_bytes
    assert (ours.scaleup_bytes_per_s or 0) < (full.scaleup_bytes_per_s or 0)
    for dtype, rate in peaks(full).items():
        tolerance = 0.15 if (china, dtype) in OTHER_RATE else 1e-9
        assert peaks(ours)[dtype] == pytest.approx(rate, rel=tolerance), (china, dtype)


@pytest.mark.parametrize("china", CUT_COMPUTE)
def test_parts_with_cut_compute_keep_the_bandwidth(catalog: Catalog, china: str) -> None:
    ours, full = catalog.accelerators[china], catalog.accelerators[CUT_COMPUTE[china][0]]
    assert (ours.bandwidth_bytes_per_s or 0) >= (full.bandwidth_bytes_per_s or 0)
    assert peaks(ours)["bf16"] < 0.5 * peaks(full)["bf16"]


def test_accelerator_figures_are_plausible(catalog: Catalog) -> None:
    for id, row in catalog.accelerators.items():
        bandwidth, bf16 = row.bandwidth_bytes_per_s, peaks(row).get("bf16")
        assert bandwidth is None or 0.25e12 <= bandwidth <= 9e12, id
        assert bf16 is None or 100e12 <= bf16 <= 3000e12, id
        if bandwidth and bf16:
            assert 30 <= bf16 / bandwidth <= 550, f"{id}: FLOP per byte from L4 to H20 lies between"
        assert row.tdp_w is None or 50 <= row.tdp_w <= 1500, id
        if row.idle_low_w is not None and row.idle_high_w is not None:
            assert row.idle_low_w <= row.idle_high_w < (row.tdp_w or 1500), id


def test_pcie_bandwidth_is_lanes_times_rate(catalog: Catalog) -> None:
    for id, row in catalog.accelerators.items():
        assert row.pcie_bytes_per_s == row.pcie_lanes * PCIE_LANE_BYTES_PER_S[row.pcie_gen], id


def test_only_full_meshes_are_marked(catalog: Catalog) -> None:
    meshes = {id for id, row in catalog.accelerators.items() if row.scaleup_mesh}
    assert meshes == {id for id, row in catalog.accelerators.items() if "full mesh" in row.scaleup_link}


def test_cpu_memory_is_channels_times_rate_times_eight_bytes(catalog: Catalog) -> None:
    for id, row in catalog.cpus.items():
        if row.memory_bytes_per_s is None:
            assert row.memory_channels is None, id
            continue
        assert row.memory_channels is not None and row.memory_transfers_per_s is not None, id
        product = row.memory_channels * row.memory_transfers_per_s * 8
        assert row.memory_bytes_per_s == pytest.approx(product, rel=1e-9), id


def test_a_drive_does_not_outrun_its_link(catalog: Catalog) -> None:
    for id, row in catalog.drives.items():
        link = row.pcie_lanes * PCIE_LANE_BYTES_PER_S[row.pcie_gen]
        assert (row.read_bytes_per_s or 0) <= link and (row.write_bytes_per_s or 0) <= link, id


def test_price_per_accelerator_times_count_is_the_price(catalog: Catalog) -> None:
    counts = {(row.provider, row.instance_type): row.accelerators for row in catalog.instances}
    for row in catalog.prices:
        count = counts[row.provider, row.instance_type]
        assert (row.price_usd_per_gpu_hour is None) is (count is None), row
        if count is not None and row.price_usd_per_gpu_hour is not None:
            total = row.price_usd_per_gpu_hour * count
            assert row.price_usd_per_hour == pytest.approx(total, rel=1e-5, abs=1e-5), row


def on_demand(catalog: Catalog) -> dict[tuple[str, str, str, str], Price]:
    return {
        (row.provider, row.instance_type, row.region, row.source_date): row
        for row in catalog.prices
        if row.term == "on_demand"
    }


def test_spot_is_below_on_demand_of_the_same_snapshot(catalog: Catalog) -> None:
    offers, above = on_demand(catalog), set()
    for row in catalog.prices:
        offer = offers.get((row.provider, row.instance_type, row.region, row.source_date))
        if row.term == "spot" and offer and row.price_usd_per_hour > offer.price_usd_per_hour:
            assert not row.usable, row
            above.add((row.provider, row.instance_type, row.region))
    assert above == set(SPOT_ABOVE_ON_DEMAND)


def test_a_spot_price_that_equals_on_demand_is_no_offer(catalog: Catalog) -> None:
    offers = on_demand(catalog)
    for row in catalog.prices:
        offer = offers.get((row.provider, row.instance_type, row.region, row.source_date))
        if row.term == "spot" and offer:
            same = row.price_usd_per_hour == pytest.approx(offer.price_usd_per_hour, rel=1e-4)
            assert row.usable is not same, row


def test_only_placeholders_are_unusable(catalog: Catalog) -> None:
    for row in catalog.prices:
        no_capacity = row.term == "spot" and "on-demand" in row.notes
        guess_of_the_source = row.term == "rental_3y" and "marked temporary" in row.notes
        assert row.usable or no_capacity or guess_of_the_source, row


def test_a_larger_shape_of_one_accelerator_costs_no_less(catalog: Catalog) -> None:
    # Same provider, family, region and date: more accelerators never cost less in total.
    counts = {(row.provider, row.instance_type): row.accelerators for row in catalog.instances}
    ladders: dict[tuple[str, str, str], list[tuple[float, float]]] = defaultdict(list)
    for row in catalog.prices:
        count = counts[row.provider, row.instance_type]
        if row.term == "on_demand" and row.provider == "lambda" and count:
            family = row.instance_type.split("_", 2)[2]
            ladders[family, row.region, row.source_date].append((count, row.price_usd_per_hour))
    for key, steps in ladders.items():
        prices = [price for _, price in sorted(steps)]
        assert prices == sorted(prices), key


def test_a_server_costs_more_than_its_accelerators(catalog: Catalog) -> None:
    parts = {row.item: row for row in catalog.purchases if row.kind == "accelerator"}
    (base,) = (row for row in catalog.purchases if row.kind == "server_base")
    for row in catalog.purchases:
        if row.kind != "server" or row.item not in parts:
            continue
        part = parts[row.item]
        assert row.price_usd_low > 8 * part.price_usd_low, row.item
        overlaps = (
            row.price_usd_low <= base.price_usd_high + 8 * part.price_usd_high
            and row.price_usd_high >= base.price_usd_low + 8 * part.price_usd_low
        )
        assert overlaps is (row.item not in NOT_A_SUM_OF_PARTS), row.item


def test_sites_are_plausible(catalog: Catalog) -> None:
    for id, row in catalog.sites.items():
        assert row.electricity_usd_per_kwh is not None and row.pue is not None, id
        assert 0.03 <= row.electricity_usd_per_kwh <= 0.35, id
        assert row.carbon_kg_per_kwh is None or row.carbon_kg_per_kwh <= 1, f"{id}: grams?"
        assert row.colocation_usd_per_kw_month is None or 50 <= row.colocation_usd_per_kw_month <= 500, id


def test_owned_hours_cost_a_neocloud_more(catalog: Catalog) -> None:
    costs = {(row.accelerator, row.owner): row.price_usd_per_gpu_hour for row in catalog.owned_hours}
    for accelerator in {row.accelerator for row in catalog.owned_hours}:
        assert costs[accelerator, "neocloud"] > costs[accelerator, "hyperscaler"]


def test_rented_hosts_are_plausible(catalog: Catalog) -> None:
    for row in catalog.instances:
        if row.vcpus is not None and row.memory_bytes is not None:
            assert 1.5 <= row.memory_bytes / GIB / row.vcpus <= 32, f"{row.instance_type}: GiB per vCPU"
