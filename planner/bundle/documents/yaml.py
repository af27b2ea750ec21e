"""YAML as every document writes it."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import yaml


def to_yaml(document: Mapping[str, Any]) -> str:
    """Serialise once: ASCII, no anchors, keys in the order of the writer, sequences indented."""
    return yaml.dump(dict(document), Dumper=_Plain, sort_keys=False, explicit_start=True, width=100)


class _Plain(yaml.SafeDumper):
    def ignore_aliases(self, data: Any) -> bool:
        return True

    def represent_str(self, data: str) -> yaml.ScalarNode:
        """Several lines as a block, where YAML allows it; everything else as the library quotes it."""
        style = "|" if "\n" in data else None
        return self.represent_scalar("tag:yaml.org,2002:str", data, style=style)

    def increase_indent(self, flow: bool = False, indentless: bool = False) -> None:
        super().increase_indent(flow, False)


_Plain.add_representer(str, _Plain.represent_str)


def kustomization(files: list[str], **more: Any) -> dict[str, Any]:
    """What `kubectl apply -k` applies of a folder."""
    head = {"apiVersion": "kustomize.config.k8s.io/v1beta1", "kind": "Kustomization"}
    return {**head, "resources": files, **more}


def to_yaml_list(items: list[dict[str, Any]]) -> str:
    """The same for a list, such as the steps of a JSON patch."""
    return yaml.dump(list(items), Dumper=_Plain, sort_keys=False, explicit_start=True, width=100)
