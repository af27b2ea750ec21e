"""What fits: weights and caches on accelerators, weights in host memory, requests at once."""

from __future__ import annotations

from dataclasses import replace

from planner.audit.bounds import answer
from planner.audit.finding import Context, Finding, evidence, formula
from planner.audit.quantity import stated_in, written
from planner.errors import PlannerError
from planner.models.memory import weight_bytes
from planner.models.precision import compute_dtype
from planner.schema import ConcurrencyClaim, FitClaim, HostMemoryClaim, Verdict
from planner.search.columns import WEIGHTS
from planner.search.question import Question
from planner.search.space import possible_weights
from planner.shapes import llm_shape
from planner.units import si

BITS = 8


def fit(claim: FitClaim, context: Context) -> Finding:
    """The stated precisions, then every other one that the LLM has, then the alternatives."""
    catalog, _ = context.catalog, context._
    llm, card = catalog.llm_id(claim.llm), catalog.accelerator_id(claim.accelerator)
    meant = claim.weights or (catalog.llms[llm].weights,)
    answers = {weights: _fits(claim, llm, weights, context) for weights in _served(llm, card, meant, context)}
    yes, told = [w for w in meant if answers.get(w, (False, ""))[0]], []
    told += [answers[w][1] for w in meant if w in answers]
    others = [w for w, (fine, _text) in answers.items() if fine and w not in meant]
    if others:
        told.append(_("It fits in {weights}.").format(weights=", ".join(w.upper() for w in others)))
    if not yes and not others:
        told.append(_most_bits(claim, llm, context))
    told += [_alternative(claim, name, context) for name in claim.alternatives]
    verdict: Verdict = "holds" if len(yes) == len(meant) else "conditional" if yes else "refuted"
    size = si(_weights(llm, meant[0], context), "B")
    room = written(_memory(claim, context), "GB", 3)
    seen = (
        evidence(context, card, "memory_visible_bytes", f"{claim.gpus} × {room}"),
        evidence(context, llm, "layers", _("weights in {precision}: {size}").format(precision=meant[0], size=size)),
    )
    rate = _rate(claim, yes or others, context)
    return Finding(verdict, " ".join([*told, rate]).strip(), f"{claim.gpus} × {card}", size, "B", seen)


def _all_weights(llm: str, context: Context) -> list[str]:
    return [w for w in WEIGHTS if w in possible_weights(context.catalog.llms[llm])]


def _served(llm: str, card: str, meant: tuple[str, ...], context: Context) -> list[str]:
    """Precisions that the text means, and all that some engine serves on the card."""
    chip = context.catalog.accelerators[card].architecture.split()[0]
    known = [chips for engine in context.catalog.engines.values() for chips in engine.weights.items()]
    runs = {weights for weights, chips in known if chip in chips or "*" in chips}
    return [w for w in _all_weights(llm, context) if w in meant or w in runs]


def _weights(llm: str, weights: str, context: Context) -> float:
    return weight_bytes(llm_shape(llm, context.catalog.llms[llm]), weights)


def _memory(claim: FitClaim, context: Context) -> float:
    row = context.catalog.accelerators[context.catalog.accelerator_id(claim.accelerator)]
    return row.memory_visible_bytes or row.memory_marketed_bytes


def question(claim: FitClaim | ConcurrencyClaim, llm: str, weights: str) -> Question:
    """The layout that a set-up leaves open: tensor-parallel over all accelerators, one user."""
    return Question(
        llm=llm, accelerator=claim.accelerator, gpus=claim.gpus, weights=weights, kv=claim.kv,
        input_tokens=claim.input_tokens, output_tokens=claim.output_tokens, concurrency=1,
    )  # fmt: skip


def _fits(claim: FitClaim, llm: str, weights: str, context: Context) -> tuple[bool, str]:
    """Does it fit in a precision, and why."""
    _, catalog = context._, context.catalog
    row = catalog.accelerators[catalog.accelerator_id(claim.accelerator)]
    size, room = _weights(llm, weights, context), claim.gpus * _memory(claim, context)
    said = _("{llm} in {weights}: {size} of weights").format(llm=llm, weights=weights.upper(), size=si(size, "B"))
    units = frozenset(row.peak_flops_per_s)
    if weights in ("fp8", "int8") and weights not in units:
        said += _(" (without units for it in {name})").format(name=row.name)
    if compute_dtype(weights, units) is None:
        return False, said + _(", which it cannot compute in.")
    if size > room:
        return False, said + _(", more than the {room} of {gpus} cards.").format(room=si(room, "B"), gpus=claim.gpus)
    try:
        memory = answer(question(claim, llm, weights), context).memory
    except PlannerError as error:
        return False, f"{said}: {error.told(_).splitlines()[0]}"
    cache = _(", and {cache} of cache for {tokens} tokens").format(
        cache=si(memory.kv_bytes_per_sequence, "B"), tokens=f"{claim.input_tokens + claim.output_tokens:,}"
    )
    if claim.too_small and memory.fits:
        cache += _too_small(claim, llm, weights, context)
    return memory.fits, said + cache + ("." if memory.fits else _(", too much beside them."))


def _too_small(claim: FitClaim, llm: str, weights: str, context: Context) -> str:
    other = claim.model_copy(update={"accelerator": claim.too_small, "too_small": ""})
    fine = _fits(other, llm, weights, context)[0]
    text = context._("; it fits on {card}, too") if fine else context._("; on {card} it does not fit")
    return text.format(card=claim.too_small)


def _most_bits(claim: FitClaim, llm: str, context: Context) -> str:
    """How few bits a weight may have to fit at all."""
    shape = llm_shape(llm, context.catalog.llms[llm])
    parameters = weight_bytes(shape, "bf16") / 2
    bits = claim.gpus * _memory(claim, context) * BITS / parameters
    text = context._("At most {bits:.1f} bits a weight would fit, fewer than in any precision that is served here.")
    return text.format(bits=bits)


def _alternative(claim: FitClaim, name: str, context: Context) -> str:
    llm = context.catalog.llm_id(name)
    for weights in ("bf16", "fp8", "int8", "int4"):
        if weights in _all_weights(llm, context):
            fine, text = _fits(claim, llm, weights, context)
            if fine:
                return context._("It holds for {text}").format(text=text)
    return context._("{llm} does not fit either.").format(llm=llm)


def _rate(claim: FitClaim, weights: list[str], context: Context) -> str:
    """The stated rate of one user against the estimate, where anything fits."""
    if claim.stated_tokens_per_s is None or not weights:
        return ""
    found = answer(question(claim, claim.llm, weights[0]), context).serving
    return context._("One user then gets {rate}, not {stated}.").format(
        rate=f"{1 / found.tpot_s:.0f} token/s", stated=f"{claim.stated_tokens_per_s:g} token/s"
    )


def host_memory(claim: HostMemoryClaim, context: Context) -> Finding:
    """Weights that pass through host memory: whole, or as a stream."""
    catalog, _ = context.catalog, context._
    llm = catalog.llm_id(claim.llm)
    weights = claim.weights or catalog.llms[llm].weights
    size, stated = _weights(llm, weights, context), stated_in(claim.stated, claim.unit, "B")
    said, right = written(stated, claim.unit), written(size, claim.unit, 3)
    seen = (evidence(context, llm, "layers", right), formula("weights of all layers in the precision", right))
    if size <= stated:
        return Finding("holds", _("The weights of {llm} are {right}.").format(llm=llm, right=right), said, right,
                       claim.unit, seen)  # fmt: skip
    text = _("The weights of {llm} in {weights} are {right}, more than host memory: loading must stream them from the "
             "drives, and nothing stays cached for a restart.")  # fmt: skip
    reason = text.format(llm=llm, weights=weights.upper(), right=right)
    return Finding("conditional", reason, said, right, claim.unit, seen)


def concurrency(claim: ConcurrencyClaim, context: Context) -> Finding:
    """How many requests a replica holds at each context, and what each user gets then."""
    catalog, _ = context.catalog, context._
    llm = catalog.llm_id(claim.llm)
    weights = claim.weights or catalog.llms[llm].weights
    rows = [(tokens, _held(claim, llm, weights, tokens, context)) for tokens in claim.contexts]
    fine = [tokens for tokens, held in rows if held is not None and held[0] >= claim.stated]
    told = [_at(claim, tokens, held, context) for tokens, held in rows]
    verdict: Verdict = "conditional" if fine else "refuted"
    if len(fine) == len(rows):
        told.append(_("It fits in memory at each of these contexts; the rate of each user is the limit."))
    right = "; ".join(f"{held[0] if held else 0:,.0f} @ {tokens:,}" for tokens, held in rows)
    seen = (evidence(context, catalog.accelerator_id(claim.accelerator), "memory_visible_bytes", ""),
            formula("KV cache room / cache of one request"))  # fmt: skip
    return Finding(verdict, " ".join(told), f"{claim.stated:,.0f}", right, "", seen)


def _asked(claim: ConcurrencyClaim, llm: str, weights: str, tokens: int) -> Question:
    half = max(tokens // 2, 1)
    return replace(question(claim, llm, weights), input_tokens=tokens - half, output_tokens=half)


def _layouts(claim: ConcurrencyClaim, llm: str, weights: str, tokens: int, context: Context) -> list[Question]:
    """Attention tensor-parallel over all accelerators, or data-parallel where the LLM has experts to spread."""
    plain = _asked(claim, llm, weights, tokens)
    spread = replace(plain, tp=1, dp=claim.gpus, ep=claim.gpus)
    return [plain, spread] if context.catalog.llms[llm].moe and claim.gpus > 1 else [plain]


def _held(
    claim: ConcurrencyClaim, llm: str, weights: str, tokens: int, context: Context
) -> tuple[float, Question] | None:  # fmt: skip
    """The layout that holds most requests, and how many; None where nothing fits."""
    found = []
    for asked in _layouts(claim, llm, weights, tokens, context):
        try:
            memory = answer(asked, context).memory
        except PlannerError:
            continue
        if memory.fits:
            found.append((memory.max_sequences, asked))
    return max(found, key=lambda one: one[0], default=None)


def _at(claim: ConcurrencyClaim, tokens: int, held: tuple[float, Question] | None, context: Context) -> str:
    _ = context._
    if held is None:
        return _("At {tokens} tokens nothing fits.").format(tokens=f"{tokens:,}")
    most, asked = held
    users = int(min(most, claim.stated))
    each = answer(replace(asked, concurrency=max(users, 1)), context).serving
    layout = f"DP{asked.dp} EP{asked.ep}" if asked.dp > 1 else f"TP{asked.gpus}"
    return _("At {tokens} tokens a request, {held} fit ({layout}); {users} at once get {rate} token/s each.").format(
        tokens=f"{tokens:,}", held=f"{most:,.0f}", layout=layout, users=f"{users:,}", rate=f"{1 / each.tpot_s:.1f}"
    )
