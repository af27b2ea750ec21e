"""The list of what a bundle holds. A new document is a module with `write(draft)` and an entry here."""

from __future__ import annotations

from planner.bundle.documents import (
    bench,
    compose,
    engine,
    front,
    gateway,
    host,
    karpenter,
    kubernetes,
    kueue,
    monitoring,
    observe,
    overlays,
    probe,
    procurement,
    runbook,
    scaling,
    substitute,
    terraform,
    triton,
)
from planner.bundle.documents.draft import Draft, Family

FAMILIES: tuple[Family, ...] = (
    # ---- what runs
    Family(
        "k8s/base",
        {"en": "Kubernetes objects of the fleet", "zh": "副本组的 Kubernetes 对象"},
        lambda draft: kubernetes.write(draft.subject, draft.starts),
    ),
    Family(
        "engine",
        {
            "en": "arguments of the engine, one a line; those of other engines for the same layout, to compare",
            "zh": "引擎参数，每行一个；并附其他引擎在同一布局下的参数，以供比较",
        },
        lambda draft: engine.write((*draft.starts, *engine.others(draft.subject, draft.catalog))),
    ),
    Family(
        "k8s/overlays",
        {
            "en": "variants of the base: Spot or reserved servers, weights on a shared volume or on local drives, RDMA",
            "zh": "基础之上的变体：Spot 或预留服务器，权重放在共享卷或本地盘，RDMA",
        },
        overlays.write,
    ),
    Family(
        "k8s/addons/keda",
        {"en": "scaling by waiting and running requests", "zh": "按等待与运行中的请求数扩缩"},
        scaling.write,
    ),
    Family(
        "k8s/addons/karpenter",
        {
            "en": "node pools on AWS: reserved, on demand, Spot, in this order",
            "zh": "AWS 上的节点池，依次为预留、按需、Spot",
        },
        karpenter.write,
    ),
    Family(
        "k8s/addons/kueue",
        {"en": "the base in a queue with the plan's quota", "zh": "放入队列的基础对象，配额等于方案"},
        kueue.write,
    ),
    Family(
        "compose.yaml",
        {"en": "one replica on one server with Docker", "zh": "用 Docker 在一台服务器上运行一个副本"},
        compose.write,
    ),
    Family(
        "host",
        {
            "en": "settings of the hosts, with reasons and what does nothing; local drives for weights",
            "zh": "主机设置、理由以及无效的设置；存放权重的本地盘",
        },
        host.write,
    ),
    Family(
        "triton",
        {
            "en": "a Triton model repository: generation, and an embedding model with dynamic batching",
            "zh": "Triton 模型仓库：生成，以及带动态批处理的向量模型",
        },
        triton.write,
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
    Family(
        "terraform",
        {
            "en": "the servers as node groups of an EKS cluster, where AWS has the accelerators",
            "zh": "若 AWS 提供该加速器：以 EKS 集群节点组的形式给出服务器",
        },
        terraform.write,
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
    Family(
        "k8s/addons/gateway",
        {"en": "gateway and probe as pods", "zh": "以 Pod 运行的网关与探测程序"},
        front.write,
    ),
    Family(
        "k8s/addons/backup",
        {"en": "the degraded backup: a smaller model under the same name", "zh": "降级备份：以同一名称回答的较小模型"},
        substitute.write,
    ),
    Family(
        "k8s/addons/monitoring",
        {"en": "what the Prometheus operator reads", "zh": "Prometheus operator 读取的对象"},
        observe.write,
    ),
    Family(
        "monitoring",
        {
            "en": "Prometheus alerts with unit tests, a Grafana dashboard, counters of the accelerators",
            "zh": "Prometheus 告警及其单元测试、Grafana 仪表盘、加速器计数器",
        },
        monitoring.write,
    ),
    Family(
        "RUNBOOK.md",
        {
            "en": "what to do at each alert, and how to recover (中文：RUNBOOK.zh.md)",
            "zh": "每个告警的处理方法与恢复步骤：RUNBOOK.zh.md（英文：RUNBOOK.md）",
        },
        runbook.write,
    ),
    # ---- what proves
    Family(
        "bench",
        {
            "en": "a benchmark of a replica at the plan's loads, and its results back into the planner",
            "zh": "按方案负载测量一个副本，并将结果交回规划器",
        },
        bench.write,
        {"en": "a benchmark of a replica at the plan's loads", "zh": "按方案负载测量一个副本"},
    ),
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
