"""Differences between current prices and the catalogs, as tables and sentences."""

from __future__ import annotations

from collections.abc import Sequence

from planner.report.tables import TextTable, Translate
from planner.schema.market import PriceChange, Refresh

MOST_ROWS = 25


def kind_words(_: Translate) -> dict[str, str]:
    """Names of what a price does."""
    return {"changed": _("changed"), "new": _("new"), "held back": _("held back")}


def reason_words(_: Translate) -> dict[str, str]:
    """Why a price was not taken, by its name in `Refresh.left_out`."""
    return {
        "no price, or zero": _("no price, or zero"),
        "instance type that instances.csv does not have": _("instance type that instances.csv does not have"),
        "older than the price in the catalogs": _("older than the price in the catalogs"),
        "Spot price that equals on-demand: no capacity": _("Spot price that equals on-demand: no capacity"),
        "other number of accelerators than instances.csv": _("other number of accelerators than instances.csv"),
    }


def change_table(answer: Refresh, _: Translate) -> TextTable:
    """What differs, the largest changes first."""
    headings = (
        _("What"),
        _("Provider"),
        _("Item"),
        _("Region"),
        _("Term"),
        _("Before"),
        _("Dated"),
        _("Now"),
        _("Change"),
    )
    rows = tuple(_row(change, kind_words(_)) for change in answer.changes[:MOST_ROWS])
    more = len(answer.changes) - len(rows)
    title = _("Prices that differ, USD") + (f" (+{more}, --json)" if more > 0 else "")
    return TextTable(title, headings, rows, 5)


def _row(change: PriceChange, words: dict[str, str]) -> tuple[str, ...]:
    return (
        words[change.kind],
        change.provider,
        change.item,
        change.region,
        change.term.replace("_", " "),
        "" if change.before_usd is None else f"{change.before_usd:,.4g}",
        change.before_date.split("..")[0],
        f"{change.after_usd:,.4g}",
        "" if change.relative is None else f"{change.relative * 100:+.1f} %",
    )


def remarks(answer: Refresh, _: Translate) -> list[str]:
    """Counts, what was not taken, and what to do next."""
    kinds = [change.kind for change in answer.changes]
    told = [
        _("Read: {sources}.").format(sources="; ".join(answer.sources)),
        _(
            "{changed} changed, {new} new, {confirmed} as before, {gone} not offered any more, which keep their date."
        ).format(
            changed=kinds.count("changed"), new=kinds.count("new"), confirmed=answer.confirmed, gone=answer.not_seen
        ),
    ]
    if answer.failed:
        told.append(_("Not read: {names}.").format(names=", ".join(answer.failed)))
    for reason, count in answer.left_out.items():
        words = reason_words(_).get(reason, reason)
        told.append(_("Left out, {count}: {reason}.").format(count=count, reason=words))
    if held := kinds.count("held back"):
        told.append(_("{held} held back as too large a jump; take them with --jumps.").format(held=held))
    told.append(
        _("Written; replaced prices are kept: planner catalog history.")
        if answer.written
        else _("Nothing was replaced; give --write to take these prices.")
    )
    return told


def history_table(rows: Sequence[dict[str, str]], _: Translate) -> TextTable:
    """Replaced prices."""
    headings = (_("Replaced"), _("Item"), _("Region"), _("Term"), _("Price, $"), _("Dated"), _("Source"))
    return TextTable(_("Replaced prices"), headings, tuple(_history_row(row) for row in rows), 9)


def _history_row(row: dict[str, str]) -> tuple[str, ...]:
    item = " ".join(filter(None, (row.get("provider"), row.get("instance_type") or row.get("item"))))
    price = row.get("price_usd_per_hour") or f"{row.get('price_usd_low')}…{row.get('price_usd_high')}"
    place = row.get("zone") or row.get("region") or ""
    return row["replaced_on"], item, place, row.get("term") or "purchase", price, row["source_date"], row["source"]
