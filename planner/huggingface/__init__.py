"""A Hugging Face config.json as a row of the LLM catalog, and a row as TOML."""

from __future__ import annotations

from planner.huggingface.convert import llm_from_config
from planner.huggingface.files import MAX_CONFIG_BYTES, llm_slug, llm_to_toml, read_config

__all__ = ["MAX_CONFIG_BYTES", "llm_from_config", "llm_slug", "llm_to_toml", "read_config"]
