"""What each engine at its pinned version tells Prometheus, by meaning. A name that it does not have is None."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True)
class EngineMetrics:
    """Metric names of an engine.

    Attributes
    ----------
    path : where they are read
    ttft, tpot : histograms, without `_bucket`. [s]
    waiting, running : gauges of requests. [-]
    kv_usage : gauge, share of the KV cache in use. [-]
    output_tokens : counter of generated tokens
    source : where the names were read
    """

    path: str
    ttft: str
    tpot: str
    waiting: str | None
    running: str | None
    kv_usage: str | None
    output_tokens: str | None
    source: str


ENGINE_METRICS: dict[str, EngineMetrics] = {
    "vllm": EngineMetrics(
        path="/metrics",
        ttft="vllm:time_to_first_token_seconds",
        tpot="vllm:inter_token_latency_seconds",
        waiting="vllm:num_requests_waiting",
        running="vllm:num_requests_running",
        kv_usage="vllm:kv_cache_usage_perc",
        output_tokens="vllm:generation_tokens_total",
        source="docs.vllm.ai usage/metrics, vLLM 0.20",
    ),
    "sglang": EngineMetrics(
        path="/metrics",
        ttft="sglang:time_to_first_token_seconds",
        tpot="sglang:inter_token_latency_seconds",
        waiting="sglang:num_queue_reqs",
        running="sglang:num_running_reqs",
        kv_usage="sglang:token_usage",
        output_tokens="sglang:generation_tokens_total",
        source="docs.sglang.io references/production_metrics, SGLang 0.5; needs --enable-metrics",
    ),
    # The gauges of queue and cache came with 1.3.0rc12 (pull request 12545).
    "tensorrt-llm": EngineMetrics(
        path="/prometheus/metrics",
        ttft="trtllm_time_to_first_token_seconds",
        tpot="trtllm_time_per_output_token_seconds",
        waiting=None,
        running=None,
        kv_usage=None,
        output_tokens=None,
        source="TensorRT-LLM metrics/collector.py, 1.2; needs return_perf_metrics",
    ),
}
