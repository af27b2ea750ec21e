"""The README's section on variants and addons, in English and Chinese."""

from __future__ import annotations

from collections.abc import Sequence

from planner.bundle.documents.draft import Family


def section(held: Sequence[Family], language: str) -> str:
    """How to apply whatever the bundle holds of them, with the README's fields still open; empty where it has none."""
    places = {family.place for family in held}
    rows = [texts[language] for place, texts in HOW.items() if place in places]
    return INTRODUCTION[language] + "\n" + "\n".join(rows) + "\n" if rows else ""


INTRODUCTION = {
    "en": """## Variants and addons

Each folder is applied with `kubectl apply -k`; the controllers have to be in the cluster. In brackets the version
whose definitions the objects were checked against.
""",
    "zh": """## 变体与附加组件

每个目录都用 `kubectl apply -k` 应用；集群中须有相应的控制器。括号内是检查这些对象所依据的定义版本。
""",
}

HOW = {
    "k8s/overlays": {
        "en": """- `k8s/overlays/spot` in place of the base: an engine ends {spot_drain} s after the notice; longer
  answers are asked again by the gateway. `k8s/overlays/reserved` in place of the base: only servers
  that Karpenter labels `karpenter.sh/capacity-type: reserved`.
- `k8s/overlays/shared-weights` in place of the base: one volume of {storage} that a job fills once and all
  engines read. Set `storageClassName` in its claim.yaml to a class that offers ReadWriteMany. A load is then as
  fast as that storage; the plan's {load} assumes local drives.
- `k8s/overlays/local-weights` in place of the base: weights stay in {local_folder} on the servers' own drives
  (host/nvme-raid.sh), and a replaced server fetches them again. On each server first: `{local_command}`
- Overlays stack: in the kustomization of one name another in place of `../../base`.""",
        "zh": """- `k8s/overlays/spot` 代替基础对象：引擎在收到回收通知后 {spot_drain} 秒内结束，
  更长的回答由网关重新请求。
  `k8s/overlays/reserved` 代替基础对象：只用 Karpenter 标为 `karpenter.sh/capacity-type: reserved` 的服务器。
- `k8s/overlays/shared-weights` 代替基础对象：一个 {storage} 的卷，由一个 Job 写入一次，所有引擎只读。
  请在 claim.yaml 中把 `storageClassName` 设为支持 ReadWriteMany 的存储类。加载速度取决于该存储；
  方案的 {load} 按本地盘计算。
- `k8s/overlays/local-weights` 代替基础对象：权重保存在服务器本地盘的 {local_folder}（host/nvme-raid.sh），
  更换的服务器会重新下载。每台服务器先执行：`{local_command}`
- 变体可叠加：在一个变体的 kustomization 中用另一个变体代替 `../../base`。""",
    },
    "k8s/addons/keda": {
        "en": """- `k8s/addons/keda` (2.20.2): {least} to {pods} replicas, one for each {waiting} waiting or
  {running} running requests, whichever asks for more. Without metrics all {pods} serve. It reads
  Prometheus in the namespace `monitoring`.""",
        "zh": """- `k8s/addons/keda`（2.20.2）：{least} 至 {pods} 个副本，
  每 {waiting} 个等待中或 {running} 个运行中的请求一个，
  取较大者。没有指标时全部 {pods} 个都服务。它读取命名空间 `monitoring` 中的 Prometheus。""",
    },
    "k8s/addons/karpenter": {
        "en": """- `k8s/addons/karpenter` (1.14.1, AWS): node pools in the order reserved, on demand, Spot, each
  limited to the servers of the plan. Tag image, subnets, security groups and reservations with
  `llm-capacity-planner/fleet: {name}`, and name the nodes' role `{name}-node`.""",
        "zh": """- `k8s/addons/karpenter`（1.14.1，AWS）：节点池依次为预留、按需、Spot，各不超过方案的服务器数。
  请给镜像、子网、安全组和预留加上标签 `llm-capacity-planner/fleet: {name}`，节点角色名为 `{name}-node`。""",
    },
    "k8s/addons/kueue": {
        "en": """- `k8s/addons/kueue` (0.19.2) in place of the base, where teams share the accelerators: the base in
  a queue whose quota is that of the plan.""",
        "zh": """- `k8s/addons/kueue`（0.19.2）代替基础对象，用于多个团队共享加速器时：
  把基础对象放入配额等于方案的队列。""",
    },
    "k8s/addons/gateway": {
        "en": """- `k8s/addons/gateway`: two copies of the gateway behind the Service `{name}-gateway`, port 80, and
  one probe. Users ask there, not at the engines.""",
        "zh": """- `k8s/addons/gateway`：两份网关，Service 为 `{name}-gateway`，端口 80，以及一个探测程序。
  用户应请求此处而非引擎。""",
    },
    "k8s/addons/backup": {
        "en": """- `k8s/addons/backup`: {backup_llm} on one accelerator beside the plan's, answering as `{served}` while
  no replica is up, contexts up to {backup_context} tokens. It holds {backup_share} of the load; for all of it
  set `replicas: {backup_gpus}`. Put it where a fault of the fleet's servers does not reach it.""",
        "zh": """- `k8s/addons/backup`：{backup_llm}，占用方案之外的一个加速器，
  在没有可用副本时以 `{served}` 之名回答，上下文最长 {backup_context} 个 token。
  它承担负载的 {backup_share}；要承担全部，请设 `replicas: {backup_gpus}`。
  请放在副本组服务器的故障影响不到的地方。""",
    },
    "k8s/addons/monitoring": {
        "en": """- `k8s/addons/monitoring` (Prometheus operator 0.93.0): what is read of engines, gateway and probe.""",
        "zh": """- `k8s/addons/monitoring`（Prometheus operator 0.93.0）：读取引擎、网关与探测程序的指标。""",
    },
    "terraform": {
        "en": """- `terraform/`: the servers as node groups of an EKS cluster that exists. The prices above are those
  of the supplier named there, and a capacity reservation is billed from the moment that it exists.""",
        "zh": """- `terraform/`：在已有 EKS 集群中以节点组给出服务器。上面的价格属于其中所列供应商；
  容量预留自建立起即开始计费。""",
    },
    "compose.yaml": {
        "en": """- `docker compose up` starts one replica on one server, without a cluster.""",
        "zh": """- `docker compose up` 在一台服务器上启动一个副本，不需要集群。""",
    },
}
