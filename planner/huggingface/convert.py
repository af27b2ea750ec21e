"""From a config's keys to the shapes of the catalog."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import date
from typing import Literal

from pydantic import ValidationError

from planner.complaints import complaint
from planner.errors import CatalogError, Message
from planner.huggingface.checkpoint import attention_in_16_bit, vision_params, weight_precision
from planner.huggingface.families import Family, check_keys, family_of
from planner.huggingface.values import (
    MOST_LAYERS,
    Config,
    first,
    flag,
    layer_numbers,
    maybe,
    per_layer,
    refuse,
    section,
    whole,
)
from planner.schema.facts import IndexerShape, LinearShape, Llm, MlaShape, MoeShape, SlidingShape

Kind = Literal["full", "sliding", "linear"]

_KINDS: Mapping[object, Kind] = {
    "full_attention": "full",
    "indexed_attention": "full",
    "deepseek_sparse_attention": "full",
    "sliding_attention": "sliding",
    "chunked_attention": "sliding",
    "linear_attention": "linear",
}
_FALL_BACKS = ("quantization_config", "tie_word_embeddings", "dtype", "torch_dtype")


def llm_from_config(config: dict[str, object], name: str, today: date | None = None) -> Llm:
    """Turn a Hugging Face config into a catalog row.

    Parameters
    ----------
    config : dict
        A parsed config.json; dimensions are counts [-], max_position_embeddings is in tokens.
    name : str
        Hugging Face repository, such as ``Qwen/Qwen3-8B``.
    today : date, optional
        Day of the import, which becomes source_date; the current day where absent.

    Raises
    ------
    CatalogError
        Naming the key that is missing, malformed or not modelled, and what is allowed.

    References
    ----------
    .. [1] Hugging Face transformers 5.23, models/*/configuration_*.py and modeling_*.py.
    """
    if not name.strip() or not name.isprintable():
        raise CatalogError("{name!a} does not name a model; give its Hugging Face repository.", name=name)
    try:
        return _llm(config, name.strip(), today or date.today())
    except ValidationError as error:
        problem = error.errors()[0]
        place = ".".join(str(part) for part in problem["loc"])
        raise CatalogError(
            "config.json of {name}: {place}: {msg}.",
            name=name,
            place=place or Message("dimensions"),
            msg=complaint(problem),
        ) from error
    except CatalogError as error:
        raise CatalogError("config.json of {name}: {error}.", name=name, error=error) from error


def _llm(config: Config, name: str, today: date) -> Llm:
    text, family = _language_model(config)
    layers = whole(text, "num_hidden_layers", most=MOST_LAYERS)
    heads = whole(text, "num_attention_heads")
    mla = _mla(text)
    kinds = _layer_kinds(text, family, layers)
    moe = _moe(text, family, layers)
    weights = weight_precision(text, name)
    tower, note = vision_params(config)
    return Llm(
        name=name.rstrip("/").rsplit("/", 1)[-1] or name,
        hf_id=name,
        layers=layers,
        hidden_size=whole(text, "hidden_size"),
        heads=heads,
        kv_heads=heads if mla else _kv_heads(text, family, heads),
        head_dim=None if mla else _head_dim(text, heads),
        attention="mla" if mla else "gqa",
        attention_output_gate=flag(text, "attn_output_gate", family.output_gate),
        mla=mla,
        ffn_size=_dense_width(text) if moe is None or moe.dense_layers else None,
        ffn_gated=family.gated,
        moe=moe,
        sliding=_sliding(text, kinds),
        linear=_linear(text, kinds),
        indexer=_indexer(text, layers),
        mtp_layers=first(text, ("num_nextn_predict_layers", "mtp_num_hidden_layers", "num_mtp_layers")) or 0,
        extra_params=tower,
        vocab_size=whole(text, "vocab_size"),
        tied_embeddings=flag(text, "tie_word_embeddings", family.tied),
        max_context_tokens=maybe(text, "max_position_embeddings"),
        weights=weights,
        unquantised=("attention",) if attention_in_16_bit(text, layers) else (),
        source=f"config.json of {name}, imported",
        source_date=today.isoformat(),
        confidence="medium",
        notes=note,
    )


def _language_model(config: Config) -> tuple[Config, Family]:
    """The part that describes the language model, filled up with what its model_type assumes."""
    check_keys(config)
    inner = section(config, "text_config")
    outer = {key: config[key] for key in _FALL_BACKS if key in config}
    stated = config if inner is None else {**outer, **inner}
    check_keys(stated)
    family = family_of(stated)
    return {**family.defaults, **{key: value for key, value in stated.items() if value is not None}}, family


def _mla(text: Config) -> MlaShape | None:
    if "kv_lora_rank" not in text:
        return None
    parts = ("kv_lora_rank", "qk_nope_head_dim", "qk_rope_head_dim", "v_head_dim")
    return MlaShape(q_lora_rank=maybe(text, "q_lora_rank"), **{part: whole(text, part) for part in parts})


def _kv_heads(text: Config, family: Family, heads: int) -> int:
    kv_heads = whole(text, "num_key_value_heads", heads if family.mha else None)
    if heads % kv_heads:
        refuse("num_key_value_heads", kv_heads, Message("a divisor of num_attention_heads {heads}", heads=heads))
    return kv_heads


def _head_dim(text: Config, heads: int) -> int:
    hidden = whole(text, "hidden_size")
    if "head_dim" not in text and hidden % heads:
        refuse(
            "head_dim",
            None,
            Message(
                "absent only if num_attention_heads {heads} divides hidden_size {hidden}", heads=heads, hidden=hidden
            ),
        )
    width = whole(text, "head_dim", hidden // heads)
    if maybe(text, "v_head_dim") not in (None, width):
        refuse("v_head_dim", text["v_head_dim"], Message("head_dim {width} where attention is not latent", width=width))
    return width


def _dense_width(text: Config) -> int:
    """Llama 4 writes the dense width apart: there intermediate_size is an expert's."""
    return whole(text, "intermediate_size_mlp" if "intermediate_size_mlp" in text else "intermediate_size")


def _moe(text: Config, family: Family, layers: int) -> MoeShape | None:
    experts = first(text, ("n_routed_experts", "num_experts", "num_local_experts"))
    dense = _dense_layers(text, layers) if experts else layers
    if not experts or dense == layers:
        return None
    visits = first(text, ("num_experts_per_tok", "experts_per_token"))
    if not visits or visits > experts:
        refuse("num_experts_per_tok", visits, Message("1 to the number of experts, {experts}", experts=experts))
    width = whole(text, family.expert_width)
    shared = first(text, ("n_shared_experts",)) or 0
    total = first(text, ("shared_expert_intermediate_size", "shared_intermediate_size")) or 0
    shared = max(shared, 1) if total else shared
    return MoeShape(
        experts=experts,
        experts_per_token=visits,
        shared_experts=shared,
        expert_ffn_size=width,
        shared_expert_ffn_size=total if total not in (0, shared * width) else None,
        dense_layers=dense,
    )


def _dense_layers(text: Config, layers: int) -> int:
    """Layers without experts: by list, or by DeepSeek's, Qwen's and Llama 4's rules together."""
    if "mlp_layer_types" in text:
        return per_layer(text, "mlp_layer_types", layers, ("dense", "sparse")).count("dense")
    if isinstance(text.get("moe_layer_freq"), list):
        return per_layer(text, "moe_layer_freq", layers, (0, 1)).count(0)
    if "moe_layers" in text:
        return layers - len(layer_numbers(text, "moe_layers", layers))
    start = whole(text, "first_k_dense_replace", 0, least=0)
    every = whole(text, "moe_layer_freq", 1)
    step = whole(text, "decoder_sparse_step", whole(text, "interleave_moe_layer_step", 1))
    only = layer_numbers(text, "mlp_only_layers", layers)
    return layers - sum(i >= start and i % every == 0 and (i + 1) % step == 0 and i not in only for i in range(layers))


def _layer_kinds(text: Config, family: Family, layers: int) -> list[Kind]:
    if "layer_types" in text:
        return [_KINDS[kind] for kind in per_layer(text, "layer_types", layers, tuple(_KINDS))]
    every = whole(text, "full_attention_interval", family.linear_every, least=0)
    if every:
        return _all_but_every(every, "linear", layers)
    if "linear_num_value_heads" in text:
        refuse("layer_types", None, Message("a list with every layer's attention, next to linear_num_value_heads"))
    if "attention_chunk_size" in text:
        return _chunked_kinds(text, layers)
    return _window_kinds(text, family, layers) if "sliding_window" in text else ["full"] * layers


def _chunked_kinds(text: Config, layers: int) -> list[Kind]:
    """Llama 4: layers with rotary embedding attend within a chunk, those without attend to everything."""
    if text.get("no_rope_layers"):
        rotary = per_layer(text, "no_rope_layers", layers, (0, 1))
        return ["sliding" if has_rope else "full" for has_rope in rotary]
    return _all_but_every(whole(text, "no_rope_layer_interval", 4), "sliding", layers)


def _window_kinds(text: Config, family: Family, layers: int) -> list[Kind]:
    """Which layers a bare sliding_window concerns: Gemma's pattern, Qwen's later layers, or all."""
    if not flag(text, "use_sliding_window", True):
        return ["full"] * layers
    stated = first(text, ("sliding_window_pattern", "_sliding_window_pattern"))
    every = family.full_every if stated is None else stated
    if every is not None:
        return _all_but_every(every, "sliding", layers) if every else ["sliding"] * layers
    if "use_sliding_window" not in text:
        refuse("sliding_window", text["sliding_window"], Message("null, or next to use_sliding_window or layer_types"))
    full = whole(text, "max_window_layers", least=0)
    return ["full" if i < full else "sliding" for i in range(layers)]


def _all_but_every(n: int, kind: Kind, layers: int) -> list[Kind]:
    return [kind if (i + 1) % n else "full" for i in range(layers)]


def _sliding(text: Config, kinds: list[Kind]) -> SlidingShape | None:
    count = kinds.count("sliding")
    key = "attention_chunk_size" if "attention_chunk_size" in text else "sliding_window"
    return SlidingShape(window_tokens=whole(text, key), layers=count) if count else None


def _linear(text: Config, kinds: list[Kind]) -> LinearShape | None:
    if not (count := kinds.count("linear")):
        return None
    return LinearShape(
        layers=count,
        key_heads=whole(text, "linear_num_key_heads"),
        value_heads=whole(text, "linear_num_value_heads"),
        key_head_dim=whole(text, "linear_key_head_dim"),
        value_head_dim=whole(text, "linear_value_head_dim"),
        conv_kernel=whole(text, "linear_conv_kernel_dim", least=0),
    )


def _indexer(text: Config, layers: int) -> IndexerShape | None:
    if "indexer_types" in text:
        per_layer(text, "indexer_types", layers, ("full",))  # shared ones cache less than is counted here
    if "index_topk" not in text:
        return None
    return IndexerShape(
        heads=whole(text, "index_n_heads"),
        head_dim=whole(text, "index_head_dim"),
        topk_tokens=whole(text, "index_topk"),
    )
