"""Request for quotation: what to deliver, and the tests that decide acceptance, taken from the plan.

Nothing that a user wrote reaches this page.
"""

from __future__ import annotations

import math

from planner.bundle.documents.cells import plain_text
from planner.bundle.documents.purchase import Purchase
from planner.bundle.documents.subject import Subject
from planner.i18n import translator
from planner.report.cost_words import item_name, reason, role_words
from planner.units import si

METERS = {
    "NVIDIA": "nvidia-smi --query-gpu=timestamp,index,power.draw --format=csv,nounits --loop-ms=1000 > power.csv",
    "AMD": "amd-smi metric --power --watch 1 --csv > power.csv",
}
OTHER_METER = "# record the power of each accelerator once a second with the vendor's tool > power.csv"
COOLING = {"en": {"air": "air", "liquid": "liquid"}, "zh": {"air": "风冷", "liquid": "液冷"}}
PROMPTS_PER_USER = 10
TEST_S = 600  # least length of the test at a rate


def quotation(subject: Subject, bought: Purchase, language: str) -> str:
    """The page in English or Chinese."""
    values = _values(subject, bought, language)
    saved = "" if subject.apart else _SAVED[language]
    parts = filter(None, (_PAGE[language], _ITEMS[language], _TESTS[language], saved, _ANSWER[language]))
    return "\n".join(part.format(**values) for part in parts)


def _values(subject: Subject, bought: Purchase, language: str) -> dict[str, str]:
    plan, traffic, bill = subject.plan, subject.result.workload.traffic, bought.bill
    serving, band = plan.serving, plan.band
    users = max(math.ceil(serving.running_sequences), 1)
    rate = serving.requests_per_s
    unknown = {"en": "not predicted", "zh": "无预测"}[language]
    return {
        "plan": plan.title,
        "llm": subject.llm.name,
        "repository": subject.llm.hf_id if subject.published else "CHECKPOINT",
        "weights": plan.layout.weights.upper(),
        "engine": f"{subject.engine.name} {subject.engine.version}",
        "arguments": "../engine/",
        "replicas": str(plan.replicas),
        "gpus": str(plan.gpus_per_replica),
        "items": _items(bought, language),
        "servers": str(bill.servers),
        "spare_servers": str(bill.spare_servers),
        "racks": str(bill.racks),
        "rack_kw": f"{bill.rack_w / 1e3:g}",
        "kw": f"{bill.provisioned_w / 1e3:,.1f}",
        "cooling": {"air": {"en": "air", "zh": "风冷"}, "liquid": {"en": "liquid", "zh": "液冷"}}[bill.cooling][
            language
        ],
        "port": str(subject.engine.port),
        "input": str(traffic.input_tokens),
        "output": str(traffic.output_tokens),
        "rate": f"{rate:.4g}",
        "users": str(users),
        "prompts": str(max(PROMPTS_PER_USER * users, math.ceil(TEST_S * rate))),
        "closed_prompts": str(PROMPTS_PER_USER * users),
        "meter": METERS.get(subject.accelerator.vendor, OTHER_METER),
        "ttft_limit": si(subject.result.workload.slo.ttft_p99_s, "s"),
        "tpot_limit": si(subject.result.workload.slo.tpot_p99_s, "s"),
        "ttft": si(plan.slo.ttft_p99_s, "s"),
        "tpot": si(plan.slo.tpot_p99_s, "s"),
        "throughput": si(serving.output_tokens_per_s, "token/s"),
        "least": si(band.output_tokens_per_s[0], "token/s"),
        "watts": unknown if plan.power.gpu_w is None else si(plan.power.gpu_w, "W"),
        "most_watts": unknown if band.gpu_w is None else si(band.gpu_w[1], "W"),
        "load": si(bill.host.load_time_s, "s"),
        "read": si(bill.host.array_read_bytes_per_s, "B/s"),
        "availability": f"{subject.result.workload.slo.availability * 100:.9g} %",
        "catalogs": f"{subject.result.catalog_as_of}, {subject.result.catalog_sha256[:12]}",
    }


def _items(bought: Purchase, language: str) -> str:
    """What is asked for, without prices: those are the seller's to name."""
    _ = translator(language)
    roles = role_words(_)
    wanted = [item for item in bought.bill.items if item.role != "installation"]
    rows = (
        (roles[i.role], plain_text(item_name(i, _)).replace("|", "/"), i.quantity, i.spare, reason(i, _))
        for i in wanted
    )
    return "\n".join(f"| {' | '.join(map(str, row))} |" for row in rows)


_PAGE = {
    "en": """# Request for quotation: {llm}

Servers that run {llm} in {weights} with {engine}: {plan}; replicas: {replicas}, accelerators in each: {gpus}.
Catalogs: {catalogs}. Figures below are predictions of the planner with the intervals that it states.
""",
    "zh": """# 询价书：{llm}

用于以 {weights} 运行 {llm} 的服务器，引擎 {engine}：{plan}，{replicas} 个副本，每个 {gpus} 个加速器。
目录数据：{catalogs}。以下数字为规划器的预测及其区间。
""",
}

_ITEMS = {
    "en": """## What to quote

{servers} servers, {spare_servers} of them for an availability of {availability}; {kw} kW of IT power;
{racks} rack(s) of {rack_kw} kW, {cooling}. Equivalent parts are welcome if the tests below hold; say which.

| Item | What | Pieces | of these spare | Why |
| --- | --- | --- | --- | --- |
{items}
""",
    "zh": """## 报价内容

{servers} 台服务器，其中 {spare_servers} 台用于 {availability} 的可用性；{racks} 个 {rack_kw} kW 的机架，{cooling}；
IT 功率 {kw} kW。只要通过下列测试，欢迎等效部件，请注明。

| 项目 | 名称 | 数量 | 其中备用 | 理由 |
| --- | --- | --- | --- | --- |
{items}
""",
}

_TESTS = {
    "en": """## Acceptance tests

One replica, started with the arguments in {arguments}, on the delivered servers. The client may run on the same host.

1. Latency at the planned rate, {rate} requests/s:

       vllm bench serve --backend openai --base-url http://HOST:{port} --model {repository} \\
         --dataset-name random --random-input-len {input} --random-output-len {output} --ignore-eos \\
         --request-rate {rate} --num-prompts {prompts} \\
         --percentile-metrics ttft,tpot,itl,e2el --metric-percentiles 50,90,99 --save-result

2. Throughput with {users} requests at once, while power is recorded:

       {meter} &
       vllm bench serve --backend openai --base-url http://HOST:{port} --model {repository} \\
         --dataset-name random --random-input-len {input} --random-output-len {output} --ignore-eos \\
         --max-concurrency {users} --num-prompts {closed_prompts} \\
         --percentile-metrics ttft,tpot,itl,e2el --metric-percentiles 50,90,99 --save-result

| Measured | Accepted if | Predicted |
| --- | --- | --- |
| P99 TTFT, test 1 | at most {ttft_limit} | {ttft} |
| P99 TPOT, test 1 | at most {tpot_limit} | {tpot} |
| Output of the replica, test 2 | at least {least} | {throughput} |
| Mean power of an accelerator, test 2 | at most {most_watts} | {watts} |
| Start until ready, weights on the drives | at most twice {load} | {load}, drives at {read} |
""",
    "zh": """## 验收测试

在交付的服务器上，用 {arguments} 中的参数启动一个副本。客户端可以在同一主机上运行。

1. 计划速率下的延迟，每秒 {rate} 个请求：

       vllm bench serve --backend openai --base-url http://HOST:{port} --model {repository} \\
         --dataset-name random --random-input-len {input} --random-output-len {output} --ignore-eos \\
         --request-rate {rate} --num-prompts {prompts} \\
         --percentile-metrics ttft,tpot,itl,e2el --metric-percentiles 50,90,99 --save-result

2. 同时 {users} 个请求时的吞吐，同时记录功率：

       {meter} &
       vllm bench serve --backend openai --base-url http://HOST:{port} --model {repository} \\
         --dataset-name random --random-input-len {input} --random-output-len {output} --ignore-eos \\
         --max-concurrency {users} --num-prompts {closed_prompts} \\
         --percentile-metrics ttft,tpot,itl,e2el --metric-percentiles 50,90,99 --save-result

| 测量项 | 通过条件 | 预测 |
| --- | --- | --- |
| P99 TTFT，测试 1 | 不超过 {ttft_limit} | {ttft} |
| P99 TPOT，测试 1 | 不超过 {tpot_limit} | {tpot} |
| 副本的输出，测试 2 | 不低于 {least} | {throughput} |
| 单个加速器的平均功率，测试 2 | 不超过 {most_watts} | {watts} |
| 启动到就绪，权重在硬盘上 | 不超过 {load} 的两倍 | {load}，硬盘 {read} |
""",
}

_SAVED = {
    "en": "`planner validate` and `planner calibrate RESULT.json` read the saved results.\n",
    "zh": "`planner validate` 和 `planner calibrate RESULT.json` 可读取保存的结果。\n",
}

_ANSWER = {
    "en": """## What to answer

- price of each line, its currency and how long it holds; freight, duty, installation and tax apart
- delivery time, and what is late if one part is
- support: response and replacement times, price a year, end of support
- power at the wall under test 2, and the largest inrush
- results of both tests on the offered servers, or on which others, with their saved files
""",
    "zh": """## 请答复

- 每一项的价格、货币和有效期；运费、关税、安装和税单列
- 交货期，以及某个部件延迟时受影响的内容
- 支持：响应与更换时间、年费、支持终止日期
- 测试 2 时的市电功率和最大冲击电流
- 所报服务器上两项测试的结果，或在其他服务器上的结果，附保存的文件
""",
}
