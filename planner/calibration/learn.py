"""Learn from a user's own benchmark: fit the scalars that one set-up can tell apart, and no more.

Three: the step time against the model's (`time_factor`), and of the time to first token the part that grows with the
prompts (`prompt_overhead`) and the part that does not (`ingest_s`). One layout at a few loads cannot separate bandwidth
from arithmetic from host time, so the global scalars stay as they are. On 40 public curves with each load left out in
turn, the error of TPOT falls from 10.2 to 7.4 % and that of TTFT from 23 to 13 % (`python bench/learning.py`).
"""

from __future__ import annotations

import math
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, replace
from datetime import date
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from planner.calibration.benchmarks import BenchmarkFile, Latency, Run, read_benchmark
from planner.calibration.fit import Free, Values, fit
from planner.calibration.plausible import doubts
from planner.calibration.points import METRICS, Point
from planner.calibration.predict import predict
from planner.calibration.setups import Array
from planner.catalog import Catalog
from planner.errors import Joined, Message, Told, UnknownName, WorkloadError
from planner.overlay import MEASURED, SCALARS, measured_scope, own_scope
from planner.schema import BenchmarkSource, Calibrated, LearnedPoint, LearnedScalar, LearnedScore, Parameter
from planner.search.question import Question, resolve

# How far one run may move a scalar, in logarithms, against points that each weigh as in the public fit. Wide: these
# are measurements of the very set-up. Of the widths tried on the public curves, those that also carry over best.
SIGMA = {"time_factor": 1.0, "prompt_overhead": 1.0, "ingest_s": 2.0}
LEFT_OUT_FROM = 3  # runs
NOT_LEARNT = {
    "open": Message("a rate of arrivals mixes waiting with work; run with a fixed concurrency"),
    "burst": Message("all requests at once are no steady load; send several per user"),
}


@dataclass(frozen=True)
class Setup:
    """What was measured on: names in the catalog, and the layout."""

    llm: str
    accelerator: str
    engine: str
    weights: str
    kv: str
    gpus: int
    tp: int
    dp: int
    pp: int
    ep: int

    @property
    def scope(self) -> str:
        """Where the scalars hold."""
        return own_scope(self.accelerator, self.llm, self.engine)


@dataclass(frozen=True)
class Sample:
    """The points of one run, with what is known of them."""

    file: str
    run: Run
    points: list[Point]


def learn(paths: Sequence[Path], catalog: Catalog, asked: Question) -> tuple[Calibrated, tuple[Parameter, ...]]:
    """Fit a set-up's scalars to benchmark results.

    Parameters
    ----------
    paths : results of one set-up, at one load or several.
    asked : the set-up; lengths and concurrency come from the files, and the LLM, too, if it is empty.

    Returns
    -------
    (Calibrated, tuple of Parameter)
        Before and after, and the rows of a file of own figures.

    Raises
    ------
    PlannerError
        For files that cannot be read, names that contradict them, and loads from which nothing can be learnt.
    """
    files = [read_benchmark(path) for path in _distinct(paths)]
    setup = _setup(files, catalog, asked)
    samples = [Sample(file.name, run, _points(file.name, run, setup)) for file in files for run in file.runs]
    samples.sort(key=lambda sample: sample.run.load)
    start = catalog.with_rows(_priors(catalog, setup))
    before = _loops(samples, start)
    usable = _usable(samples, before)
    if not usable:
        raise WorkloadError(_nothing(samples))
    free = _free(usable, start, setup)
    values = _believed(fit(_all(usable), start, free), setup)
    sources = tuple(_source(file, path) for file, path in zip(files, _distinct(paths), strict=True))
    answer = Calibrated(
        catalog_sha256=catalog.sha256,
        setup=dict(setup.__dict__),
        files=sources,
        points=_told(samples, before, _loops(samples, start.calibrated(values))),
        scalars=tuple(_scalar(one, values, start, usable) for one in free),
        scores=_scores(usable, start, free, values),
        doubts=tuple(doubt for one in usable for doubt in doubts(one.file, one.points, catalog)),
        out=None,
    )
    return answer, _rows(answer, setup, start)


def _distinct(paths: Sequence[Path]) -> list[Path]:
    """Paths in order; a file that is named twice would count twice."""
    return list({path.resolve(): path for path in paths}.values())


def _setup(files: list[BenchmarkFile], catalog: Catalog, asked: Question) -> Setup:
    """The set-up that the options name, checked like the layout of an estimate, and against the files."""
    llm = _llm(files, catalog, asked.llm)
    runs = [run for file in files for run in file.runs]
    longest = max(runs, key=lambda run: run.input_tokens + run.output_tokens)
    tokens_in, tokens_out = math.ceil(longest.input_tokens), math.ceil(longest.output_tokens)
    question = replace(asked, llm=llm, input_tokens=tokens_in, output_tokens=tokens_out)
    found = resolve(catalog, question)
    sizes = asked.gpus, found.tp, asked.dp, asked.pp, asked.ep
    return Setup(found.llm, found.accelerator, found.engine, found.weights, asked.kv, *sizes)


def _llm(files: list[BenchmarkFile], catalog: Catalog, asked: str) -> str:
    """The LLM that the options or the files name; both must agree where both are known."""
    told = catalog.llm_id(asked, "--llm") if asked else ""
    for file in files:
        for run in file.runs:
            found = _known(catalog, run.model)
            if told and found and found != told:
                raise WorkloadError(
                    "{file} measured {model}, which is {found}; {who} says {told}.\n"
                    "  Give results of one LLM, and its name.",
                    file=file.name,
                    model=run.model,
                    found=found,
                    who="--llm" if asked else Message("another file"),
                    told=told,
                )
            told = told or found
    if not told:
        written = files[0].runs[0].model
        if not written:
            raise WorkloadError("{file} names no model.\n  Give --llm.", file=files[0].name)
        raise WorkloadError(
            "{file} names {written}, which the catalog does not know.\n  Give --llm.",
            file=files[0].name,
            written=written,
        )
    return told


def _known(catalog: Catalog, model: str) -> str:
    """Id of a model as a tool wrote it, such as a repository or the folder of a checkpoint; empty if unknown."""
    for id, row in catalog.llms.items():
        if row.hf_id and row.hf_id.lower() == model.lower():
            return id
    for name in (model, model.rstrip("/").rsplit("/", 1)[-1]):
        try:
            return catalog.llm_id(name) if name else ""
        except UnknownName:
            continue
    return ""


def _points(id: str, run: Run, setup: Setup) -> list[Point]:
    """Figures of one run that the model predicts: means, or medians where a tool gives no mean."""
    found = {"tpot": _middle(run.tpot), "ttft": _middle(run.ttft), "output": ("mean", run.output_tokens_per_s)}
    if run.kind == "saturated":
        del found["ttft"]  # it grows with the length of the run
    return [
        Point(
            id=id, source="own", llm=setup.llm, weights=setup.weights, kv=setup.kv, engine=setup.engine, version="",
            accelerator=setup.accelerator, gpus=setup.gpus, tp=setup.tp, dp=setup.dp, pp=setup.pp, ep=setup.ep,
            replicas=1, input_tokens=run.input_tokens, output_tokens=run.output_tokens, kind=run.kind, load=run.load,
            metric=metric, per_gpu=False, statistic=statistic, value=value, unit_scale=METRICS[metric][1], curve="",
            requests_per_user=_per_user(run), length_spread=0.0, held_steps=0.0, budget_tokens=0.0, profile="",
        )
        for metric, (statistic, value) in found.items()
        if value is not None
    ]  # fmt: skip


def _per_user(run: Run) -> float:
    """Requests that each user sent: the first of them meets the start-up burst."""
    return max(run.completed / run.load, 1.0) if run.kind == "closed" else 1.0


def _middle(latency: Latency) -> tuple[str, float | None]:
    return ("mean", latency.mean_s) if latency.mean_s is not None else ("p50", latency.median_s)


def _all(samples: Iterable[Sample]) -> list[Point]:
    return [point for sample in samples for point in sample.points]


def _loops(samples: list[Sample], catalog: Catalog) -> Array:
    """Predicted value of each point of a closed loop; NaN for other loads, which are not learnt from."""
    points = _all(samples)
    found = np.full(len(points), np.nan)
    closed = [i for i, p in enumerate(points) if p.kind not in NOT_LEARNT]
    found[closed] = predict([points[i] for i in closed], catalog)
    return found


def _usable(samples: list[Sample], predicted: Array) -> list[Sample]:
    """Samples less the points that have no prediction."""
    kept, at = [], 0
    for sample in samples:
        known = [p for n, p in enumerate(sample.points, at) if np.isfinite(predicted[n]) and predicted[n] > 0]
        at += len(sample.points)
        if known:
            kept.append(replace(sample, points=known))
    return kept


def _nothing(samples: list[Sample]) -> Told:
    kinds = {(sample.file, sample.run.kind): _reason(sample.run) for sample in samples}
    reasons = [Message("  {file}: {reason}.", file=file, reason=reason) for (file, _kind), reason in kinds.items()]
    return Joined(Message("nothing to learn from:"), *reasons)


def _reason(run: Run) -> Told:
    return NOT_LEARNT.get(run.kind, Message("this layout does not fit into the memory of these accelerators"))


def _priors(catalog: Catalog, setup: Setup) -> list[Parameter]:
    """The catalog's figures for this set-up, under a scope of its own."""
    family = catalog.accelerators[setup.accelerator].architecture.split()[0]
    rows = [catalog.parameter(name, family if name == "time_factor" else "") for name in SCALARS]
    return [row.model_copy(update={"scope": setup.scope}) for row in rows]


def _free(samples: list[Sample], catalog: Catalog, setup: Setup) -> tuple[Free, ...]:
    """Scalars about which the points say something."""
    metrics = {p.metric for p in _all(samples)}
    names = [name for name in SCALARS if metrics & ({"tpot", "output"} if name == "time_factor" else {"ttft"})]
    return tuple(Free(name, setup.scope, catalog.parameter(name, setup.scope).value, SIGMA[name]) for name in names)


def _believed(values: Values, setup: Setup) -> Values:
    """Values within their ranges; a step time far from any prediction is refused: the set-up was another one."""
    low, high = SCALARS["time_factor"]
    factor = values.get(("time_factor", setup.scope), 1.0)
    if not low <= factor <= high:
        raise WorkloadError(
            "the steps take {factor:.3g} times as long as predicted for {llm} on {gpus} x "
            "{accelerator}; {low:g} to {high:g} is believed.\n"
            "  Check --accelerator, --gpus, --tp and --weights.",
            factor=factor,
            llm=setup.llm,
            gpus=setup.gpus,
            accelerator=setup.accelerator,
            low=low,
            high=high,
        )
    return {key: float(np.clip(value, *SCALARS[key[0]])) for key, value in values.items()}


def _told(samples: list[Sample], before: Array, after: Array) -> tuple[LearnedPoint, ...]:
    owners = [sample for sample in samples for _ in sample.points]
    return tuple(
        LearnedPoint(
            file=sample.file, kind=p.kind, load=p.load if math.isfinite(p.load) else None,
            input_tokens=p.input_tokens, output_tokens=p.output_tokens, metric=p.metric, statistic=p.statistic,
            measured=p.value, before=_finite(old), after=_finite(new),
            reason="" if old > 0 else str(_reason(sample.run)),
        )
        for sample, p, old, new in zip(owners, _all(samples), before, after, strict=True)
    )  # fmt: skip


def _finite(value: float) -> float | None:
    return float(value) if math.isfinite(value) else None


def _scalar(one: Free, values: Values, start: Catalog, samples: list[Sample]) -> LearnedScalar:
    points = _all(samples)
    waiting = sum(p.metric == "ttft" for p in points)
    return LearnedScalar(
        name=one.name,
        scope=one.scope,
        meaning=start.parameter(one.name, one.scope).meaning,
        before=one.prior,
        after=values[(one.name, one.scope)],
        n=len(points) - waiting if one.name == "time_factor" else waiting,
    )


def _scores(samples: list[Sample], start: Catalog, free: tuple[Free, ...], values: Values) -> tuple[LearnedScore, ...]:
    points = _all(samples)
    before = _errors(points, start)
    after = _errors(points, start.calibrated(values))
    left = _left_out(samples, start, free) if len(samples) >= LEFT_OUT_FROM else None
    found = []
    for metric in dict.fromkeys(p.metric for p in points):
        at = np.array([p.metric == metric for p in points])
        found.append(
            LearnedScore(
                metric=metric,
                n=int(at.sum()),
                before=float(before[at].mean()),
                after=float(after[at].mean()),
                left_out=None if left is None else float(left[at].mean()),
            )
        )
    return tuple(found)


def _errors(points: list[Point], catalog: Catalog) -> Array:
    """Absolute relative error of each point."""
    measured: NDArray[np.float64] = np.array([point.value for point in points])
    return np.asarray(np.abs(predict(points, catalog) / measured - 1))


def _left_out(samples: list[Sample], start: Catalog, free: tuple[Free, ...]) -> Array:
    """Errors where each run is predicted by a fit of the others, in the order of the points."""
    found = []
    for i, sample in enumerate(samples):
        others = _all(samples[:i] + samples[i + 1 :])
        found.append(_errors(sample.points, start.calibrated(fit(others, start, free))))
    return np.concatenate(found)


def _source(file: BenchmarkFile, path: Path) -> BenchmarkSource:
    first = file.runs[0]
    days = [run.date for run in file.runs if run.date]
    written = date.fromtimestamp(path.stat().st_mtime).isoformat()
    return BenchmarkSource(
        name=file.name,
        sha256=file.sha256,
        tool=first.tool,
        version=first.version,
        model=first.model,
        date=max(days, default=written),
        runs=len(file.runs),
    )


def _rows(answer: Calibrated, setup: Setup, start: Catalog) -> tuple[Parameter, ...]:
    """The fitted scalars and the count of points, as rows of a calibration file."""
    tools = ", ".join(dict.fromkeys(f"{file.tool} {file.version}" for file in answer.files))
    layout = f"{setup.gpus} accelerators, tp {setup.tp}, dp {setup.dp}, pp {setup.pp}, ep {setup.ep}, kv {setup.kv}"
    shared = {
        "source": f"own measurement: {', '.join(file.name for file in answer.files)} ({tools})",
        "source_date": max(file.date for file in answer.files),
        "dataset": ", ".join(file.sha256[:12] for file in answer.files),
        "confidence": "medium",
        "notes": f"measured in {setup.weights} on {layout}",
        "low": None,
        "high": None,
    }
    fitted = [
        start.parameter(one.name, one.scope).model_copy(
            update={**shared, "kind": "fitted", "value": float(f"{one.after:.6g}"), "n": one.n}
        )
        for one in answer.scalars
    ]
    n = sum(score.n for score in answer.scores)
    scope = measured_scope(setup.accelerator, setup.weights, setup.llm, setup.engine)
    meaning = "own serving measurements of this accelerator, precision, LLM and engine"
    counted = Parameter.model_validate(
        {**shared, "name": MEASURED, "scope": scope, "value": n, "n": n, "kind": "measured", "meaning": meaning}
    )
    return (*fitted, counted)
