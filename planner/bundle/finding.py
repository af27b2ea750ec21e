"""What a check says about a bundle, and the bundle as the checks read it."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from functools import cached_property
from typing import Any, Literal

import yaml

GPU_RESOURCES = {"nvidia.com/gpu", "amd.com/gpu", "habana.ai/gaudi"}

BACKUP = "k8s/addons/backup/"  # its accelerators are beside those of the plan

LEFT_OUT = "left out at the export"

Severity = Literal["error", "not_checked", "ok"]


@dataclass(frozen=True)
class Finding:
    """One statement of one rule."""

    rule: str
    file: str
    severity: Severity
    message: str
    tool: str = ""  # that said so; empty: the planner itself
    version: str = ""


@dataclass(frozen=True)
class Object:
    """A Kubernetes object and the file that holds it."""

    file: str
    body: dict[str, Any]

    @property
    def kind(self) -> str:
        return str(self.body.get("kind", ""))

    @property
    def name(self) -> str:
        return str(dig(self.body, "metadata", "name") or "")


@dataclass(frozen=True)
class Pods:
    """Pods of one template, and the workload that makes them.

    Attributes
    ----------
    owner : the workload
    role : what the template is for: empty, `leader` or `worker`
    template : metadata and specification of a pod
    count : pods, None where the workload does not say
    """

    owner: Object
    role: str
    template: dict[str, Any]
    count: int | None

    @property
    def file(self) -> str:
        return self.owner.file

    @property
    def spec(self) -> dict[str, Any]:
        return mapping(self.template.get("spec"))

    @property
    def labels(self) -> dict[str, Any]:
        return mapping(dig(self.template, "metadata", "labels"))

    @property
    def claims(self) -> list[dict[str, Any]]:
        """Templates of the volumes that each pod gets."""
        spec = mapping(self.owner.body.get("spec"))
        return items(mapping(spec.get("leaderWorkerTemplate", spec)).get("volumeClaimTemplates"))


class Bundle:
    """Files of a bundle, parsed when first asked for. Whatever cannot be parsed is absent, never an exception."""

    def __init__(self, files: Mapping[str, bytes]):
        self.files = dict(files)

    @cached_property
    def parsed(self) -> dict[str, list[Any] | str]:
        """YAML files by name: their documents, or what is wrong with them."""
        names = [name for name in sorted(self.files) if name.endswith((".yaml", ".yml"))]
        return {name: parse_yaml(self.files[name]) for name in names}

    @cached_property
    def objects(self) -> list[Object]:
        """Kubernetes objects."""
        return [
            Object(file, body)
            for file, documents in self.parsed.items()
            if file.startswith("k8s/") and not isinstance(documents, str)
            for body in documents
            if isinstance(body, dict)
        ]

    @cached_property
    def record(self) -> dict[str, Any]:
        """Contents of plan.json; empty if it cannot be read."""
        try:
            found = json.loads(self.files.get("plan.json", b""))
        except (ValueError, RecursionError):
            return {}
        return found if isinstance(found, dict) else {}

    def number(self, *path: str) -> float | None:
        """A figure of the plan, None where it is not there."""
        found = dig(self.record, "plan", *path)
        return found if isinstance(found, int | float) and not isinstance(found, bool) else None

    @property
    def engine(self) -> str:
        """Engine id of the plan."""
        return str(dig(self.record, "plan", "engine") or "")

    def lacks(self, folder: str) -> bool:
        """Whether a folder was left out at the export, so that its absence breaks no rule."""
        left = self.record.get("left_out")
        return isinstance(left, list) and folder in left and not any(n.startswith(f"{folder}/") for n in self.files)

    @cached_property
    def pods(self) -> list[Pods]:
        """Pods of all workloads, those of a LeaderWorkerSet once as leaders and once as workers."""
        return [pods for found in self.objects for pods in _pods(found)]

    @cached_property
    def engines(self) -> list[Pods]:
        """Pods that hold accelerators."""
        return [pods for pods in self.pods if gpus_per_pod(pods)]

    @property
    def fleet(self) -> list[Pods]:
        """Pods that hold accelerators of the plan."""
        return [pods for pods in self.engines if not pods.file.startswith(BACKUP)]

    def of_kind(self, kind: str) -> list[Object]:
        return [found for found in self.objects if found.kind == kind]


def dig(node: Any, *path: str | int) -> Any:
    """Value at a path of keys and positions; None where the path ends early, whatever is in the way."""
    for step in path:
        if isinstance(node, dict):
            node = node.get(step)
        elif isinstance(node, list) and isinstance(step, int) and step < len(node):
            node = node[step]
        else:
            return None
    return node


def items(node: Any) -> list[dict[str, Any]]:
    """The mappings in a list; nothing for anything else."""
    return [item for item in node if isinstance(item, dict)] if isinstance(node, list) else []


def mapping(node: Any) -> dict[str, Any]:
    """A mapping, empty for anything else."""
    return node if isinstance(node, dict) else {}


def _pods(found: Object) -> list[Pods]:
    spec = mapping(found.body.get("spec"))
    group = mapping(spec.get("leaderWorkerTemplate"))
    replicas, size = whole(spec.get("replicas")), whole(group.get("size"))
    workers = None if replicas is None or size is None else replicas * (size - 1)
    ways: tuple[tuple[str, Any, int | None], ...] = (
        ("", spec.get("template"), replicas),
        ("", dig(spec, "jobTemplate", "spec", "template"), None),
        ("leader", group.get("leaderTemplate"), replicas),
        ("worker", group.get("workerTemplate"), workers),
    )
    return [
        Pods(found, role, mapping(template), count) for role, template, count in ways if mapping(template).get("spec")
    ]


def containers(found: Pods, initial: bool = False) -> list[dict[str, Any]]:
    """Serving containers of a pod, or those that run before them."""
    return items(found.spec.get("initContainers" if initial else "containers"))


def gpus_per_pod(found: Pods) -> int:
    """Accelerators that the limits of a pod add up to."""
    limits = [mapping(dig(container, "resources", "limits")) for container in containers(found)]
    return sum(whole(limit[name]) or 0 for limit in limits for name in GPU_RESOURCES & set(limit))


def arguments(container: dict[str, Any]) -> list[str]:
    """Arguments of a container as text."""
    found = container.get("args")
    return [str(argument) for argument in found] if isinstance(found, list) else []


def options(given: list[str]) -> dict[str, str]:
    """Values by option name, written `--name=value` or `--name value`; the last one counts."""
    found: dict[str, str] = {}
    for position, argument in enumerate(given):
        if argument.startswith("--"):
            name, equals, value = argument.partition("=")
            after = given[position + 1] if position + 1 < len(given) else ""
            found[name] = value if equals else ("" if after.startswith("--") else after)
    return found


def whole(text: Any) -> int | None:
    """A whole number from YAML or an option; None for anything else."""
    return int(text) if not isinstance(text, bool) and str(text).isascii() and str(text).isdigit() else None


def parse_yaml(content: bytes) -> list[Any] | str:
    """Documents of a YAML file, or what is wrong with it; a key given twice is wrong."""
    try:
        return list(yaml.load_all(content, Loader=_Strict))
    except yaml.YAMLError as error:
        return " ".join(str(error).split())[:300]
    except (ValueError, RecursionError) as error:
        return f"cannot be read: {type(error).__name__}"


class _Strict(getattr(yaml, "CSafeLoader", yaml.SafeLoader)):  # type: ignore[misc]  # libyaml where it is there
    """PyYAML keeps the last of two equal keys in silence."""

    def construct_mapping(self, node: yaml.MappingNode, deep: bool = False) -> dict[Any, Any]:
        keys = [key.value for key, _ in node.value if isinstance(key, yaml.ScalarNode)]
        twice = {key for key in keys if keys.count(key) > 1 and key != "<<"}
        if twice:
            raise yaml.constructor.ConstructorError(
                None, None, f"key given twice: {', '.join(sorted(twice))}", node.start_mark
            )
        found: dict[Any, Any] = super().construct_mapping(node, deep)
        return found


Problems = Iterator[Finding]
Rule = Callable[[Bundle], Problems]
