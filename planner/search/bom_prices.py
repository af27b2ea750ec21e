"""Prices of a bill of materials: the buyer's quotes, else sourced purchase prices, else a named blank."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field

from planner.catalog import Catalog
from planner.errors import WorkloadError
from planner.schema import Purchase, Sourced, Workload
from planner.schema.costs import BillItem, Unpriced
from planner.search.offers import STALE_AFTER, server_item, server_usd

QUOTE = "ownership.unit_prices"
Spread = tuple[float, float, float]  # low, middle, high. [USD]


@dataclass(frozen=True)
class Pricing:
    """The catalog's purchase prices with the buyer's quotes over them."""

    catalog: Catalog
    workload: Workload
    bought: dict[str, Purchase] = field(init=False)

    def __post_init__(self) -> None:
        rows = {p.item: p for p in self.catalog.purchases if p.kind in ("switch", "link")}
        object.__setattr__(self, "bought", rows)

    @property
    def quotes(self) -> dict[str, float]:
        """The buyer's prices by item. [USD]"""
        return self.workload.ownership.unit_prices

    def server(self, accelerator: str, name: str, count: int, spare: int, gpus: int, power_w: float) -> BillItem:
        """Servers with all that is in them: parts lists and whole-server quotes give the span."""
        spread, rows = self._server_price(accelerator, gpus)
        source = "; ".join(dict.fromkeys(r.source for r in rows))
        return self._item(
            "server", server_item(accelerator), name, count, spare, spread, power_w, rows, source, {"gpus": gpus}
        )

    def _server_price(self, accelerator: str, gpus: int) -> tuple[Spread | None, Sequence[Sourced]]:
        quote = self.quotes.get(server_item(accelerator))
        if quote is not None:
            return (quote,) * 3, (self._quoted(),)
        middle, rows = server_usd(self.catalog.purchases, accelerator, gpus)
        if middle is None or rows is None:
            return None, ()
        gpu, base = rows
        low = gpu.price_usd_low * gpus + base.price_usd_low * gpus / 8
        high = gpu.price_usd_high * gpus + base.price_usd_high * gpus / 8
        whole = [p for p in self.catalog.purchases if p.kind == "server" and p.item == accelerator and gpus == 8]
        ends = [low, high, *(p.price_usd_low for p in whole), *(p.price_usd_high for p in whole)]
        return (min(ends), middle, max(ends)), (*rows, *whole)

    def part(
        self,
        accelerator: str,
        role: str,
        item: str,
        name: str,
        row: Sourced,
        servers: int,
        spare: int,
        each: int,
        power_w: float | None,
        **why: float | str,
    ) -> BillItem:
        """What comes inside the servers, at no price of its own unless the buyer quotes both.

        Raises
        ------
        WorkloadError
            If a part is quoted and the server is not: the part would be paid twice.
        """
        server, quote, why = server_item(accelerator), self.quotes.get(item), {"per_server": each, **why}
        if quote is not None and server not in self.quotes:
            raise WorkloadError(
                "{quote} prices {item}, which is inside the server's sourced price: it would be paid "
                "twice.\n"
                "  Quote the server without it as well, under {quote}.{server}.",
                quote=QUOTE,
                item=item,
                server=server,
            )
        if quote is not None:
            return self._item(
                role, item, name, servers * each, spare * each, (quote,) * 3, power_w, (self._quoted(),), "", why
            )
        found = self._item(role, item, name, servers * each, spare * each, None, power_w, (row,), "", why)
        return found.model_copy(update={"included": True, "stale": False})

    def item(
        self, role: str, item: str, name: str, count: int, power_w: float | None = None, **why: float | str
    ) -> BillItem:
        """Something beside the servers."""
        if item in self.quotes:
            spread: Spread | None = (self.quotes[item],) * 3
            rows: tuple[Sourced, ...] = (self._quoted(),)
        elif item in self.bought:
            row = self.bought[item]
            spread, rows = (row.price_usd_low, (row.price_usd_low + row.price_usd_high) / 2, row.price_usd_high), (row,)
        else:
            spread, rows = None, ()
        return self._item(role, item, name, count, 0, spread, power_w, rows, "", why)

    def installation(self, items: Sequence[BillItem]) -> list[BillItem]:
        """Installation, freight and duty as a share of the goods; blank where the buyer gives none."""
        share, goods = self.workload.ownership.installation_share, self.totals(items)
        spread = None
        if share is not None and goods[1] is not None:
            spread = (share * goods[0], share * goods[1], share * goods[2])  # type: ignore[operator]
        rows = () if spread is None else (self._quoted(),)
        source = "" if spread is None else "ownership.installation_share"
        why: dict[str, float | str] = {} if share is None else {"share": share}
        name = "installation, freight, duty"
        return [self._item("installation", "installation", name, 1, 0, spread, None, rows, source, why)]

    def unpriced(self, items: Sequence[BillItem]) -> tuple[Unpriced, ...]:
        """Lines without a price, and where to give one; quotes that can price nothing are refused.

        Raises
        ------
        WorkloadError
        """
        self._refuse_unknown([i.item for i in items])
        blank = dict.fromkeys(i.item for i in items if i.unit_usd is None and not i.included and i.quantity)
        own = {"installation": "ownership.installation_share"}
        return tuple(Unpriced(what=item, field=own.get(item, f"{QUOTE}.{item}")) for item in blank)

    def _refuse_unknown(self, in_bill: list[str]) -> None:
        catalog = self.catalog
        servers = [server_item(id) for id in catalog.accelerators]
        known = {*in_bill, *self.bought, *catalog.drives, *catalog.cpus, *catalog.network, *servers}
        for name in self.quotes:
            if name not in known:
                allowed = ", ".join(dict.fromkeys(i for i in in_bill if i != "installation"))
                raise WorkloadError(
                    "{quote}.{name}: no such item.\n  This bill has: {allowed}.",
                    quote=QUOTE,
                    name=name,
                    allowed=allowed,
                )

    def totals(self, items: Iterable[BillItem]) -> tuple[float | None, float | None, float | None]:
        """Low, middle and high sum of what is priced; None where the servers are not. [USD]"""
        rows = list(items)
        if any(i.role == "server" and i.unit_usd is None for i in rows):
            return None, None, None
        priced = [i for i in rows if i.unit_usd is not None]
        low, high = (
            sum(i.quantity * (getattr(i, f"unit_usd_{end}") or 0.0) for i in priced) for end in ("low", "high")
        )
        return low, sum(i.total_usd or 0.0 for i in priced), high

    def _quoted(self) -> Sourced:
        return Sourced(source=QUOTE, source_date=self.catalog.as_of.isoformat(), confidence="high")

    def _item(
        self,
        role: str,
        item: str,
        name: str,
        count: int,
        spare: int,
        spread: Spread | None,
        power_w: float | None,
        rows: Sequence[Sourced],
        source: str,
        why: dict[str, float | str],
    ) -> BillItem:
        first = rows[0] if rows else None
        return BillItem(
            role=role,
            item=item,
            name=name,
            quantity=count,
            spare=spare,
            unit_usd=spread[1] if spread else None,
            unit_usd_low=spread[0] if spread else None,
            unit_usd_high=spread[2] if spread else None,
            total_usd=spread[1] * count if spread else None,
            included=False,
            unit_power_w=power_w,
            source=source or (first.source if first else ""),
            source_date=first.source_date if first else "",
            confidence=first.confidence if first else "",
            stale=any(self.catalog.as_of - r.dated > STALE_AFTER for r in rows),
            why=why,
        )
