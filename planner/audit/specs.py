"""Datasheet figures and comparisons of them."""

from __future__ import annotations

from collections.abc import Iterator

from planner.audit.dimensions import dimension, same
from planner.audit.expressions import evaluate
from planner.audit.finding import Context, Finding, evidence, formula, together, worst
from planner.audit.quantity import close, measures, of_field, to_si, written
from planner.errors import Message, MissingFact, WorkloadError
from planner.schema import Figure, RatioClaim, RatioTerm, Sourced, SpecClaim, Verdict

ONE_WAY = ("scaleup_bytes_per_s", "pcie_bytes_per_s", "port_bytes_per_s")
NEARLY = 0.1  # relative difference within which a comparison of limits counts as what the text may mean
LIMITS = ("tdp_w",)  # what a board may draw, not what it draws


def spec(claim: SpecClaim, context: Context) -> Finding:
    """Every figure against its catalog row."""
    return together(
        _figure(figure.model_copy(update={"item": figure.item or claim.item}), claim.tolerance, context)
        for figure in claim.figures
    )


def _figure(figure: Figure, tolerance: float, context: Context) -> Finding:
    if not figure.item:
        raise WorkloadError("{figure}: item missing, the catalog id that the figure belongs to", figure=figure.figure)
    row = context.catalog.find(figure.item)[2]
    value = field_of(row, figure.item, figure.figure)
    if isinstance(value, str) or isinstance(figure.stated, str):
        return _text(figure, str(value), context)
    stated, value = _stated(figure), value * figure.pieces
    said, right = written(stated, figure.unit), written(value, figure.unit)
    seen = (evidence(context, figure.item, figure.figure, right),)
    _ = context._
    if figure.relation == "at_most":
        within = stated <= value * (1 + tolerance)
        text = _("{said} is within the limit of {right} of {name}.")
        if not within:
            text = _("{said} is above the limit of {right} of {name}.")
        reason = text.format(said=said, right=right, name=row_name(row))
        return Finding("holds" if within else "refuted", reason, said, right, figure.unit, seen)
    verdict, reason = _judged(figure, stated, value, tolerance, row, context)
    return Finding(verdict, reason, said, right, figure.unit, seen)


def _judged(
    figure: Figure, stated: float, value: float, tolerance: float, row: Sourced, context: Context
) -> tuple[Verdict, str]:
    _, name, right = context._, row_name(row), written(value, figure.unit)
    if close(stated, value, tolerance):
        return "holds", ""
    if figure.figure in ONE_WAY and close(stated, 2 * value, tolerance):
        return "conditional", _("{said} counts both directions; each way it is {right}.").format(
            said=written(stated, figure.unit), right=right
        ) + _joined(figure, row, context)
    hints = " ".join(_hints(figure, stated, value, tolerance, row, context))
    return "refuted", (_("{name}: {right}.").format(name=name, right=right) + " " + hints).strip()


def _joined(figure: Figure, row: Sourced, context: Context) -> str:
    """What a link joins, where the text joins more."""
    domain = getattr(row, "scaleup_domain_gpus", None)
    if figure.figure != "scaleup_bytes_per_s" or domain is None or (figure.cards or 0) <= domain:
        return ""
    _ = context._
    siblings = [
        other.name
        for id, other in context.catalog.accelerators.items()
        if family(id) == family(figure.item) and other.scaleup_domain_gpus >= (figure.cards or 0)
    ]
    text = " " + _("This link joins {domain} cards, not {cards}.").format(domain=domain, cards=figure.cards)
    return text + (" " + _("That takes {names}.").format(names=", ".join(siblings)) if siblings else "")


def _hints(
    figure: Figure, stated: float, value: float, tolerance: float, row: Sourced, context: Context
) -> Iterator[str]:
    """Where the stated figure may come from."""
    _, said = context._, written(stated, figure.unit)
    if figure.unit and close(stated, 8 * value, tolerance):
        bits = written(value, "Gbit/s")
        yield _("Bits were taken for bytes: {bits} are {right}.").format(bits=bits, right=written(value, figure.unit))
    for id, other in _rows_like(row, context):
        found = _number(other, figure.figure)
        if other is not row and family(id) == family(figure.item) and found and close(stated, found, 2 * tolerance):
            yield _("{said} is {name}, {value}.").format(
                said=said, name=row_name(other), value=written(found, figure.unit)
            )
            break
    for name, found in _others(row, figure.figure):
        if close(stated, found, tolerance):
            yield _("{said} is its {figure}.").format(said=said, figure=name)


def _others(row: Sourced, figure: str) -> Iterator[tuple[str, float]]:
    """Figures of the same row that measure the same."""
    for name, values in row:
        found = values if isinstance(values, dict) else {"": values}
        for key, number in found.items():
            full = f"{name}.{key}" if key else name
            if full != figure and isinstance(number, float | int) and of_field(full) == of_field(figure):
                yield full, float(number)


def _rows_like(row: Sourced, context: Context) -> list[tuple[str, Sourced]]:
    for rows in context.catalog.everything().values():
        found = [(id, other) for id, other in rows.items() if type(other) is type(row)]
        if found:
            return found
    return []


def family(id: str) -> str:
    """The part of an id that siblings share: `a100` of `a100-pcie-80gb`."""
    return id.partition("-")[0]


def field_of(row: Sourced, id: str, name: str) -> float | str:
    """Value of a field, `name` or `name.key`.

    Raises
    ------
    WorkloadError, MissingFact
        For a field that the row does not have, or a blank.
    """
    top, _, key = name.partition(".")
    if top not in type(row).model_fields:
        raise WorkloadError("figure {name!r}: {id} has {known}", name=name, id=id, known=", ".join(_figures(row)))
    value = getattr(row, top)
    if isinstance(value, dict):
        value = value.get(key)
    if value is None or value == "":
        raise MissingFact(
            id, name, Message("the audit"), Message("Add it with its source to the catalogs; until then it is unknown.")
        )
    return value if isinstance(value, str) else float(value)


def _figures(row: Sourced) -> list[str]:
    skipped = {"source", "source_date", "confidence", "unverified", "notes", "aliases", "id"}
    return [name for name in type(row).model_fields if name not in skipped]


def _number(row: Sourced, name: str) -> float | None:
    top, _, key = name.partition(".")
    value = getattr(row, top, None)
    value = value.get(key) if isinstance(value, dict) else value
    return float(value) if isinstance(value, float | int) and not isinstance(value, bool) else None


def _stated(figure: Figure) -> float:
    if figure.unit and measures(figure.unit) != of_field(figure.figure):
        raise WorkloadError(
            "{figure} is not measured in {unit}: its unit is {own}, the stated one {other}",
            figure=figure.figure,
            unit=figure.unit,
            own=of_field(figure.figure),
            other=measures(figure.unit),
        )
    return to_si(float(figure.stated), figure.unit)


def _text(figure: Figure, value: str, context: Context) -> Finding:
    """Text against text: the catalog's contains what was said, or does not."""
    said = str(figure.stated)
    right = said.lower().replace(" ", "") in value.lower().replace(" ", "")
    reason = "" if right else context._("It is {right}, not {said}.").format(right=value, said=said)
    seen = (evidence(context, figure.item, figure.figure, value),)
    return Finding("holds" if right else "refuted", reason, said, value, "", seen)


def row_name(row: Sourced) -> str:
    """Name for people."""
    return str(getattr(row, "name", ""))


def ratio(claim: RatioClaim, context: Context) -> Finding:
    """A comparison with the right figures, and the figures that the text compared."""
    parts = [_term(term, claim.tolerance, context) for term in (claim.a, claim.b)]
    values = {name: value for name, (value, _found) in zip("ab", parts, strict=True)}
    found, stated = evaluate(claim.expression, values), to_si(claim.stated, claim.unit)
    _refuse_other_unit(claim, context)
    said, right = written(stated, claim.unit), written(found, claim.unit, 3)
    terms = [one for _value, some in parts for one in some]
    verdict, reason = _compared(
        claim, close(stated, found, claim.tolerance), close(stated, found, NEARLY), right, context
    )
    _ = context._
    wrong = [one for one in terms if one.verdict == "refuted"]
    if wrong and verdict != "refuted":
        reason = _("{right} with the right figures, so the ratio holds by chance.").format(right=right)
    seen = (*(e for one in terms for e in one.evidence), formula(claim.expression, right))
    text = " ".join(filter(None, [*(one.reason for one in terms), reason]))
    return Finding(worst([verdict, *(one.verdict for one in terms)]), text, said, right, claim.unit, seen)


def _refuse_other_unit(claim: RatioClaim, context: Context) -> None:
    """The comparison has to measure what its unit says: a factor is no amount of bytes."""
    of = {name: _term_of(term, context) for name, term in (("a", claim.a), ("b", claim.b))}
    what = dimension(claim.expression, of)
    if not same(what, measures(claim.unit)):
        raise WorkloadError(
            "unit {unit!r}: {expression} measures {what}, not {other}",
            unit=claim.unit,
            expression=claim.expression,
            what=what,
            other=measures(claim.unit),
        )


def _term_of(term: RatioTerm, context: Context) -> str:
    return dimension(term.value, {name: of_field(name) for name in _figures(context.catalog.find(term.item)[2])})


def _compared(claim: RatioClaim, right: bool, nearly: bool, value: str, context: Context) -> tuple[Verdict, str]:
    _ = context._
    limits = any(limit in term.value for limit in LIMITS for term in (claim.a, claim.b))
    if limits and nearly:
        return "conditional", _("{value} by power limits over the fields named; measured draw is not known.").format(
            value=value
        )
    return ("holds", "") if right else ("refuted", _("It is {value}.").format(value=value))


def _term(term: RatioTerm, tolerance: float, context: Context) -> tuple[float, list[Finding]]:
    """Value of a term from the catalog, and verdicts on the figure that the text gives for it."""
    _kind, id, row = context.catalog.find(term.item)
    names = [name for name in _figures(row) if name in term.value]
    figures = {name: number for name in names if (number := _number(row, name)) is not None}
    if not figures:
        raise WorkloadError(
            "value {value!r} names no figure of {id}: it has {known}",
            value=term.value,
            id=id,
            known=", ".join(_figures(row)),
        )
    value = evaluate(term.value, figures)
    seen = tuple(evidence(context, id, name, f"{number:,.6g}") for name, number in figures.items())
    found = [Finding("holds", "", evidence=seen)]
    if term.stated is not None:
        figure = Figure(item=id, figure=names[0], stated=term.stated, unit=term.unit)
        found.append(_figure(figure, tolerance, context))
    return value, found
