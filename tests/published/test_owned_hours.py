"""Published costs of owned accelerators, PUE, power and colocation against the model.

The publisher of the owned hours gives one of its inputs, the power behind each accelerator (1.73 kW for H100,
2.17 kW for B200, everything included). The others are ours, each over the range that is sourced: purchase prices,
useful lives of 4 to 6 years, tariffs and colocation. The published figures have to lie within the band that this gives.
"""

from __future__ import annotations

import pytest

from planner.catalog import Catalog
from planner.models import finance
from planner.search.bom import Fleet, provisioned_w
from planner.search.bom_prices import Pricing
from planner.units import HOURS_PER_MONTH
from planner.workloads import load_workload

LIVES = (4, 6)  # years: site_metrics, useful_life, less the critics' 3
RATES = (0.06, 0.12)  # assumed cost of capital


def metric(catalog: Catalog, name: str, region: str) -> float:
    return next(m.value for m in catalog.site_metrics if m.metric == name and m.region == region)


def hour_usd(catalog: Catalog, id: str, server_usd: float, years: int, rate: float, place_usd_per_kw: float) -> float:
    """An accelerator-hour from the publisher's power and our annuity, colocation and tariff."""
    kw = metric(catalog, "all_in_power_per_gpu", id.split("-")[0])
    yearly = float(finance.annuity_usd(server_usd / 8, 0.0, years, rate))
    pue = catalog.sites["us-average"].pue or 1.0
    energy = float(finance.energy_usd_per_month(kw * 1e3, metric(catalog, "electricity_price", "US")))
    space = float(finance.colocation_usd_per_month(kw * 1e3 / pue, place_usd_per_kw))
    return (yearly / 12 + energy + space) / HOURS_PER_MONTH


@pytest.mark.parametrize("id", ["h100-sxm-80gb", "b200-sxm-180gb"])
def test_published_owned_hours_lie_in_the_band(catalog: Catalog, id: str) -> None:
    pricing = Pricing(catalog, load_workload())
    item = pricing.server(id, "server", 1, 0, 8, 0.0)
    assert item.unit_usd_low is not None and item.unit_usd_high is not None
    low = hour_usd(catalog, id, item.unit_usd_low, LIVES[1], RATES[0], 130)
    high = hour_usd(catalog, id, item.unit_usd_high, LIVES[0], RATES[1], 184.06)
    published = [row.price_usd_per_gpu_hour for row in catalog.owned_hours if row.accelerator == id]
    assert len(published) == 2
    assert all(low < value < high for value in published), (low, published, high)
    assert high < 2.5 * low  # a band that could not fail would show nothing


@pytest.mark.parametrize("id", ["h100-sxm-80gb", "h200-sxm-141gb", "b200-sxm-180gb"])
def test_power_at_the_meter_is_near_the_published_all_in_power(catalog: Catalog, id: str) -> None:
    """Boards and hosts at their limits times the mean PUE, against the publisher's kW: within a tenth."""
    each = provisioned_w(catalog, id, Fleet(1, 0, 8)) / 8
    pue = catalog.sites["us-average"].pue or 0.0
    assert each * pue / 1e3 == pytest.approx(metric(catalog, "all_in_power_per_gpu", id.split("-")[0]), rel=0.1)


def test_sites_carry_the_sourced_pue_and_colocation(catalog: Catalog) -> None:
    site = catalog.sites["us-average"]
    assert site.pue == next(m.value for m in catalog.site_metrics if m.metric == "pue" and m.period == "2024")
    assert site.colocation_usd_per_kw_month == metric(catalog, "colocation_price", "US primary markets")
    assert site.colocation_includes_energy is False  # "power extra"
