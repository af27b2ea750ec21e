"""Model configurations against Triton's own message."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from planner.bundle.documents.triton import REPOSITORY
from planner.bundle.finding import Bundle, Finding, Problems
from planner.bundle.tools.program import Tool

GET = "pip install 'llm-capacity-planner[dev]'"


def _configurations(bundle: Bundle, folder: Path) -> Problems:
    """Triton can read every model configuration, and no preferred batch is larger than the largest."""
    names = sorted(n for n in bundle.files if n.startswith(f"{REPOSITORY}/") and n.endswith("/config.pbtxt"))
    if not names:
        return
    try:
        from google.protobuf import text_format
        from tritonclient.grpc import model_config_pb2
    except (ImportError, RuntimeError):  # tritonclient turns the first into the second
        yield Finding("triton", REPOSITORY, "not_checked", f"tritonclient is not installed: {GET}")
        return
    for name in names:
        try:
            text = bundle.files[name].decode()
            found = text_format.Parse(text, model_config_pb2.ModelConfig())
        except (text_format.ParseError, UnicodeDecodeError) as error:
            yield Finding("triton", name, "error", f"no ModelConfig: {error}"[:300])
            continue
        for problem in _problems(name, found):
            yield Finding("triton", name, "error", problem)


def _problems(name: str, found: Any) -> list[str]:
    model = name.split("/")[-2]
    sizes = list(found.dynamic_batching.preferred_batch_size)
    said = [f"its name is {found.name!r}, its folder {model!r}"] if found.name != model else []
    if not (found.backend or found.platform):
        said.append("names neither a backend nor a platform")
    if sizes and max(sizes) > found.max_batch_size:
        said.append(f"prefers batches of {max(sizes)}, the largest is {found.max_batch_size}")
    if found.HasField("dynamic_batching") and not found.max_batch_size:
        said.append("batches dynamically with a max_batch_size of 0")
    if found.HasField("dynamic_batching") and found.backend in ("vllm", "tensorrtllm"):
        said.append(f"batches before {found.backend}, which batches by itself")
    return said


TOOLS: dict[str, Tool] = {"triton": Tool("tritonclient", _configurations)}
