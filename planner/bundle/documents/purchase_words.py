"""Words of the procurement documents, by key."""

from __future__ import annotations

from planner.report.words import Translate


def sheet_words(_: Translate) -> dict[str, str]:
    """Titles of the sheets; no apostrophes, since formulas quote them."""
    return {"bill": _("Bill of materials"), "assumptions": _("Assumptions"), "cash": _("Cash flow")}


def bill_headings(_: Translate) -> list[str]:
    """Columns of the bill, in the workbook and as CSV."""
    return [
        _("Item"), _("Id"), _("Name"), _("Pieces"), _("Spare"), _("Unit price"), _("Total price"), _("Lowest seen"),
        _("Highest seen"), _("Power each, W"), _("Power, W"), _("Share of the total"), _("Source"), _("Date"),
        _("Confidence"), _("Age"), _("Why so many"),
    ]  # fmt: skip


def assumption_headings(_: Translate) -> list[str]:
    """Columns of the assumptions."""
    return [_("Assumption"), _("Value"), _("Unit"), _("Weight"), _("Source"), _("Date"), _("Confidence"), _("Age")]


def figure_words(_: Translate) -> dict[str, str]:
    """Assumptions by key."""
    return {
        "capital": _("Purchase, all that is priced"),
        "discount_rate": _("Cost of capital, a year"),
        "residual_share": _("Value left at the end, of the purchase"),
        "maintenance_share": _("Support contract, of the purchase, a year"),
        "mean_kw": _("Mean power at the meter"),
        "peak_kw": _("Highest power at the meter"),
        "hours": _("Hours of a month"),
        "tariff": _("Electricity"),
        "energy_apart": _("Energy is paid apart from colocation"),
        "demand_charge": _("Demand charge"),
        "provisioned_kw": _("IT power provided for"),
        "colocation_price": _("Colocation"),
        "licence": _("Licences per accelerator"),
        "gpus": _("Accelerators"),
        "staff": _("Staff, fixed"),
        "staff_rack": _("Staff per rack"),
        "racks": _("Racks"),
        "transit": _("Network transit"),
        "carbon_price": _("Carbon price"),
        "carbon_intensity": _("Carbon intensity of the grid"),
        "tax_rate": _("Tax on profit"),
        "rent": _("Cheapest firm cloud price of the same fleet"),
    }


def unit_words(_: Translate) -> dict[str, str]:
    """Units that are words."""
    return {"share": _("share"), "-": "", "0/1": "0/1", "USD/month": _("USD/month"), "USD/year": _("USD/year")}


def cash_headings(_: Translate) -> dict[str, str]:
    """Columns of the cash flow."""
    return {
        "month": _("Month"),
        "capital": _("Purchase"),
        "maintenance": _("Maintenance"),
        "energy": _("Energy"),
        "demand": _("Demand charge"),
        "colocation": _("Colocation"),
        "licences": _("Licences"),
        "staff": _("Staff"),
        "transit": _("Network transit"),
        "carbon": _("Carbon"),
        "residual": _("Value left"),
        "tax": _("Tax saved"),
        "total": _("Paid"),
        "factor": _("Discount factor"),
        "present": _("Present value"),
        "so_far": _("Paid so far"),
        "rent": _("Cloud"),
        "rent_so_far": _("Cloud so far"),
        "write_off": _("Write-off"),
        "book": _("Book value"),
    }
