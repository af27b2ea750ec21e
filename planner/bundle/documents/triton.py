"""A Triton model repository: generation by the plan's engine, and an embedding model whose requests Triton batches.

Engines for generation batch for themselves, step by step. Triton's vLLM backend sets the decoupled policy and a batch
size of 0 itself; the layout of TensorRT-LLM's LLM API keeps both in `1/model.yaml` and asks for them nowhere else. So
`dynamic_batching` stands where Triton does the batching: before the embedding model. Triton joins requests of equal
shape only, hence its inputs have one fixed length, to which clients pad.

References: triton-inference-server/vllm_backend (src/model.py, README), NVIDIA/TensorRT-LLM
triton_backend/all_models/llmapi, Triton "Model Configuration", and onnx/model.onnx of
sentence-transformers/all-MiniLM-L6-v2.
"""

from __future__ import annotations

import json
import re

from planner.bundle.documents.draft import Draft, Files
from planner.bundle.documents.engine import Launch
from planner.bundle.documents.subject import MODEL_VARIABLE, Subject
from planner.bundle.documents.yaml import to_yaml
from planner.bundle.words import parts

FOLDER = "triton"
REPOSITORY = f"{FOLDER}/model_repository"

EMBEDDING = "embedding"
EMBEDDING_MODEL = "sentence-transformers/all-MiniLM-L6-v2"
EMBEDDING_TOKENS, EMBEDDING_WIDTH = 256, 384
EMBEDDING_BATCHES = (8, 16, 32, 64)
DELAY_SHARE = 0.01  # of the promised time to first token, spent waiting for others

VARIABLE, YOURS = f"$({MODEL_VARIABLE})", "YOUR_CHECKPOINT"  # Triton reads its files as they are

# Arguments that belong to the HTTP server around the engine and not to the engine.
SERVER_ONLY = {"served_model_name", "host", "port"}


def write(draft: Draft) -> Files:
    """Repository and how to use it; SGLang, for which Triton has no backend, leaves the embedding model alone in it."""
    subject = draft.subject
    writer = {"vllm": _vllm, "tensorrt-llm": _tensorrt_llm}.get(subject.plan.engine)
    generation = writer(subject, draft.launch) if writer else {}
    engine = subject.plan.engine if writer else "none"
    return {
        **{f"{REPOSITORY}/{name}": content.replace(VARIABLE, YOURS) for name, content in generation.items()},
        f"{REPOSITORY}/{EMBEDDING}/config.pbtxt": embedding(subject),
        f"{FOLDER}/README.md": _page(subject, engine, "en"),
        f"{FOLDER}/README.zh.md": _page(subject, engine, "zh"),
    }


def embedding(subject: Subject) -> str:
    """Configuration of the embedding model: real dynamic batching, no preferred size above the largest."""
    delay_us = round(DELAY_SHARE * subject.result.workload.slo.ttft_p99_s * 1e6)
    inputs = "\n".join(
        f'  {{ name: "{name}" data_type: TYPE_INT64 dims: [ {EMBEDDING_TOKENS} ] }}{"," if more else ""}'
        for name, more in (("input_ids", True), ("attention_mask", True), ("token_type_ids", False))
    )
    batches = ", ".join(str(size) for size in EMBEDDING_BATCHES)
    return f"""\
# {EMBEDDING_MODEL}, onnx/model.onnx as 1/model.onnx. Clients pad to {EMBEDDING_TOKENS} tokens:
# Triton joins requests of equal shape only.
name: "{EMBEDDING}"
platform: "onnxruntime_onnx"
max_batch_size: {max(EMBEDDING_BATCHES)}
input [
{inputs}
]
output [
  {{ name: "last_hidden_state" data_type: TYPE_FP32 dims: [ {EMBEDDING_TOKENS}, {EMBEDDING_WIDTH} ] }}
]
# On the processor: every accelerator of the plan serves the LLM.
instance_group [ {{ count: 1 kind: KIND_CPU }} ]
dynamic_batching {{
  preferred_batch_size: [ {batches} ]
  # {DELAY_SHARE:.0%} of the promised time to first token.
  max_queue_delay_microseconds: {delay_us}
}}
"""


def engine_arguments(launch: Launch) -> dict[str, str | int | float | bool]:
    """Arguments of `vllm serve` as its engine takes them: the same plan, spelled once."""
    found: dict[str, str | int | float | bool] = {"model": launch.arguments[0]}
    for argument in launch.arguments[1:]:
        name, equals, value = argument.removeprefix("--").partition("=")
        key = name.replace("-", "_")
        if key not in SERVER_ONLY:
            found[key] = _value(value) if equals else True
    return found


def _vllm(subject: Subject, launch: Launch) -> dict[str, str]:
    config = f"""\
# The backend sets the decoupled policy and max_batch_size 0 itself: the engine batches, step by step.
name: {json.dumps(subject.name)}
backend: "vllm"
instance_group [ {{ count: 1 kind: KIND_MODEL }} ]
"""
    return {
        f"{subject.name}/config.pbtxt": config,
        f"{subject.name}/1/model.json": json.dumps(engine_arguments(launch), indent=2) + "\n",
    }


def _tensorrt_llm(subject: Subject, launch: Launch) -> dict[str, str]:
    """Settings of the layout that the backend's image brings; its model.py and config.pbtxt stay as they are."""
    layout, engine = subject.plan.layout, subject.engine
    cache = dict(launch.options.get("kv_cache_config", {}))
    settings = {
        **launch.options,
        "model": subject.model,
        "backend": "pytorch",
        "tensor_parallel_size": layout.tp * layout.dp,
        "pipeline_parallel_size": layout.pp,
        "moe_expert_parallel_size": layout.ep,
        "max_batch_size": max(layout.max_sequences // layout.dp, 1),
        "max_num_tokens": layout.max_batched_tokens,
        "max_seq_len": layout.max_context_tokens,
        "kv_cache_config": {**cache, "free_gpu_memory_fraction": engine.memory_utilisation},
        "triton_config": {"max_batch_size": 0, "decoupled": True},
    }
    return {"tensorrt_llm/1/model.yaml": to_yaml(settings)}


def _value(text: str) -> str | int | float:
    if re.fullmatch(r"[0-9]+", text):
        return int(text)
    return float(text) if re.fullmatch(r"[0-9]*\.[0-9]+", text) else text


def _page(subject: Subject, engine: str, language: str) -> str:
    words = parts("triton", language)
    figures = {
        "name": subject.name,
        "llm": subject.llm.name,
        "engine": f"{subject.engine.name} {subject.engine.version}",
        "embedding": EMBEDDING_MODEL,
        "tokens": str(EMBEDDING_TOKENS),
        "largest": str(max(EMBEDDING_BATCHES)),
        "dp": str(subject.plan.layout.dp),
    }
    named = [] if subject.published or engine == "none" else ["checkpoint"]
    return "\n".join(words[part].format(**figures) for part in ("head", engine, *named, "embedding"))
