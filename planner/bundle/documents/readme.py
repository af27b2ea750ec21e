"""README of a bundle in English and Chinese: the plan's figures, how to start it, why the manifests say what they say.

Nothing that a user wrote reaches these pages; the workload, with its title, is in plan.json.
"""

from __future__ import annotations

from collections.abc import Sequence

from planner.bundle.documents import kubernetes, naming, operation, overlays, pods, scaling, storage, variants
from planner.bundle.documents.draft import Draft, Family
from planner.bundle.documents.engine import image
from planner.bundle.documents.subject import MODEL_VARIABLE, Pool, Subject
from planner.report.tables import fleet_title
from planner.schema import SupplyUnit
from planner.search.single import load_share
from planner.units import GIB, floored, percent, si, usd

LANGUAGES = ("en", "zh")
BASIS = {"measured": "实测", "calibrated": "校准", "roofline": "屋顶线模型"}


def readme(draft: Draft, language: str, held: Sequence[Family] = (), left_out: Sequence[str] = ()) -> str:
    """The page in one of LANGUAGES; `held` are the families of documents that the bundle holds, less `left_out`."""
    names = ", ".join(f"`{name}`" for name in sorted(left_out))
    values = figures(draft, language) | {"held": _held(held, draft.subject, language), "left_out": names}
    parts = [_PAGE[language], _FIGURES[language], _HELD[language], _LEFT_OUT[language] if left_out else ""]
    parts += [_CHECK[language]] if "k8s" in left_out else _started(draft, language, left_out)
    parts += [variants.section(held, language), "" if "k8s" in left_out else _DECISIONS[language], _LIMITS[language]]
    if not draft.subject.same_catalogs:
        parts.append(_OTHER_CATALOGS[language])
    return "\n".join(part.format(**values) for part in parts if part)


def _started(draft: Draft, language: str, left_out: Sequence[str]) -> list[str]:
    """How to start the fleet with its manifests."""
    subject = draft.subject
    parts = [_CHECK[language] + _START[language]]
    if not subject.published:
        parts.append(_CHECKPOINT[language])
    if any(pool.nodes > 1 for pool in subject.pools):
        parts.append(_SERVERS[language])
    if subject.apart:
        parts.append(_POOLS[language])
    return [*parts, _APPLY[language] + ("" if "engine" in left_out else _ARGUMENTS[language])]


def figures(draft: Draft, language: str = "en") -> dict[str, str]:
    """Every number of the page, spelled."""
    subject, start = draft.subject, draft.starts[-1]
    plan, unknown = subject.plan, {"en": "not sourced", "zh": "无来源数据"}[language]
    serving, band, layout = plan.serving, plan.band, plan.layout
    power = plan.power.facility_w
    claim = pods.weights_claim(subject)["spec"]["resources"]["requests"]["storage"]
    host = pods.resources(subject, start, start.leader)
    return {
        "name": subject.name,
        "llm": subject.llm.name,
        "llm_id": plan.llm,
        "title": fleet_title(plan.title, plan.replicas + plan.spares),
        "fleet": naming.fleet(plan, language),
        "engine": f"{subject.engine.name} {subject.engine.version}",
        "image": image(subject),
        "gpus": str(plan.gpus_per_replica),
        "per_pod": str(start.pool.gpus_per_node),
        "manifests": ", ".join(
            f"k8s/base/{kubernetes.prefix(pool)}{naming.workload_kind(pool).lower()}.yaml" for pool in subject.pools
        ),
        "unit": _unit(subject, language),
        "in_all": naming.accelerators(plan, language),
        "replicas": str(plan.replicas),
        "spares": str(plan.spares),
        "pods": str(subject.pods),
        "accelerator": subject.accelerator.name,
        "weights": layout.weights.upper(),
        "kv": layout.kv.upper(),
        "layout": f"TP {layout.tp} × DP {layout.dp} × PP {layout.pp}, EP {layout.ep}",
        "context": f"{layout.max_context_tokens:,}",
        "kv_tokens": f"{plan.memory.kv_capacity_tokens:,.0f}",
        "ttft": _with_band(serving.ttft_s, band.ttft_s, "s"),
        "tpot": _with_band(serving.tpot_s, band.tpot_s, "s"),
        "throughput": _with_band(serving.output_tokens_per_s, band.output_tokens_per_s, "token/s"),
        "ttft_p99": si(plan.slo.ttft_p99_s, "s"),
        "tpot_p99": si(plan.slo.tpot_p99_s, "s"),
        "utilisation": percent(load_share(plan, subject.result.workload, draft.catalog), 0),
        "power": unknown if power is None else si(power * plan.replicas, "W"),
        "month": usd(plan.cost.usd_per_month),
        "million": usd(plan.cost.usd_per_million_output_tokens),
        "npv": usd(plan.cost.npv_usd),
        "years": f"{plan.cost.horizon_years:g}",
        "availability": floored(plan.availability, 3),
        "basis": BASIS[plan.basis] if language == "zh" else plan.basis,
        "supply": "; ".join(_supply(unit, language) for unit in plan.supply),
        "load": si(subject.load_time_s, "s"),
        "startup": si(pods.startup_budget_s(subject), "s"),
        "margin": str(pods.STARTUP_MARGIN),
        "drain": str(subject.drain_s),
        "unavailable": str(max(plan.spares, 1)),
        "storage": claim,
        "checkpoint": f"{subject.checkpoint_bytes / GIB:,.0f} GiB",
        "cpu": host["requests"]["cpu"],
        "processes": str(start.leader.processes),
        "memory": host["requests"]["memory"],
        "resource": naming.gpu_resource(subject),
        "variable": MODEL_VARIABLE,
        "checkpoint_map": naming.checkpoint_map(subject),
        "published": subject.llm.weights.upper(),
        "arguments": ", ".join(f"engine/{s.leader.stem}.args" for s in draft.starts),
        "ready": "\n".join(_ready(subject, pool) for pool in subject.pools),
        "user": _user(subject, language),
        "least": str(scaling.least(subject)),
        "waiting": str(operation.most_waiting(subject)),
        "running": str(scaling.most_running(subject)),
        "spot_drain": str(overlays.spot_drain_s(subject)),
        "local_folder": storage.local_folder(subject),
        "local_command": _local_command(subject),
        "rdma": overlays.RDMA,
        **_spare(draft),
        "served": _served_name(subject),
        "port": str(subject.engine.port),
        "catalogs": f"{subject.result.catalog_as_of}, {subject.result.catalog_sha256[:12]}",
    }


def _held(families: Sequence[Family], subject: Subject, language: str) -> str:
    abouts = {family.place: (family.about_pools if subject.apart else None) or family.about for family in families}
    return "\n".join(f"| `{place}` | {about[language]} |" for place, about in abouts.items())


def _ready(subject: Subject, pool: Pool) -> str:
    name = naming.workload_name(subject, pool)
    if pool.nodes == 1:
        return f"    kubectl rollout status statefulset/{name}"
    return (
        f"    kubectl wait leaderworkerset/{name} --for=condition=Available --timeout={pods.startup_budget_s(subject)}s"
    )


def _user(subject: Subject, language: str) -> str:
    user = pods.USERS.get(subject.plan.engine)
    if user is None:
        return {"en": "the image runs as root", "zh": "镜像以 root 运行"}[language]
    return {"en": f"user {user}, not root", "zh": f"以用户 {user} 而非 root 运行"}[language]


def _spare(draft: Draft) -> dict[str, str]:
    spare = draft.spare
    if spare is None:
        return {}
    plan = draft.subject.plan
    load_per_s = plan.serving.requests_per_s * plan.replicas
    return {
        "backup_llm": draft.catalog.llms[spare.llm].name,
        "backup_context": f"{spare.context_tokens:,}",
        "backup_share": percent(min(spare.requests_per_s / load_per_s, 1), 0),
        "backup_gpus": str(spare.gpus_for_all),
    }


def _local_command(subject: Subject) -> str:
    """How a server gets the folder that the engine writes its weights to."""
    number = pods.USERS.get(subject.plan.engine)
    owner = "" if number is None else f" -o {number} -g {number}"
    return f"install -d{owner} {storage.local_folder(subject)}"


def _unit(subject: Subject, language: str) -> str:
    """What a pod is of a replica."""
    if subject.apart:
        return {"en": "one pod is a server of an engine of either pool", "zh": "一个 Pod 是某个池中引擎的一台服务器"}[
            language
        ]
    if any(pool.nodes > 1 for pool in subject.pools):
        return {"en": "one pod is one server of a replica", "zh": "一个 Pod 是副本的一台服务器"}[language]
    return {"en": "one pod is one replica", "zh": "一个 Pod 就是一个副本"}[language]


def _with_band(value: float, band: tuple[float, float], unit: str) -> str:
    return f"{si(value, unit)} ({si(band[0], unit)} – {si(band[1], unit)})"


def _supply(unit: SupplyUnit, language: str) -> str:
    where = f", {unit.region}" if unit.region else ""
    old = {"en": ", older than 180 days", "zh": "，已超过 180 天"}[language]
    stale = old if unit.stale else ""
    return (
        f"{unit.units} × {unit.provider} {unit.instance_type}{where}, {unit.term}, "
        f"{usd(unit.usd_per_hour)}/h ({unit.source_date}{stale})"
    )


def _served_name(subject: Subject) -> str:
    """TensorRT-LLM 1.2 answers to the name of the weights."""
    if subject.plan.engine != "tensorrt-llm":
        return subject.plan.llm
    return subject.llm.hf_id if subject.published else "YOUR_CHECKPOINT"


_PAGE = {
    "en": """# {llm}: {title}

{fleet} of {gpus} × {accelerator}, {in_all} in all, served by
{engine} on Kubernetes.
""",
    "zh": """# {llm}：{title}

{fleet}，每个 {gpus} × {accelerator}，共 {in_all}，
在 Kubernetes 上由 {engine} 提供服务。
""",
}

_FIGURES = {
    "en": """## The plan

In brackets the interval that holds 80 % of measurements of this kind; basis: {basis}. Catalogs: {catalogs}.

| | |
| --- | --- |
| Layout of a replica | {layout}, weights {weights}, KV cache {kv} |
| KV cache of a replica | {kv_tokens} tokens, contexts up to {context} tokens |
| Time to first token | mean {ttft}; 99th percentile {ttft_p99} |
| Time per output token | mean {tpot}; 99th percentile {tpot_p99} |
| Output of a replica | {throughput} at {utilisation} of what it can hold |
| Power of the serving replicas at the meter | {power} |
| Availability | {availability} |
| Cost per month | {month} |
| Cost per million output tokens | {million} |
| Present value of {years} years | {npv} |
| Supply | {supply} |
| Load time of a replica | {load} |
""",
    "zh": """## 方案

括号内是同类测量值有 80 % 落入的区间；依据：{basis}。目录数据：{catalogs}。

| | |
| --- | --- |
| 每个副本的布局 | {layout}，权重 {weights}，KV 缓存 {kv} |
| 每个副本的 KV 缓存 | {kv_tokens} 个 token，上下文最长 {context} 个 token |
| 首个 token 时间 | 平均 {ttft}；第 99 百分位 {ttft_p99} |
| 每个输出 token 的时间 | 平均 {tpot}；第 99 百分位 {tpot_p99} |
| 每个副本的输出 | {throughput}，为其上限的 {utilisation} |
| 服务副本在电表处的功率 | {power} |
| 可用性 | {availability} |
| 每月成本 | {month} |
| 每百万输出 token 的成本 | {million} |
| {years} 年的现值 | {npv} |
| 供应 | {supply} |
| 副本的加载时间 | {load} |
""",
}

_HELD = {
    "en": """## What is in here

| | |
| --- | --- |
{held}
| `plan.json` | the plan, its workload, every assumption with its source |
| `validation.json` | what was checked at export, and what was not |
| `MANIFEST.sha256` | checksums of all files |
""",
    "zh": """## 包内文件

| | |
| --- | --- |
{held}
| `plan.json` | 方案、其工作负载以及带来源的全部假设 |
| `validation.json` | 导出时检查了什么、没有检查什么 |
| `MANIFEST.sha256` | 所有文件的校验和 |
""",
}

_LEFT_OUT = {
    "en": """Left out at the export: {left_out}. Whatever these pages or the runbooks say of them needs a whole bundle.
""",
    "zh": """导出时略去：{left_out}。本页与运行手册中涉及它们之处需要完整的包。
""",
}

_CHECK = {
    "en": """## Start it

Check the bundle first: `sha256sum --check MANIFEST.sha256` and `planner lint .`; validation.json says what was
checked at export and what was not.
""",
    "zh": """## 启动

先检查本包：`sha256sum --check MANIFEST.sha256` 和 `planner lint .`；
validation.json 说明导出时检查了什么、没有检查什么。
""",
}

_START = {
    "en": """
The nodes need the device plugin that offers `{resource}`, {per_pod} of them free on one node for each pod, and a
default StorageClass with {storage} per pod (the load time assumes a fast local drive). In a cluster with several kinds
of accelerators add a nodeSelector for {accelerator} to {manifests}.

If the weights are gated, store a Hugging Face token first:

    kubectl create secret generic hugging-face --from-literal=token=YOUR_TOKEN
""",
    "zh": """
节点需要提供 `{resource}` 的设备插件，每个 Pod 在一个节点上要有 {per_pod} 个空闲加速器；还需要默认的 StorageClass，
每个 Pod {storage}（加载时间按快速的本地盘计算）。若集群中有多种加速器，请在 {manifests} 中为
{accelerator} 加上 nodeSelector。

若权重需要授权，先保存 Hugging Face 令牌：

    kubectl create secret generic hugging-face --from-literal=token=YOUR_TOKEN
""",
}

_CHECKPOINT = {
    "en": """The plan serves {weights} weights, and {llm} is published in {published}. You need a checkpoint in
{weights}; the engine reads the method from the checkpoint's own config.json. Its size is {checkpoint}. Name its
repository, or a folder on the volume mounted at /models, and the pods start:

    kubectl create configmap {checkpoint_map} --from-literal={variable}=YOUR_CHECKPOINT

Outside Kubernetes replace `$({variable})` in {arguments}.
""",
    "zh": """方案使用 {weights} 权重，而 {llm} 以 {published} 发布。您需要 {weights} 的检查点，大小为 {checkpoint}；
引擎从检查点自己的 config.json 读取量化方法。给出其仓库名，或挂载在 /models 的卷上的文件夹，Pod 便会启动：

    kubectl create configmap {checkpoint_map} --from-literal={variable}=YOUR_CHECKPOINT

在 Kubernetes 之外，请替换 {arguments} 中的 `$({variable})`。
""",
}

_SERVERS = {
    "en": """One engine spans several servers, as a group of pods that LeaderWorkerSet starts and ends together. Its
controller has to be in the cluster (the objects were checked against the definition of v0.10.0). The ranks find each
other through the group; no Ray is needed. The plan counts on the accelerators' own network between the servers:
`k8s/overlays/rdma` in place of the base gives each pod a share of the servers' RDMA devices as `{rdma}`, the name in
NVIDIA's Network Operator examples. Put your cluster's name there (EFA: `vpc.amazonaws.com/efa`), and annotate the pods
with your secondary network if it has one. Without the devices the ranks talk TCP, and the plan's times do not hold.
""",
    "zh": """一个引擎跨多台服务器，由 LeaderWorkerSet 作为一组 Pod 一起启动和结束。集群中须有其控制器
（对象按 v0.10.0 的定义检查过）。各进程通过该组互相找到，不需要 Ray。方案按服务器之间的加速器专用网络计算：
以 `k8s/overlays/rdma` 代替基础对象，每个 Pod 便得到服务器 RDMA 设备的一份，名为 `{rdma}`
（NVIDIA Network Operator 示例中的名称）。请换成集群中的名称（EFA：`vpc.amazonaws.com/efa`）；
若有第二网络，请给 Pod 加上相应注解。没有这些设备，各进程走 TCP，方案中的时间不成立。
""",
}

_POOLS = {
    "en": """Prompts are computed by one pool and answered by the other; the router sends each request to one engine of
both, and the cache follows over NIXL. Only the router's Service answers users. The router holds the addresses of the
plan's engines: after a change of their number write the bundle again. The cache needs the network between the pools as
the plan counts it: `k8s/overlays/rdma` in place of the base gives each pod a share of the servers' RDMA devices as
`{rdma}`, the name in NVIDIA's Network Operator examples; put your cluster's name there.
""",
    "zh": """提示由一个池计算，回答由另一个池生成；路由器把每个请求送往两池中各一个引擎，缓存经 NIXL 传递。
只有路由器的 Service 面向用户。路由器中写有方案引擎的地址：数量改变后请重新生成本包。缓存传输需要方案所计的池间网络：
以 `k8s/overlays/rdma` 代替基础对象，每个 Pod 便得到服务器 RDMA 设备的一份，名为 `{rdma}`
（NVIDIA Network Operator 示例中的名称）；请换成集群中的名称。
""",
}

_APPLY = {
    "en": """Then:

    kubectl apply -k k8s/base
{ready}
    kubectl port-forward service/{name} {port}
    curl http://localhost:{port}/v1/completions -H 'Content-Type: application/json' \\
      -d '{{"model": "{served}", "prompt": "1, 2, 3,", "max_tokens": 8}}'
""",
    "zh": """然后：

    kubectl apply -k k8s/base
{ready}
    kubectl port-forward service/{name} {port}
    curl http://localhost:{port}/v1/completions -H 'Content-Type: application/json' \\
      -d '{{"model": "{served}", "prompt": "1, 2, 3,", "max_tokens": 8}}'
""",
}

_ARGUMENTS = {
    "en": """
The same arguments, one a line, are in {arguments}.
""",
    "zh": """
同样的参数在 {arguments} 中，每行一个。
""",
}

_DECISIONS = {
    "en": """## What the manifests decide, and why

| Setting | Value | Reason |
| --- | --- | --- |
| Replicas | {pods} | {replicas} for the load, {spares} for the availability |
| `{resource}` per pod | {per_pod}, request = limit | {unit} |
| Image | {image} | the version that the arguments were checked against |
| Startup budget | {startup} | {margin} × the load time: a first start also compiles kernels. Fetching the weights is \
an init container and has no deadline |
| Liveness, readiness | the engine's health path | costs no token |
| Drain before stopping | {drain} s | an answer of twice the mean length ends |
| Disruption budget | {unavailable} at a time | the spares; one where there is none, or no node could be drained |
| Volume per pod | {storage} | weights of {checkpoint} and 20 % |
| CPU request | {cpu} | two hardware threads for each of {processes} busy processes (vLLM documentation) |
| Memory request | {memory} | 6 GB per accelerator (vLLM's Kubernetes guide); no limit, as cached weights count |
| Shared memory | 2 GiB per accelerator | the same guide |
| Rights | no privilege escalation, capabilities dropped, default system-call filter | {user} |
""",
    "zh": """## 清单中的决定及理由

| 设置 | 值 | 理由 |
| --- | --- | --- |
| 副本数 | {pods} | {replicas} 个承担负载，{spares} 个保证可用性 |
| 每个 Pod 的 `{resource}` | {per_pod}，请求等于上限 | {unit} |
| 镜像 | {image} | 参数就是按此版本检查的 |
| 启动期限 | {startup} | 加载时间的 {margin} 倍：首次启动还要编译内核。下载权重由 init 容器完成，没有期限 |
| 存活与就绪探针 | 引擎的健康检查路径 | 不消耗 token |
| 停止前的排空 | {drain} 秒 | 足以让平均长度两倍的回答结束 |
| 中断预算 | 每次 {unavailable} 个 | 等于备用副本数；没有备用时为一个，否则节点无法排空 |
| 每个 Pod 的卷 | {storage} | 权重 {checkpoint} 加 20 % |
| CPU 请求 | {cpu} | {processes} 个忙碌进程，每个两个硬件线程（vLLM 文档） |
| 内存请求 | {memory} | 每个加速器 6 GB（vLLM 的 Kubernetes 指南）；不设上限，因为缓存的权重也计入 |
| 共享内存 | 每个加速器 2 GiB | 同一指南 |
| 权限 | 禁止提权，去掉 capabilities，默认系统调用过滤 | {user} |
""",
}

_LIMITS = {
    "en": """## What is not in here

No Ingress and no TLS: how users reach the Service is yours to decide. The prices are dated facts; ask for quotes. All
assumptions, with their sources, are in plan.json.
""",
    "zh": """## 这里没有的内容

没有 Ingress 和 TLS：用户如何到达 Service 由您决定。价格是带日期的事实，请另行询价。所有假设及其来源都在 plan.json 中。
""",
}

_OTHER_CATALOGS = {
    "en": """This bundle was written with other catalogs than the plan was made with ({catalogs}): plan again before
you rely on it.
""",
    "zh": """本包写出时的目录数据与制定方案时的（{catalogs}）不同：使用前请重新规划。
""",
}
