"""The list of what a bundle holds. A new document is a module with `write(draft)` and an entry here."""

from __future__ import annotations

from planner.bundle.documents import engine, gateway, kubernetes, probe, procurement
from planner.bundle.documents.draft import Draft, Family

FAMILIES: tuple[Family, ...] = (
    # ---- what runs
    Family(
        "k8s/base",
        {"en": "Kubernetes objects of the fleet", "zh": "副本组的 Kubernetes 对象"},
        lambda draft: kubernetes.write(draft.subject, draft.launch),
    ),
    Family(
        "engine",
        {"en": "arguments of the engine, one a line", "zh": "引擎参数，每行一个"},
        lambda draft: engine.write(draft.launch),
    ),
    # ---- what buys
    Family(
        "procurement",
        {
            "en": "bill of materials, cash flow with live formulas, request for quotation with acceptance tests",
            "zh": "物料清单、含公式的现金流、带验收测试的询价书",
        },
        procurement.write,
    ),
    # ---- what protects and watches
    Family(
        "gateway",
        {
            "en": "HAProxy before the fleet: admission, breaker, correctness check, replay, degraded backup",
            "zh": "副本组前的 HAProxy：准入、熔断、正确性检查、重放与降级备份",
        },
        gateway.write,
    ),
    Family(
        "health",
        {
            "en": "a probe that asks every replica for an answer and checks it",
            "zh": "探测程序：向每个副本提问并检查答案",
        },
        probe.write,
    ),
    # ---- what proves
)


def written(draft: Draft) -> dict[str, bytes]:
    """Files of all families, by path."""
    found: dict[str, bytes] = {}
    for family in FAMILIES:
        for name, content in family.write(draft).items():
            if name in found:
                raise AssertionError(f"{family.place} writes {name}, which is there already")
            found[name] = content.encode() if isinstance(content, str) else content
    return found
