"""Storage formats: bytes per value with the scales that belong to it, and what computes it.

| format | bytes per weight | where it comes from |
| --- | --- | --- |
| bf16 | 2 | IEEE half width |
| fp8 | 1 + 4/128² | one fp32 scale per 128 x 128 block, as DeepSeek-V3 publishes it |
| int8 | 1 + 2/4096 | one fp16 scale per output channel (4,096 inputs) |
| int4 | 0.5 + 2/128 + 0.5/128 | AWQ: fp16 scale and 4-bit zero per 128 weights |
| nvfp4 | 0.5 + 1/16 | fp8 scale per 16 weights |
| mxfp4 | 0.5 + 1/32 | 8-bit exponent per 32 weights (OCP microscaling) |
"""

from __future__ import annotations

BYTES_PER_WEIGHT = {
    "bf16": 2.0,
    "fp8": 1 + 4 / 128**2,
    "int8": 1 + 2 / 4096,
    "int4": 0.5 + 2.5 / 128,
    "nvfp4": 0.5 + 1 / 16,
    "mxfp4": 0.5 + 1 / 32,
}
BYTES_PER_KV = {"bf16": 2.0, "fp8": 1.0}
BITS = {"bf16": 16, "fp8": 8, "int8": 8, "int4": 4, "nvfp4": 4, "mxfp4": 4}

# Four-bit MoE checkpoints in these formats keep attention in 16 bit (NVIDIA ModelOpt, gpt-oss).
ATTENTION_STAYS_16_BIT = frozenset({"nvfp4", "mxfp4"})


def made_from(published: str) -> tuple[str, ...]:
    """Formats no finer than the published one; fp8 checkpoints can also be widened to bf16.

    Examples
    --------
    >>> made_from("mxfp4")
    ('int4', 'nvfp4', 'mxfp4')
    """
    finest = 16 if published in ("bf16", "fp8") else BITS[published]
    made = [weights for weights, bits in BITS.items() if bits <= finest and weights != "mxfp4"]
    return tuple(made if published in made else [*made, published])


def compute_dtype(weights: str, accelerator_dtypes: frozenset[str]) -> str | None:
    """Data type in which matrix products run, None if the accelerator cannot.

    Without units of their own, weight-only kernels widen weights to bf16 in registers: they
    save bytes and no arithmetic. int4 is always computed so. Which engine has such kernels
    for which architecture is in engines.toml.

    Examples
    --------
    >>> compute_dtype("fp8", frozenset({"bf16", "int8"}))
    'bf16'
    >>> compute_dtype("int8", frozenset({"bf16"})) is None
    True
    >>> compute_dtype("int4", frozenset({"bf16"}))
    'bf16'
    """
    native = {"bf16": "bf16", "fp8": "fp8", "int8": "int8", "nvfp4": "fp4", "mxfp4": "fp4"}.get(weights)
    if native in accelerator_dtypes:
        return native
    widened = weights in {"int4", "mxfp4", "nvfp4", "fp8"}
    return "bf16" if widened and "bf16" in accelerator_dtypes else None
