"""The benchmark of a deployed replica: AIPerf at the plan's loads, and its results back into the planner."""

from __future__ import annotations

import math
import shlex
from importlib import resources

from planner.bundle.documents import operation
from planner.bundle.documents.draft import Draft, Files
from planner.bundle.documents.naming import labels
from planner.bundle.documents.subject import MODEL_VARIABLE, Subject
from planner.bundle.documents.yaml import to_yaml
from planner.bundle.words import parts

FOLDER = "bench"
AIPERF = "0.13.0"  # whose results `planner calibrate` reads: schema 1.5
IMAGE = "python:3.12.8-slim-bookworm"
REQUESTS_PER_USER = 4
STAY_S = 3600
MEASURE, LEARN = "aiperf.sh", "calibrate.sh"
TO_LEARN = (", for `planner calibrate`", f" Next: bash $here/{LEARN}")  # what the one says of the other


def write(draft: Draft) -> Files:
    """Scripts, the plan's figures for them, a Kubernetes job, and how to use them."""
    subject = draft.subject
    return {
        **{f"{FOLDER}/{name}": script(subject, name) for name in scripts(subject)},
        f"{FOLDER}/plan.env": environment(subject),
        f"{FOLDER}/job.yaml": to_yaml(job(subject)),
        f"{FOLDER}/kustomization.yaml": to_yaml(kustomization(subject)),
        f"{FOLDER}/README.md": page(subject, "en"),
        f"{FOLDER}/README.zh.md": page(subject, "zh"),
    }


def scripts(subject: Subject) -> tuple[str, ...]:
    """Shipped scripts of a plan: `planner calibrate` learns nothing from two pools."""
    return (MEASURE,) if subject.apart else (MEASURE, LEARN)


def script(subject: Subject, name: str) -> str:
    """A shipped script, which names no other that is not there."""
    text = (resources.files("planner.bundle.shipped") / name).read_text("utf-8")
    for words in TO_LEARN if subject.apart else ():
        text = text.replace(words, "")
    return text


def page(subject: Subject, language: str) -> str:
    """How to measure, and how to learn from it or why not."""
    words = parts("bench", language)
    return "\n".join(words[part] for part in ("page", "apart" if subject.apart else "learn")).format(**figures(subject))


def users(subject: Subject) -> list[int]:
    """Concurrencies that tell the model's parts apart: one user, the plan's load, its quarter, and the limit."""
    planned = max(math.ceil(subject.plan.serving.running_sequences), 1)
    return sorted({1, max(planned // 4, 1), planned, operation.most_in_service(subject)})


def environment(subject: Subject) -> str:
    """Figures of the plan as shell variables; every value is quoted."""
    op, traffic = operation.operate(subject), subject.result.workload.traffic
    values = {
        "PLAN_URL": f"http://{op.hosts[0]}:{subject.engine.port}",
        "PLAN_MODEL": op.served_name,
        "PLAN_TOKENIZER": subject.llm.hf_id,
        "PLAN_USERS": " ".join(str(count) for count in users(subject)),
        "PLAN_REQUESTS_PER_USER": str(REQUESTS_PER_USER),
        "PLAN_INPUT_TOKENS": str(traffic.input_tokens),
        "PLAN_OUTPUT_TOKENS": str(traffic.output_tokens),
        "PLAN_AIPERF": AIPERF,
    }
    lines = [f"{name}={_word(value)}" for name, value in values.items()]
    if not subject.apart:
        lines.append(f"PLAN_LAYOUT=({' '.join(shlex.quote(word) for word in options(subject))})")
    return "\n".join(["# shellcheck shell=bash disable=SC2034", *lines]) + "\n"


def _word(value: str) -> str:
    """A value as the shell reads it back; the name of a checkpoint that nobody published comes from the user."""
    return (
        f"${{{MODEL_VARIABLE}:?name the model as the server does}}"
        if value == f"${{{MODEL_VARIABLE}}}"
        else shlex.quote(value)
    )


def options(subject: Subject) -> list[str]:
    """What results cannot say, as options of `planner calibrate`."""
    plan, layout = subject.plan, subject.plan.layout
    named = {
        "llm": plan.llm,
        "accelerator": plan.accelerator,
        "engine": plan.engine,
        "gpus": plan.gpus_per_replica,
        "tp": layout.tp,
        "dp": layout.dp,
        "pp": layout.pp,
        "ep": layout.ep,
        "weights": layout.weights,
        "kv": layout.kv,
    }
    return [word for name, value in named.items() for word in (f"--{name}", str(value))]


def job(subject: Subject) -> dict[str, object]:
    """A job in the cluster, beside the replica that it measures; it stays for an hour so that results can be copied."""
    command = f"pip install --quiet aiperf=={AIPERF} && RESULTS=/results/run bash /bench/aiperf.sh && sleep {STAY_S}"
    marks = labels(subject, "benchmark")
    return {
        "apiVersion": "batch/v1",
        "kind": "Job",
        "metadata": {"name": f"{subject.name}-bench", "labels": marks},
        "spec": {
            "backoffLimit": 0,
            "template": {
                "metadata": {"labels": marks},
                "spec": {
                    "restartPolicy": "Never",
                    "automountServiceAccountToken": False,
                    "enableServiceLinks": False,
                    "containers": [
                        {
                            "name": "aiperf",
                            "image": IMAGE,
                            "command": ["bash", "-c", command],
                            "resources": {"requests": {"cpu": "4", "memory": "8Gi"}},
                            "volumeMounts": [
                                {"name": "bench", "mountPath": "/bench"},
                                {"name": "results", "mountPath": "/results"},
                            ],
                        }
                    ],
                    "volumes": [
                        {"name": "bench", "configMap": {"name": f"{subject.name}-bench"}},
                        {"name": "results", "emptyDir": {}},
                    ],
                },
            },
        },
    }


def kustomization(subject: Subject) -> dict[str, object]:
    """The job with its scripts as a ConfigMap: `kubectl apply -k bench`."""
    return {
        "apiVersion": "kustomize.config.k8s.io/v1beta1",
        "kind": "Kustomization",
        "resources": ["job.yaml"],
        "configMapGenerator": [{"name": f"{subject.name}-bench", "files": [*scripts(subject), "plan.env"]}],
        "generatorOptions": {"disableNameSuffixHash": True},
    }


def figures(subject: Subject) -> dict[str, str]:
    """Numbers and names of the page."""
    counts, serving = users(subject), subject.plan.serving
    traffic = subject.result.workload.traffic
    longest_s = sum(REQUESTS_PER_USER * serving.e2e_s for _ in counts)
    return {
        "name": subject.name,
        "llm": subject.llm.name,
        "aiperf": AIPERF,
        "users": ", ".join(str(count) for count in counts),
        "input": f"{traffic.input_tokens:,}",
        "output": f"{traffic.output_tokens:,}",
        "minutes": str(math.ceil(longest_s / 60)),
        "tokenizer": subject.llm.hf_id,
        "ttft": f"{serving.ttft_s * 1000:.0f} ms",
        "tpot": f"{serving.tpot_s * 1000:.1f} ms",
        "running": str(max(math.ceil(serving.running_sequences), 1)),
    }
