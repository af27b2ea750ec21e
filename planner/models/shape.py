"""An LLM as the numbers that the models need: parameters by part, caches, work per token.

Counting follows the published configurations. `tests/models/test_shape.py` compares the
totals with every publisher's own figure.
"""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True)
class LlmShape:
    """Counts of one LLM. Parameters are totals over all layers, biases and norms left out.

    Attributes
    ----------
    attention_sharded_params : parameters that tensor parallelism divides [-]
    attention_kv_params : key and value projections, copied once ranks exceed `kv_heads` [-]
    attention_replicated_params : parameters on every rank (MLA compressions, indexer) [-]
    expert_params : one routed expert of one layer [-]
    kv_elements_per_layer : cached values per token of a layer that keeps all tokens [-]
    attention_decode_flops, attention_prefill_flops : per query token, cached token and
        layer, all heads [FLOP]
    expanded_kv_elements : keys and values per token of one layer once a latent is expanded [-]
    linear_state_bytes : state of one sequence, all linear-attention layers [B]
    """

    layers: int
    hidden_size: int
    heads: int
    kv_heads: int
    vocab_size: int
    attention_sharded_params: float
    attention_kv_params: float
    attention_replicated_params: float
    dense_ffn_params: float
    shared_expert_params: float
    router_params: float
    embedding_params: float
    head_params: float
    extra_params: float
    tied_embeddings: bool
    experts: int
    experts_per_token: int
    expert_params: float
    expert_ffn_size: int
    moe_layers: int
    ffn_size: int
    full_layers: int
    sliding_layers: int
    window_tokens: int
    linear_layers: int
    linear_state_bytes: float
    latent_attention: bool
    expanded_kv_elements: float
    kv_elements_per_layer: float
    indexer_elements_per_layer: float
    indexer_flops: float
    sparse_topk_tokens: float
    attention_decode_flops: float
    attention_prefill_flops: float

    @property
    def routed_expert_params(self) -> float:
        """All routed experts of all layers."""
        return self.moe_layers * self.experts * self.expert_params

    @property
    def attention_params(self) -> float:
        """All attention projections of all layers."""
        return self.attention_sharded_params + self.attention_kv_params + self.attention_replicated_params

    @property
    def total_params(self) -> float:
        """Parameters of the language model, multi-token-prediction modules excluded."""
        return (
            self.attention_params
            + self.dense_ffn_params
            + self.shared_expert_params
            + self.router_params
            + self.embedding_params
            + (0 if self.tied_embeddings else self.head_params)
            + self.routed_expert_params
        )

    @property
    def active_params(self) -> float:
        """Parameters that one token meets, embeddings counted once as publishers do."""
        idle = self.moe_layers * (self.experts - self.experts_per_token) * self.expert_params
        return self.total_params - idle


def gqa_attention_params(
    layers: int, hidden_size: int, heads: int, kv_heads: int, head_dim: int, gated: bool
) -> tuple[float, float]:
    """Query+output and key+value projection parameters of grouped-query attention.

    Examples
    --------
    >>> gqa_attention_params(32, 4096, 32, 8, 128, False)
    (1073741824, 268435456)
    """
    query_output = layers * hidden_size * heads * head_dim * (3 if gated else 2)
    key_value = layers * 2 * hidden_size * kv_heads * head_dim
    return query_output, key_value


def mla_attention_params(
    layers: int,
    hidden_size: int,
    heads: int,
    q_lora_rank: int | None,
    kv_lora_rank: int,
    nope_dim: int,
    rope_dim: int,
    value_dim: int,
) -> tuple[float, float]:
    """Sharded and replicated projection parameters of multi-head latent attention.

    The two compressions (q_a, kv_a) stand on every tensor-parallel rank.

    References
    ----------
    .. [1] DeepSeek-AI, "DeepSeek-V2", arXiv 2405.04434, section 2.1.

    Examples
    --------
    >>> mla_attention_params(61, 7168, 128, 1536, 512, 128, 64, 128)
    (10489954304, 923467776)
    """
    query_in = q_lora_rank or hidden_size
    query = query_in * heads * (nope_dim + rope_dim)
    key_value = kv_lora_rank * heads * (nope_dim + value_dim)
    output = heads * value_dim * hidden_size
    compressions = hidden_size * (kv_lora_rank + rope_dim) + (hidden_size * q_lora_rank if q_lora_rank else 0)
    return layers * (query + key_value + output), layers * compressions


def linear_attention_params(
    layers: int, hidden_size: int, key_heads: int, value_heads: int, key_dim: int, value_dim: int
) -> float:
    """Projection parameters of gated-delta-rule layers: q, k, v, z, two gates and output.

    References
    ----------
    .. [1] Yang et al., "Gated Delta Networks", arXiv 2412.06464.
    """
    keys, values = key_heads * key_dim, value_heads * value_dim
    return layers * hidden_size * (2 * keys + 2 * values + 2 * value_heads + values)


def linear_state_bytes(
    layers: int, key_heads: int, value_heads: int, key_dim: int, value_dim: int, conv_kernel: int
) -> float:
    """State of one sequence: a 16-bit matrix per value head and the convolution's tail. [B]"""
    matrix = value_heads * key_dim * value_dim
    tail = (2 * key_heads * key_dim + value_heads * value_dim) * max(conv_kernel - 1, 0)
    return layers * 2.0 * (matrix + tail)
