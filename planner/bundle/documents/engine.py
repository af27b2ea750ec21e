"""The command line of the serving engine: the plan's layout, spelled as each engine spells it.

Sizes mean the same everywhere here: `tp` ranks share one attention, `dp` attentions serve different
requests, `pp` stages follow each other. Engines differ in what their flags count:

    vLLM           tensor size per attention; sequences and tokens per data-parallel rank
    SGLang         tensor size over all data-parallel ranks; sequences and chunk over all of them
    TensorRT-LLM   like SGLang, but attention is either all tensor- or all data-parallel; limits per rank

References: PyPI vllm 0.20.0 (engine/arg_utils.py, config/parallel.py, config/scheduler.py), PyPI sglang 0.5.14
(srt/server_args.py, srt/model_executor/model_runner_kv_cache_mixin.py), TensorRT-LLM 1.2 deployment guides and
docs.nvidia.com/dynamo "DP Rank Routing".
"""

from __future__ import annotations

import json
import math
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field, replace
from typing import Any, cast

from planner.bundle.documents.subject import Pool, Subject
from planner.bundle.documents.yaml import to_yaml
from planner.catalog import Catalog
from planner.errors import Message, MissingFact, PlannerError
from planner.schema import Engine, WeightPrecision

OPTIONS_FOLDER = "/etc/engine"
RENDEZVOUS_PORT = 20000  # of SGLang's ranks; any free port
BOOTSTRAP_PORT = 8998  # where SGLang's prefill engines offer their caches
NIXL = {"kv_connector": "NixlConnector", "kv_role": "kv_both"}

# Kernels for mixture-of-experts that the vendor's 1.2 guides name for a precision and a data-centre architecture.
EXPERT_KERNELS = {
    ("fp8", "Blackwell"): "DEEPGEMM",
    ("mxfp4", "Blackwell"): "TRTLLM",
    ("mxfp4", "Hopper"): "TRITON",
}


@dataclass(frozen=True)
class Launch:
    """How a container starts the engine.

    Attributes
    ----------
    stem : file name in `engine/`, without its ending
    options : contents of an options file; empty: the engine takes none
    environment : variables that the engine reads
    addresses : variables that hold the pod's own address
    capabilities : Linux capabilities that it cannot do without
    processes : busy processes on one server [-]
    """

    stem: str
    command: tuple[str, ...]
    arguments: tuple[str, ...]
    processes: int
    options: dict[str, Any] = field(default_factory=dict)
    environment: dict[str, str] = field(default_factory=dict)
    addresses: tuple[str, ...] = ()
    capabilities: tuple[str, ...] = ()


@dataclass(frozen=True)
class Start:
    """How the engines of a pool start: the first server of each answers requests, the others follow it."""

    pool: Pool
    leader: Launch
    worker: Launch | None


def starts(subject: Subject) -> tuple[Start, ...]:
    """Command, arguments and options of every pool of a plan.

    Raises
    ------
    PlannerError
        For an engine without a writer, or a layout that the engine has no words for.
    """
    return tuple(_start(subject, pool) for pool in subject.pools)


def _start(subject: Subject, pool: Pool) -> Start:
    writer = _WRITERS.get(subject.plan.engine)
    if writer is None:
        raise PlannerError(
            "no bundle can be written for engine {engine!r}. Known: {known}.\n"
            "  Next: set limits.engines to one of them.",
            engine=subject.plan.engine,
            known=", ".join(_WRITERS),
        )
    layout = pool.layout
    if layout.ep not in (1, layout.tp * layout.dp):
        raise PlannerError(
            "{title}: experts are spread over 1 or tp x dp ranks, not {ep}.", title=subject.plan.title, ep=layout.ep
        )
    leader = writer(subject, pool)
    if pool.nodes == 1:
        return Start(pool, leader, None)
    more = ("--headless",) if subject.plan.engine == "vllm" else ()
    return Start(
        pool, leader, replace(leader, stem=f"{leader.stem}-worker", arguments=(*leader.arguments, *more), options={})
    )


def write(starting: Sequence[Start]) -> dict[str, str]:
    """Files of `engine/`."""
    files: dict[str, str] = {}
    for launch in (launch for start in starting for launch in (start.leader, start.worker) if launch):
        files[f"engine/{launch.stem}.args"] = "".join(f"{argument}\n" for argument in launch.arguments)
        if launch.options:
            files[f"engine/{launch.stem}.yaml"] = to_yaml(launch.options)
    return files


def others(subject: Subject, catalog: Catalog) -> tuple[Start, ...]:
    """The same layout as other engines spell it, where they run it: for a trial beside the plan's own engine."""
    found: list[Start] = []
    for name in sorted(_WRITERS.keys() - {subject.plan.engine}):
        row = catalog.engines.get(name)
        if row is None or not _runs(row, subject):
            continue
        plan = subject.plan.model_copy(update={"engine": name})
        try:
            found += starts(replace(subject, plan=plan, engine=row))
        except PlannerError:
            continue  # it has no words for this layout
    return tuple(found)


def _runs(engine: Engine, subject: Subject) -> bool:
    accelerator, layout = subject.accelerator, subject.plan.layout
    families = engine.weights.get(cast(WeightPrecision, layout.weights), ())
    known = any(family == "*" or accelerator.architecture.startswith(family) for family in families)
    return known and layout.kv in engine.kv and accelerator.vendor in engine.vendors


def image(subject: Subject) -> str:
    """Pinned container image.

    Raises
    ------
    MissingFact
        If the catalogs hold no image of the engine for the accelerator's vendor.
    """
    accelerator, engine = subject.accelerator, subject.engine
    if accelerator.vendor == "NVIDIA":
        return engine.image
    family = accelerator.architecture.split()[0]
    if family not in engine.images:
        raise MissingFact(
            Message("engine {engine}", engine=subject.plan.engine),
            Message("container image for {vendor} {family}", vendor=accelerator.vendor, family=family),
            Message("the bundle"),
            Message(
                "Next: choose a plan on other accelerators (limits.accelerators), or take the arguments from such "
                "a one."
            ),
        )
    return engine.images[family]


def _vllm(subject: Subject, pool: Pool) -> Launch:
    layout, engine = pool.layout, subject.engine
    arguments = [
        subject.model,
        f"--served-model-name={subject.stands_for or subject.plan.llm}",
        "--host=0.0.0.0",
        f"--port={engine.port}",
        f"--tensor-parallel-size={layout.tp}",
        f"--pipeline-parallel-size={layout.pp}",
        f"--data-parallel-size={layout.dp}",
        *(["--enable-expert-parallel"] if layout.ep > 1 else []),
        f"--kv-cache-dtype={_cache_type(subject, pool, 'fp8', 'bfloat16')}",
        f"--max-model-len={layout.max_context_tokens}",
        f"--max-num-seqs={_per_rank(layout.max_sequences, layout.dp)}",
        *_prompts(subject, pool),
        f"--gpu-memory-utilization={engine.memory_utilisation:g}",
        *_several_nodes(pool, "--master-addr=$(LWS_LEADER_ADDRESS)"),
        *([f"--kv-transfer-config={json.dumps(NIXL, separators=(',', ':'))}"] if subject.apart else []),
    ]
    # docs.vllm.ai design/arch_overview, "Process Count Summary": API servers, engine cores, workers, coordinator.
    ranks = math.ceil(layout.dp / pool.nodes)
    return Launch(
        f"vllm{pool.suffix}",
        ("vllm", "serve"),
        tuple(arguments),
        2 * ranks + pool.gpus_per_node + (layout.dp > 1),
        # Without an address NIXL offers its caches at localhost (docs.vllm.ai features/nixl_connector_usage).
        addresses=("VLLM_NIXL_SIDE_CHANNEL_HOST",) if subject.apart else (),
    )


def _prompts(subject: Subject, pool: Pool) -> list[str]:
    """How vLLM takes prompts in: in chunks, unless it must serve them whole."""
    layout = pool.layout
    if not subject.engine.serves_whole(layout.weights, subject.llm.attention):
        return [f"--max-num-batched-tokens={layout.max_batched_tokens}"]
    whole = max(layout.max_batched_tokens, layout.max_context_tokens)
    return [f"--max-num-batched-tokens={whole}", "--no-enable-chunked-prefill", "--no-enable-prefix-caching"]


def _sglang(subject: Subject, pool: Pool) -> Launch:
    layout, engine = pool.layout, subject.engine
    arguments = [
        f"--model-path={subject.model}",
        f"--served-model-name={subject.stands_for or subject.plan.llm}",
        "--host=0.0.0.0",
        f"--port={engine.port}",
        f"--tp-size={layout.tp * layout.dp}",
        f"--pp-size={layout.pp}",
        f"--dp-size={layout.dp}",
        *(["--enable-dp-attention"] if layout.dp > 1 else []),
        f"--ep-size={layout.ep}",
        f"--kv-cache-dtype={_cache_type(subject, pool, 'fp8_e4m3', 'bf16')}",
        f"--context-length={layout.max_context_tokens}",
        f"--max-running-requests={layout.max_sequences}",
        f"--chunked-prefill-size={layout.max_batched_tokens * layout.dp}",
        f"--mem-fraction-static={engine.memory_utilisation:g}",
        "--enable-metrics",
        *_several_nodes(pool, f"--dist-init-addr=$(LWS_LEADER_ADDRESS):{RENDEZVOUS_PORT}"),
    ]
    if subject.apart:
        arguments += [f"--disaggregation-mode={pool.role}", "--disaggregation-transfer-backend=nixl"]
        if pool.role == "prefill":
            arguments.append(f"--disaggregation-bootstrap-port={BOOTSTRAP_PORT}")
    # Tokenizer with HTTP server, detokenizer, one scheduler per accelerator, a controller over the ranks.
    processes = 2 + pool.gpus_per_node + (layout.dp > 1)
    # By default /health generates a token; a liveness probe must not depend on the queue.
    environment = {"SGLANG_ENABLE_HEALTH_ENDPOINT_GENERATION": "false"}
    command = ("python3", "-m", "sglang.launch_server")
    return Launch(f"sglang{pool.suffix}", command, tuple(arguments), processes, environment=environment)


def _several_nodes(pool: Pool, address: str) -> list[str]:
    """Variables that a LeaderWorkerSet sets in every pod of a group; both engines need no Ray."""
    if pool.nodes == 1:
        return []
    return [f"--nnodes={pool.nodes}", "--node-rank=$(LWS_WORKER_INDEX)", address]


def _tensorrt_llm(subject: Subject, pool: Pool) -> Launch:
    layout, engine = pool.layout, subject.engine
    _refuse_tensorrt_llm(subject, pool)
    arguments = [
        subject.model,
        "--host=0.0.0.0",
        f"--port={engine.port}",
        f"--tp_size={layout.tp * layout.dp}",
        f"--pp_size={layout.pp}",
        f"--ep_size={layout.ep}",
        f"--max_batch_size={_per_rank(layout.max_sequences, layout.dp)}",
        f"--max_num_tokens={layout.max_batched_tokens}",
        f"--max_seq_len={layout.max_context_tokens}",
        f"--kv_cache_free_gpu_memory_fraction={engine.memory_utilisation:g}",
        f"--extra_llm_api_options={OPTIONS_FOLDER}/trtllm.yaml",
    ]
    return Launch(
        "trtllm",
        ("trtllm-serve",),
        tuple(arguments),
        processes=2 + pool.gpus,
        options=_tensorrt_llm_options(subject, pool),
        # Peers map each other's NVLink buffers with pidfd_getfd, which the runtime's default system-call
        # filter allows only with this capability (containerd pull request 4730).
        capabilities=("SYS_PTRACE",) if layout.dp > 1 else (),
    )


def _refuse_tensorrt_llm(subject: Subject, pool: Pool) -> None:
    if subject.apart or pool.nodes > 1:
        what = Message("two pools") if subject.apart else Message("{n} servers", n=pool.nodes)
        raise PlannerError(
            "{title}: for TensorRT-LLM over {what} the bundle has no documents, as it starts there "
            "through MPI.\n"
            "  Next: choose another --plan, or set limits.engines to vllm or sglang.",
            title=subject.plan.title,
            what=what,
        )
    if pool.layout.dp > 1 and pool.layout.tp > 1:
        raise PlannerError(
            "{title}: TensorRT-LLM runs attention either tensor-parallel or data-parallel, not both.\n"
            "  Next: choose another --plan, or set limits.engines to vllm or sglang.",
            title=subject.plan.title,
        )


def _tensorrt_llm_options(subject: Subject, pool: Pool) -> dict[str, Any]:
    """What `trtllm-serve` takes from a file only. Without chunks, prompts beyond the token budget are refused."""
    layout = pool.layout
    kernels = EXPERT_KERNELS.get((layout.weights, subject.accelerator.architecture.split()[0]))
    data_centre = subject.accelerator.memory_type.startswith("HBM")
    options: dict[str, Any] = {
        "enable_attention_dp": layout.dp > 1,
        "enable_chunked_prefill": True,
        "kv_cache_config": {"dtype": _cache_type(subject, pool, "fp8", "auto")},
        "return_perf_metrics": True,  # or its Prometheus histograms stay empty
    }
    if subject.llm.moe and data_centre and kernels:
        options["moe_config"] = {"backend": kernels}
    return options


def _cache_type(subject: Subject, pool: Pool, narrow: str, wide: str) -> str:
    """Name of the cache's type. `auto` is the 16-bit type of the weights, and the only one that vLLM takes then;
    models with an indexer default to fp8 and have to be told (vllm/config/cache.py, sglang/srt/server_args.py)."""
    if pool.layout.kv == "fp8":
        return narrow
    return wide if subject.llm.indexer else "auto"


def _per_rank(sequences: int, ranks: int) -> int:
    return max(sequences // ranks, 1)


_WRITERS: dict[str, Callable[[Subject, Pool], Launch]] = {
    "vllm": _vllm,
    "sglang": _sglang,
    "tensorrt-llm": _tensorrt_llm,
}
