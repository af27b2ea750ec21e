"""Quotes laid over the catalogs without a file being written."""

from __future__ import annotations

import pytest

from planner.catalog import load_catalog
from planner.errors import PlannerError
from planner.market.quotes import MAX_BYTES, read_quotes, with_quotes
from planner.search.plan import plan
from planner.ui.own_view import TEMPLATE
from planner.workloads import load_workload

HEAD = "accelerator,accelerators,term,price,provider,source,source_date\n"


def test_a_cheap_quote_wins_and_names_itself() -> None:
    catalog = load_catalog()
    workload = load_workload(changes={"limits.accelerators": ["h200"]})
    before = plan(workload, catalog, 1, 0).plans[0]
    quoted = with_quotes(
        catalog, read_quotes(f"{HEAD}h200,8,rental_3y,4.00,acme,offer 12,2026-11-20\n".encode(), catalog)
    )
    after = plan(workload, quoted, 1, 0).plans[0]
    assert after.cost.usd_per_month < before.cost.usd_per_month
    unit = after.supply[0]
    assert (unit.provider, unit.usd_per_hour, unit.source) == ("acme", 4.0, "quote: offer 12")
    assert quoted.sha256 != catalog.sha256 and len(quoted.prices) == len(catalog.prices) + 1


def test_a_quoted_purchase_takes_the_place_of_the_price_seen() -> None:
    catalog = load_catalog()
    content = f"{HEAD}h200,1,purchase,21000,acme,offer 12,2026-11-20\n".encode()
    rows = [p for p in with_quotes(catalog, read_quotes(content, catalog)).purchases if p.item == "h200-sxm-141gb"]
    assert [(p.price_usd_low, p.price_usd_high) for p in rows if p.kind == "accelerator"] == [(21000, 21000)]


def test_the_template_reads() -> None:
    catalog = load_catalog()
    assert len(read_quotes(TEMPLATE.encode(), catalog).offers) == 1


@pytest.mark.parametrize(
    "content",
    [
        b"",
        b"\xff\xfe",
        HEAD.encode(),
        b"a,b\n1,2\n",
        f"{HEAD}h2000,8,rental_3y,4,acme,x,2026-11-20\n".encode(),
        f"{HEAD}h200,8,rental_3y,-4,acme,x,2026-11-20\n".encode(),
        f"{HEAD}h200,8,rental_3y,4,../../etc,x,2026-11-20\n".encode(),
        b"x" * (MAX_BYTES + 1),
    ],
)
def test_what_is_no_quote_is_refused(content: bytes) -> None:
    with pytest.raises(PlannerError):
        read_quotes(content, load_catalog())


@pytest.mark.parametrize(
    ("provider", "id"),
    [("ACME Cloud", "acme-cloud"), ("Dell", "dell"), ("B & B (EU)", "b-b-eu"), ("acme-2.eu", "acme-2.eu")],
)
def test_a_seller_is_named_as_people_write_it(provider: str, id: str) -> None:
    """The catalogs' own spelling is made of it, and what was written stays in the notes."""
    content = f"{HEAD}h200,8,rental_3y,4.00,{provider},offer 12,2026-11-20\n".encode()
    offer = read_quotes(content, load_catalog()).offers[0]
    assert offer.provider == id and (provider in offer.notes) == (provider != id)


@pytest.mark.parametrize("provider", ["<b>acme</b>", "-acme", "[acme](x)", "阿里云"])
def test_a_seller_with_markup_is_refused_with_what_is_allowed(provider: str) -> None:
    content = f"{HEAD}h200,8,rental_3y,4.00,{provider},offer 12,2026-11-20\n".encode()
    with pytest.raises(PlannerError, match=r"column provider.*letters of A to Z, digits, spaces"):
        read_quotes(content, load_catalog())


def test_no_text_is_told_without_a_place_of_the_server() -> None:
    with pytest.raises(PlannerError, match=r"^quotes\.csv is not UTF-8 text"):
        read_quotes(b"\x89PNG\r\n\x1a\n\x00\xff", load_catalog())
