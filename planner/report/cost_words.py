"""Words of costs in the reader's language: items, lines, terms, and the reason of each quantity."""

from __future__ import annotations

from planner.report.words import Translate, term_words
from planner.schema.costs import BillItem


def role_words(_: Translate) -> dict[str, str]:
    """What an item of the bill of materials is for."""
    return {
        "server": _("Servers"),
        "accelerator": _("Accelerators"),
        "cpu": _("Processors"),
        "memory": _("Memory modules"),
        "drive": _("Drives"),
        "nic": _("Network cards"),
        "leaf": _("Leaf switches"),
        "spine": _("Spine switches"),
        "server_link": _("Links to servers"),
        "switch_link": _("Links between switches"),
        "rack": _("Racks"),
        "installation": _("Installation"),
    }


def line_words(_: Translate) -> dict[str, str]:
    """Parts of a month's cost."""
    return {
        "rent": _("Rent"),
        "capital": _("Capital"),
        "maintenance": _("Maintenance"),
        "energy": _("Energy"),
        "demand": _("Demand charge"),
        "colocation": _("Colocation"),
        "licences": _("Licences"),
        "staff": _("Staff"),
        "transit": _("Network transit"),
        "carbon": _("Carbon"),
        "storage": _("Storage"),
        "egress": _("Egress"),
        "on_demand_fallback": _("Interruptions"),
    }


def unpriced_words(_: Translate) -> dict[str, str]:
    """What may lack a price; items of the bill keep their ids."""
    return {**line_words(_), "rack": _("Racks"), "installation": _("Installation")}


def way_words(_: Translate) -> dict[str, str]:
    """Terms of a price, indicative commitments included."""
    return {
        **term_words(_),
        "commitment_1y_indicative": _("1 year, indicative"),
        "commitment_3y_indicative": _("3 years, indicative"),
        "commitment_1y_stated": _("1 year, your discount"),
        "commitment_3y_stated": _("3 years, your discount"),
        "user": _("your price"),
    }


def item_name(item: BillItem, _: Translate) -> str:
    """A product's name as it is sold, or what is bought without one in the reader's language."""
    if item.role == "server":
        accelerator = item.name.partition(" x ")[2]
        return _("server with {n} x {name}").format(n=f"{item.why['gpus']:.0f}", name=accelerator)
    if item.role == "installation":
        return _("installation, freight, duty")
    if item.role == "rack":
        kw, _comma, cooling = item.name.partition(", ")
        return ", ".join((kw, _("liquid") if cooling == "liquid" else _("air")))
    return item.name


def reason(item: BillItem, _: Translate) -> str:
    """Why this many, in one clause with its numbers."""
    templates = {
        "server": _("{gpus:.0f} accelerators each, {spare} for availability"),
        "accelerator": _("{per_server:.0f} per server"),
        "cpu": _("{per_server:.0f} per server: {cores_needed:.0f} cores needed, {cores:.0f} there"),
        "memory": _("{per_server:.0f} per server fill {channels:.0f} channels; {needed_gb:,.0f} GB needed"),
        "drive": _(
            "{per_server:.0f} per server as {raid}, {needed_gb:,.0f} GB kept; {read_gb_per_s:.3g} GB/s, "
            "a replica loads in {load_s:,.0f} s"
        ),
        "nic": _("{per_server:.0f} per server"),
        "leaf": _("{servers:.0f} servers with {links:.0f} links each, {ports:.0f} ports a switch"),
        "spine": _("{servers:.0f} servers with {links:.0f} links each, {ports:.0f} ports a switch"),
        "server_link": _("{links:.0f} per server, transceivers at both ends"),
        "switch_link": _("as many as links to servers: nothing is oversubscribed"),
        "rack": _("by power, {kw:.0f} kW each"),
        "installation": _("{share:.1%} of the goods") if "share" in item.why else _("not stated"),
    }
    return templates[item.role].format(spare=item.spare, **item.why)
