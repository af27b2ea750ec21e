"""What each model_type means where its config is silent, and which keys are known.

Read off the configuration and modeling files of Hugging Face transformers 5.23; kimi_k2 runs DeepSeek-V3's
code. A key that is not known here and whose name speaks of structure refuses: ignoring it would yield a
plausible, wrong model.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass, field

from planner.errors import CatalogError, Message
from planner.huggingface.values import Config, refuse


@dataclass(frozen=True)
class Family:
    """What transformers assumes for one model_type."""

    tied: bool = False  # input and output embeddings are one matrix
    gated: bool = True  # three FFN matrices
    mha: bool = False  # no num_key_value_heads means one per query head
    full_every: int | None = None  # of a bare sliding_window: 0 all layers slide, n every nth does not
    linear_every: int = 0  # n: linear attention on all but every nth layer
    output_gate: bool = False  # query projection doubled by an output gate
    expert_width: str = "moe_intermediate_size"  # key of one expert's width
    defaults: Config = field(default_factory=dict)


def _delta_net(**more: object) -> Family:
    return Family(linear_every=4, output_gate=True, defaults={"head_dim": 256, **more})


def _first_dense(layers: int) -> Family:
    return Family(defaults={"first_k_dense_replace": layers})


_WIDE = "intermediate_size"
_GEMMA3 = {"head_dim": 256, "num_attention_heads": 8, "num_key_value_heads": 4, "vocab_size": 262_208}
FAMILIES: Mapping[str, Family] = {
    **dict.fromkeys(("llama", "olmo2", "granite"), Family(mha=True)),
    **dict.fromkeys(("qwen2", "qwen2_5_vl", "qwen3_moe", "qwen3_vl_moe", "deepseek_v2"), Family()),
    **dict.fromkeys(("qwen3", "qwen3_vl", "glm", "glm4", "seed_oss"), Family(defaults={"head_dim": 128})),
    **dict.fromkeys(("deepseek_v3", "deepseek_v32", "kimi_k2", "glm_moe_dsa"), _first_dense(3)),
    **dict.fromkeys(("glm4_moe", "glm4_moe_lite"), _first_dense(1)),
    **dict.fromkeys(("nemotron", "arcee"), Family(gated=False, mha=True)),
    "qwen2_moe": Family(defaults={"shared_expert_intermediate_size": 5632}),
    "qwen3_next": _delta_net(shared_expert_intermediate_size=512),
    "qwen3_5": _delta_net(),
    "qwen3_5_moe": _delta_net(shared_expert_intermediate_size=512),
    "mistral": Family(full_every=0),
    "ministral3": Family(full_every=0, defaults={"head_dim": 128}),
    "mixtral": Family(full_every=0, expert_width=_WIDE),
    "phimoe": Family(full_every=0, expert_width=_WIDE),
    "phi3": Family(full_every=0, mha=True),
    "starcoder2": Family(tied=True, gated=False, full_every=0),
    "gemma": Family(tied=True, defaults={"head_dim": 256}),
    "gemma2": Family(tied=True, full_every=2, defaults={"head_dim": 256}),
    "gemma3": Family(tied=True, full_every=6, defaults=_GEMMA3),
    "gpt_oss": Family(full_every=2, expert_width=_WIDE, defaults={"head_dim": 64, "sliding_window": 128}),
    "llama4": Family(expert_width=_WIDE, defaults={"head_dim": 128, "n_shared_experts": 1}),
    "minimax_m2": Family(expert_width=_WIDE, defaults={"head_dim": 128}),
    "cohere": Family(tied=True, mha=True),
    "cohere2": Family(tied=True, mha=True, full_every=4),
    "olmo3": Family(mha=True, full_every=4),
    "granitemoe": Family(mha=True, expert_width=_WIDE),
    "ernie4_5": Family(tied=True, defaults={"head_dim": 128}),
}

_READ = frozenset(
    {
        "_sliding_window_pattern",
        "attention_chunk_size",
        "attn_output_gate",
        "attn_type_list",
        "audio_config",
        "decoder_sparse_step",
        "experts_per_token",
        "first_k_dense_replace",
        "full_attention_interval",
        "head_dim",
        "hidden_size",
        "index_head_dim",
        "index_n_heads",
        "index_topk",
        "indexer_types",
        "interleave_moe_layer_step",
        "intermediate_size",
        "intermediate_size_mlp",
        "kv_lora_rank",
        "layer_types",
        "linear_conv_kernel_dim",
        "linear_key_head_dim",
        "linear_num_key_heads",
        "linear_num_value_heads",
        "linear_value_head_dim",
        "max_position_embeddings",
        "max_window_layers",
        "mlp_layer_types",
        "mlp_only_layers",
        "moe_intermediate_size",
        "moe_layer_freq",
        "moe_layers",
        "mtp_num_hidden_layers",
        "n_routed_experts",
        "n_shared_experts",
        "no_rope_layer_interval",
        "no_rope_layers",
        "num_attention_heads",
        "num_experts",
        "num_experts_per_tok",
        "num_hidden_layers",
        "num_key_value_heads",
        "num_local_experts",
        "num_mtp_layers",
        "num_nextn_predict_layers",
        "q_lora_rank",
        "qk_nope_head_dim",
        "qk_rope_head_dim",
        "shared_expert_intermediate_size",
        "shared_intermediate_size",
        "sliding_window",
        "sliding_window_pattern",
        "use_sliding_window",
        "v_head_dim",
        "vocab_size",
    }
)
# Named like structure, yet without effect on what the planner counts. num_mtp_modules: MiniMax's prediction
# modules, which vLLM 0.20.0 has no model for, so they are not offered for speculation.
_HARMLESS = frozenset(
    {
        "attention_bias",
        "attention_dropout",
        "attention_multiplier",
        "attention_out_bias",
        "attention_probs_dropout_prob",
        "attn_logit_softcapping",
        "attn_pdrop",
        "attn_scale",
        "attn_temperature_tuning",
        "chunk_size_feed_forward",
        "embedding_multiplier",
        "encoder_no_repeat_ngram_size",
        "ep_size",
        "hidden_act",
        "hidden_activation",
        "hidden_dropout",
        "hidden_dropout_prob",
        "ignore_index",
        "index_share_for_mtp_iteration",
        "indexer_rope_interleave",
        "initial_context_length",
        "layer_norm_eps",
        "layer_norm_epsilon",
        "layernorm_epsilon",
        "lm_head_bias",
        "mamba_ssm_dtype",
        "mlp_bias",
        "mm_tokens_per_image",
        "moe_router_dtype",
        "mtp_transformer_layers",
        "mtp_use_dedicated_embeddings",
        "multi_modal_projector_bias",
        "multimodal_projector_bias",
        "no_repeat_ngram_size",
        "num_beam_groups",
        "num_mtp_modules",
        "output_attentions",
        "output_hidden_states",
        "projector_hidden_act",
        "qk_head_dim",
        "qk_layernorm",
        "qk_norm_type",
        "query_pre_attn_scalar",
        "residual_dropout",
        "residual_multiplier",
        "spatial_merge_size",
        "use_bidirectional_attention",
        "use_mtp",
        "use_unified_vision_chunk",
    }
)
_STRUCTURE = re.compile(
    "layer|head|expert|moe|lora|rank|attn|attention|kv|ssm|mamba|conv|window|size|dim|hidden|inner|interval|period"
    "|pattern|block|recurr|rnn|lru|state|compress|spars|hash|altup|laurel|shar|mtp|nextn|encoder|memory|latent"
    "|depth|mult|index|chunk|linear|delta|query|engram|stream|ffn|mlp|intermediate|mixer|hybrid|rwkv"
    "|retention|hyper|residual|hc_|expand|o_groups"
)
_PLAIN = re.compile(r"_token_(id|index)$|rope|rotary|^_name|^_attn_impl|^(vision|image|video|audio)_")


def family_of(config: Config) -> Family:
    """The family that model_type names, text models of multimodal wrappers included."""
    kind = config.get("model_type")
    found = FAMILIES.get(kind.removesuffix("_text")) if isinstance(kind, str) else None
    if found is None:
        known = ", ".join(sorted(FAMILIES))
        refuse("model_type", kind, Message("{known}; enter others by hand in catalogs/llms.toml", known=known))
    return found


def check_keys(config: Config) -> None:
    """Refuse keys that change the architecture in ways that are not modelled."""
    odd = sorted(key for key, value in config.items() if value and _is_structure(key))
    if odd:
        listed = ", ".join(ascii(key)[1:-1][:40] for key in odd[:6]) + (" and more" if odd[6:] else "")
        raise CatalogError("{listed}: not modelled; allowed: absent, null, false or 0", listed=listed)
    kinds = config.get("attn_type_list")
    if isinstance(kinds, list) and any(kind != 1 for kind in kinds):
        refuse("attn_type_list", kinds, Message("1, softmax attention, on every layer"))


def _is_structure(key: str) -> bool:
    known = key in _READ or key in _HARMLESS or _PLAIN.search(key) is not None
    return not known and _STRUCTURE.search(key.lower()) is not None
