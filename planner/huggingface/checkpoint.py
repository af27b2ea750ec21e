"""What a config says about its checkpoint: precision of the weights, towers beside the language model."""

from __future__ import annotations

import re
from collections.abc import Mapping

from planner.errors import Message
from planner.huggingface.values import Config, first, names, refuse, section
from planner.schema.facts import WeightPrecision

_UNQUANTISED = ("bfloat16", "float16", "float32")  # engines serve float32 checkpoints in 16 bit
_FIXED: Mapping[str, WeightPrecision] = {"fp8": "fp8", "fbgemm_fp8": "fp8", "mxfp4": "mxfp4"}
_BITS: Mapping[int, WeightPrecision] = {4: "int4", 8: "int8"}
_KINDS: Mapping[str, WeightPrecision] = {"float8": "fp8", "int8": "int8", "int4": "int4", "float4": "nvfp4"}
_METHODS = "awq, compressed-tensors, fbgemm_fp8, fp8, gptq, modelopt, mxfp4"
_ALGORITHMS: Mapping[str, WeightPrecision] = {
    "FP8": "fp8",
    "FP8_PB_WO": "fp8",
    "NVFP4": "nvfp4",
    "NVFP4_AWQ": "nvfp4",
    "W4A16_AWQ": "int4",
    "W4A8_AWQ": "int4",
}
_QUANTISED_NAME = re.compile(r"(?<![a-z0-9])(fp8|nvfp4|mxfp4|fp4|int4|int8|awq|gptq|w4a16|w4a8|w8a8)(?![a-z0-9])")
_SKIPPED = ("ignore", "ignored_layers", "modules_to_not_convert", "exclude_modules")
_EVERY_LAYER = -1
_GATED_TOWERS = ("pixtral", "qwen2_5_vl")  # three FFN matrices per vision layer, elsewhere two


def weight_precision(config: Config, name: str) -> WeightPrecision:
    """Precision of most weights: by quantization_config, else 16 bit."""
    quantised = section(config, "quantization_config")
    if quantised is None:
        return _unquantised(config, name)
    method = quantised.get("quant_method")
    if isinstance(method, str) and method in _FIXED:
        return _FIXED[method]
    if method in ("awq", "gptq"):
        return _by_bits(quantised)
    if method in ("modelopt", None) and quantised.get("quant_algo") is not None:
        return _by_algorithm(quantised)
    if method in ("compressed-tensors", "modelopt"):
        return _by_groups(quantised)
    refuse("quantization_config.quant_method", method, _METHODS)


def _unquantised(config: Config, name: str) -> WeightPrecision:
    stored = config.get("dtype") or config.get("torch_dtype") or "bfloat16"
    if stored not in _UNQUANTISED:
        refuse(
            "dtype", stored, Message("{unquantised} without quantization_config", unquantised=", ".join(_UNQUANTISED))
        )
    if hint := _QUANTISED_NAME.search(name.lower()):  # NVIDIA keeps it in hf_quant_config.json
        refuse(
            "quantization_config",
            None,
            Message("absent only if the weights are in 16 bit; the name says {hint}", hint=hint[1]),
        )
    return "bf16"


def _by_bits(quantised: Config) -> WeightPrecision:
    bits = first(quantised, ("bits", "w_bit"))
    if bits is None or bits not in _BITS:
        refuse("quantization_config.bits", bits, Message("4 or 8"))
    return _BITS[bits]


def _by_algorithm(quantised: Config) -> WeightPrecision:
    algorithm = quantised["quant_algo"]
    if not isinstance(algorithm, str) or algorithm not in _ALGORITHMS:
        refuse("quantization_config.quant_algo", algorithm, ", ".join(_ALGORITHMS))
    return _ALGORITHMS[algorithm]


def _by_groups(quantised: Config) -> WeightPrecision:
    """One precision over all config_groups; a mixture has no single answer."""
    groups = section(quantised, "config_groups") or {}
    found = {_group_precision(section(groups, name), name) for name in groups}
    if len(found) != 1:
        refuse("quantization_config.config_groups", sorted(found) or None, Message("groups of one weight precision"))
    return found.pop()


def _group_precision(group: Config | None, name: str) -> WeightPrecision:
    weights = section(group or {}, "weights") or {}
    kind = f"{weights.get('type')}{first(weights, ('num_bits',))}"
    if kind == "float4" and first(weights, ("group_size",)) == 32:  # the 4-bit floats differ in scale blocks
        return "mxfp4"
    if kind not in _KINDS:
        key = f"quantization_config.config_groups.{ascii(name)[1:-1]}.weights"
        refuse(key, weights or None, Message("type int or float with num_bits 4 or 8"))
    return _KINDS[kind]


def attention_in_16_bit(config: Config, layers: int) -> bool:
    """Whether quantization_config leaves the attention of every layer alone."""
    quantised = section(config, "quantization_config")
    if quantised is None:
        return False
    spared = {_spared(pattern) for key in _SKIPPED for pattern in names(quantised, key)}
    return _EVERY_LAYER in spared or spared >= set(range(layers))


def _spared(pattern: str) -> int | None:
    """Layer whose attention one pattern exempts; self_attn.kv_b_proj alone is not all attention."""
    number = re.search(r"layers\.(\d{1,6})\b", pattern)
    rest = pattern[number.end() :] if number else pattern
    if re.search(r"(self|linear)_attn[^a-z]*$", rest) or (number and not re.search("[a-z]", rest)):
        return int(number[1]) if number else _EVERY_LAYER
    return None


def vision_params(config: Config) -> tuple[int, str]:
    """Parameters of the vision encoder's layers, and what stays uncounted.

    Notes
    -----
    layers x (4 h^2 + 2 h f), with 3 for 2 in gated encoders; embeddings and projector are left out.
    """
    tower = section(config, "vision_config")
    deaf = ["Audio tower not counted."] if config.get("audio_config") else []
    if tower is None:
        return 0, "".join(deaf)
    count = _encoder_params(tower)
    seen = "extra_params: layers of the vision encoder; embeddings and projector not counted."
    return count, " ".join([seen if count else "Vision tower not counted.", *deaf])


def _encoder_params(tower: Config) -> int:
    """Zero where the tower names its width or depth in a way of its own."""
    width = first(tower, ("hidden_size", "vt_hidden_size")) or 0
    inner = first(tower, ("intermediate_size", "vt_intermediate_size")) or 0
    layers = first(tower, ("depth", "num_hidden_layers", "vt_num_hidden_layers")) or 0
    matrices = 3 if tower.get("model_type") in _GATED_TOWERS else 2
    return layers * (4 * width**2 + matrices * width * inner) if inner else 0
