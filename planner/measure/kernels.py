"""The cases in torch: the only module that touches the device. Imports torch when opened.

Each case becomes a list of calls over different buffers that together exceed the caches, replayed
from a CUDA graph as engines do; data is random, for zeros run faster. A result that is not finite
or is all zero is refused.
"""

from __future__ import annotations

import math
import platform
from collections.abc import Callable, Sequence
from functools import partial
from typing import Any

from planner.errors import PlannerError
from planner.measure import cases as of
from planner.measure.power import Sampler, ask_smi, best_sampler
from planner.measure.ranks import run_all_reduces
from planner.measure.run import Load, Row, Unavailable

BATCH_S = 5e-3  # long beside the few microseconds between two replays
MOST_CALLS = 1000  # of one graph
CACHE_TIMES = 4  # buffers of a case together exceed the last cache so often
FP8_BLOCK = 128
MIB = 2**20

Call = Callable[[], Any]


def open_device() -> TorchDevice:
    """The first visible GPU.

    Raises
    ------
    PlannerError
        Without torch, or without a GPU that it can use.
    """
    try:
        import torch
    except ImportError:
        raise PlannerError(
            "planner measure times the GPU of this host with torch, which is not installed.\n"
            "  On a GPU host: pip install 'llm-capacity-planner[gpu]', or run `python -m planner.measure` "
            "with a Python that has torch."
        ) from None
    if not torch.cuda.is_available():
        raise PlannerError(
            "planner measure needs a GPU; torch {version} sees none here.\n"
            "  Run it on the GPU host: check `nvidia-smi`, CUDA_VISIBLE_DEVICES and that torch is a "
            "CUDA build.",
            version=torch.__version__,
        )
    return TorchDevice(torch)


class TorchDevice:
    """One GPU through torch."""

    def __init__(self, torch: Any):
        self.torch = torch
        self.ranks: int = torch.cuda.device_count()
        self.properties = torch.cuda.get_device_properties(0)
        torch.cuda.set_device(0)
        torch.zeros(1, device="cuda")
        uuid = getattr(self.properties, "uuid", None)
        self.smi_name = f"GPU-{uuid}" if uuid else "0"
        self._weights: tuple[Any, list[Any]] = (None, [])

    def facts(self) -> Row:
        """What the device and its software are, sizes in bytes."""
        torch, known = self.torch, ask_smi(
            self.smi_name, "name", "driver_version", "memory.total", "power.limit", "clocks.max.sm"
        )  # fmt: skip

        def number(field: str, scale: float) -> float | None:
            return float(known[field]) * scale if field in known else None

        return {
            "name": known.get("name", self.properties.name),
            "count": self.ranks,
            "driver": known.get("driver_version"),
            "cuda": torch.version.cuda or torch.version.hip,
            "torch": str(torch.__version__),
            "python": platform.python_version(),
            "compute_capability": f"{self.properties.major}.{self.properties.minor}",
            "multiprocessors": self.properties.multi_processor_count,
            "l2_bytes": self._l2_bytes(),
            "memory_driver_bytes": number("memory.total", MIB),
            "memory_total_bytes": self.properties.total_memory,
            "power_limit_w": number("power.limit", 1.0),
            "sm_clock_max_hz": number("clocks.max.sm", 1e6),
        }

    def sampler(self) -> Sampler:
        """Power readings of this GPU."""
        return best_sampler(self.smi_name, self._own_power())

    def _own_power(self) -> Callable[[], tuple[float, float | None]] | None:
        cuda = self.torch.cuda

        def read() -> tuple[float, float | None]:
            return cuda.power_draw() / 1e3, cuda.clock_rate() * 1e6

        try:
            read()
        except (AttributeError, RuntimeError, ImportError):
            return None
        return read

    def _l2_bytes(self) -> int:
        return int(getattr(self.properties, "L2_cache_size", 0)) or 2**26

    def load(self, case: of.Case) -> Load:
        """Prepare a case; raises Unavailable with torch's reason."""
        try:
            return self._load(case)
        except (RuntimeError, AttributeError, ValueError, TypeError) as error:
            self._weights = (None, [])
            self.torch.cuda.empty_cache()
            reason = (str(error).splitlines() or [""])[0]
            raise Unavailable(f"{type(error).__name__}: {reason}"[:300]) from None

    def _load(self, case: of.Case) -> TorchLoad:
        torch = self.torch
        match case:
            case of.Copy() | of.Read():
                return TorchLoad(torch, self._stream(case), isinstance(case, of.Read))
            case of.Launch(way):
                cell = torch.zeros(1, device="cuda")
                return TorchLoad(torch, [lambda: cell.add_(1)] * 100, way == "graph")
            case of.Transfer():
                return TorchLoad(torch, self._transfer(case), False)
            case of.Gemm():
                return TorchLoad(torch, self._gemm(case), True)
            case of.GroupedGemm():
                return TorchLoad(torch, self._grouped(case), True)
            case of.DecodeAttention():
                return self._attention(case.sequences, 1, case.context_tokens, case, False)
            case of.PrefillAttention():
                return self._attention(1, case.tokens, case.tokens, case, True)

    def all_reduces(self, cases: Sequence[of.AllReduce], seconds: float) -> list[tuple[list[float], float, float]]:
        """All ranks in processes of their own; this one only waits."""
        self._weights = (None, [])
        self.torch.cuda.empty_cache()
        try:
            return run_all_reduces(self.torch, [c.message_bytes for c in cases], cases[0].ranks, seconds)
        except (RuntimeError, OSError) as error:
            raise Unavailable(f"{type(error).__name__}: {(str(error).splitlines() or [''])[0]}"[:300]) from None

    def _random(self, *shape: int) -> Any:
        return self.torch.randn(*shape, device="cuda", dtype=self.torch.bfloat16)

    def _copies(self, size_bytes: float) -> int:
        """Buffers of one size that together exceed the caches."""
        return max(1, math.ceil(CACHE_TIMES * self._l2_bytes() / size_bytes))

    def _stream(self, case: of.Copy | of.Read) -> list[Call]:
        # Two fp32 buffers share the bytes.
        first, second = (self.torch.randn(case.moved_bytes // 8, device="cuda") for _ in range(2))
        return [lambda: second.copy_(first) if isinstance(case, of.Copy) else self.torch.dot(first, second)]

    def _transfer(self, case: of.Transfer) -> list[Call]:
        host = self.torch.ones(case.moved_bytes // 4).pin_memory()
        device = self.torch.ones(case.moved_bytes // 4, device="cuda")
        if case.direction == "host-to-device":
            return [lambda: device.copy_(host, non_blocking=True)]
        return [lambda: host.copy_(device, non_blocking=True)]

    def _matrices(self, precision: str, shape: tuple[int, ...]) -> list[Any]:
        """Weights [..., n, k], several copies; the last ones are kept for the next case."""
        if self._weights[0] != (precision, shape):
            self._weights = (None, [])
            self.torch.cuda.empty_cache()
            width = 2 if precision == "bf16" else 1
            copies = self._copies(math.prod(shape) * width)
            self._weights = ((precision, shape), [self._cast(self._random(*shape), precision) for _ in range(copies)])
        return self._weights[1]

    def _cast(self, values: Any, precision: str) -> Any:
        if precision == "int8":
            return (values * 32).clamp(-127, 127).to(self.torch.int8)
        return values if precision == "bf16" else values.to(self.torch.float8_e4m3fn)

    def _gemm(self, case: of.Gemm) -> list[Call]:
        torch = self.torch
        weights = self._matrices(case.precision, (case.n, case.k))
        rows = self._cast(self._random(case.rows, case.k), case.precision)
        if case.precision == "bf16":
            return [partial(torch.mm, rows, w.t()) for w in weights]
        if case.precision == "int8":
            return [partial(torch._int_mm, rows, w.t()) for w in weights]
        left, right = self._scales(case)
        fast = case.precision == "fp8"  # blocks are promoted to fp32 one by one
        product = partial(
            torch._scaled_mm, scale_a=left, scale_b=right, out_dtype=torch.bfloat16, use_fast_accum=fast
        )  # fmt: skip
        return [partial(product, rows, w.t()) for w in weights]

    def _scales(self, case: of.Gemm) -> tuple[Any, Any]:
        """Scales of ones: per matrix, or per 1 x 128 of the rows and 128 x 128 of the weights."""
        ones = self.torch.ones
        if case.precision == "fp8":
            return ones((), device="cuda"), ones((), device="cuda")
        blocks = case.k // FP8_BLOCK
        left = ones(blocks, case.rows, device="cuda").t()
        return left, ones(case.n // FP8_BLOCK, blocks, device="cuda").t()

    def _grouped(self, case: of.GroupedGemm) -> list[Call]:
        torch = self.torch
        weights = self._matrices(case.precision, (case.experts, case.n, case.k))
        total = case.experts * case.rows_per_expert
        rows = self._cast(self._random(total, case.k), case.precision)
        ends = torch.arange(case.rows_per_expert, total + 1, case.rows_per_expert, device="cuda", dtype=torch.int32)
        if case.precision == "bf16":
            return [partial(torch._grouped_mm, rows, w.transpose(-2, -1), offs=ends) for w in weights]
        scales = torch.ones(total, device="cuda"), torch.ones(case.experts, case.n, device="cuda")
        out = {"offs": ends, "out_dtype": torch.bfloat16, "use_fast_accum": True}
        return [partial(torch._scaled_grouped_mm, rows, w.transpose(-2, -1), *scales, **out) for w in weights]

    def _attention(
        self, sequences: int, queries: int, keys: int, heads: of.DecodeAttention | of.PrefillAttention, causal: bool
    ) -> TorchLoad:
        """The fastest of torch's fused kernels that takes the shape."""
        from torch.nn.attention import SDPBackend, sdpa_kernel

        self._weights = (None, [])
        cache_bytes = 4 * sequences * keys * heads.kv_heads * heads.head_dim
        sets = 1 if causal else self._copies(cache_bytes)  # a prompt's keys were written a moment ago
        query = self._random(sequences, heads.query_heads, queries, heads.head_dim)
        cached = [
            [self._random(sequences, heads.kv_heads, keys, heads.head_dim) for _ in range(2)] for _ in range(sets)
        ]
        attend = self.torch.nn.functional.scaled_dot_product_attention
        calls = [partial(attend, query, *kv, is_causal=causal, enable_gqa=True) for kv in cached]
        found = []
        for name, backend in (("cudnn", SDPBackend.CUDNN_ATTENTION), ("flash", SDPBackend.FLASH_ATTENTION)):
            try:
                with sdpa_kernel(backend):
                    found.append(TorchLoad(self.torch, calls, True, name))
            except RuntimeError as error:
                reason = error
        if not found:
            raise reason
        return min(found, key=lambda load: load.batch_s())


class TorchLoad:
    """Calls that are replayed together, timed with events on the device."""

    def __init__(self, torch: Any, calls: Sequence[Call], capture: bool, backend: str = ""):
        self.backend, self.captured = backend, capture
        self._torch = torch
        _check(torch, calls[0]())
        once_s = self._event_s(lambda: [call() for call in calls]) / len(calls)
        rounds = max(1, min(round(BATCH_S / once_s), MOST_CALLS) // len(calls))
        self._calls = rounds * len(calls)

        def run() -> None:
            for _ in range(rounds):
                for call in calls:
                    call()

        self._run = self._capture(run) if capture else run

    def _capture(self, run: Call) -> Call:
        torch = self._torch
        graph = torch.cuda.CUDAGraph()
        with torch.cuda.graph(graph):
            run()
        replay: Call = graph.replay
        return replay

    def _event_s(self, run: Call) -> float:
        event = self._torch.cuda.Event
        start, end = event(enable_timing=True), event(enable_timing=True)
        start.record()
        run()
        end.record()
        end.synchronize()
        return float(start.elapsed_time(end)) / 1e3

    def batch_s(self) -> float:
        """Seconds per call of one batch."""
        return self._event_s(self._run) / self._calls


def _check(torch: Any, result: Any) -> None:
    """A kernel that computed nothing must not be timed."""
    values = result.float() if result.is_cuda else result
    if not bool(torch.isfinite(values).all()) or not bool(values.any()):
        raise ValueError("the result is not finite or all zero")
