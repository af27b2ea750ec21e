"""How much Poisson arrivals under-size: `python bench/arrivals.py`, with `--write` into catalogs/held_rates.csv.

The largest mean rate that one replica of an LLM of 8 billion parameters on one H100 holds within P99 TTFT 1 s
and P99 TPOT 50 ms: at the recorded times of each trace that is a recording, at times drawn from what was fitted
to its dispersion, and at Poisson times. Lengths are those of the trace. Drawn times: mean over seeds, and range.
"""

from __future__ import annotations

import csv
import sys
from dataclasses import replace
from pathlib import Path

import numpy as np

from planner.catalog import Catalog, load_catalog
from planner.models.arrivals import STEADY, Modulation, draw, fit_modulation
from planner.models.traffic import Trace
from planner.schema import HeldRate, Slo, Sourced
from planner.search.margins import margin
from planner.search.question import Question
from planner.search.replay import Server, build_server
from planner.traces import load_trace

FILE = Path(__file__).resolve().parent.parent / "catalogs" / "held_rates.csv"
TRACES = ("azure-conv", "azure-code")
SLO = Slo(ttft_p99_s=1.0, tpot_p99_s=0.05)
QUESTION = Question(llm="llama-3.1-8b", accelerator="h100-sxm-80gb", gpus=1)
SEEDS = 10


def held(server: Server, trace: Trace) -> float:
    """Largest rate within the promise. [1/s]"""
    return margin(server, trace, 1, SLO).rate_per_s


def row(trace: str, arrivals: str, rates: list[float], as_of: str) -> HeldRate:
    """A row of the catalog."""
    return HeldRate(
        trace=trace,
        arrivals=arrivals,  # type: ignore[arg-type]
        rate_per_s=float(f"{np.mean(rates):.4g}"),
        low_per_s=float(f"{min(rates):.4g}"),
        high_per_s=float(f"{max(rates):.4g}"),
        seeds=len(rates),
        ttft_p99_s=SLO.ttft_p99_s,
        tpot_p99_s=SLO.tpot_p99_s,
        replica=f"{QUESTION.llm} on {QUESTION.gpus} x {QUESTION.accelerator}, {QUESTION.engine}",
        source=f"simulated on {trace}: python bench/arrivals.py",
        source_date=as_of,
        confidence="medium",
        notes="A prediction: it compares arrivals, not hardware.",
    )


def rows(trace: Trace, catalog: Catalog, seeds: int = SEEDS) -> list[HeldRate]:
    """Rates held with each kind of arrivals."""
    question = replace(
        QUESTION, input_tokens=round(trace.input_tokens.mean()), output_tokens=round(trace.output_tokens.mean())
    )
    server, as_of = build_server(question, catalog), catalog.as_of.isoformat()

    def drawn(modulation: Modulation) -> list[float]:
        found = []
        for seed in range(seeds):
            times = draw(modulation, trace.rate_per_s, trace.duration_s, np.random.default_rng(seed))
            at = np.arange(len(times)) % len(trace)
            found.append(held(server, Trace("drawn", times, trace.input_tokens[at], trace.output_tokens[at])))
        return found

    kinds = {"trace": [held(server, trace)], "mmpp": drawn(fit_modulation(trace)), "poisson": drawn(STEADY)}
    return [row(trace.name, kind, rates, as_of) for kind, rates in kinds.items()]


def main() -> None:
    catalog = load_catalog()
    found = [one for name in TRACES for one in rows(load_trace(name, catalog), catalog)]
    for one in found:
        recorded = next(other.rate_per_s for other in found if (other.trace, other.arrivals) == (one.trace, "trace"))
        print(
            f"{one.trace:<12}{one.arrivals:<9}{one.rate_per_s:8.3g} requests/s  {one.low_per_s:.3g} to "
            f"{one.high_per_s:.3g} over {one.seeds} seeds  x {one.rate_per_s / recorded:.2f}"
        )
    if "--write" in sys.argv:
        write(found)


def write(found: list[HeldRate]) -> None:
    """Rows into the catalog: what is held first, then where it comes from."""
    origin = [name for name in Sourced.model_fields if name != "unverified"]
    own = [name for name in HeldRate.model_fields if name not in Sourced.model_fields]
    with FILE.open("w", newline="", encoding="utf-8") as file:
        writer = csv.DictWriter(file, [*own, *origin], lineterminator="\n")
        writer.writeheader()
        writer.writerows(one.model_dump(exclude={"unverified"}) for one in found)


if __name__ == "__main__":
    main()
