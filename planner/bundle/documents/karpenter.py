"""Karpenter on AWS: node pools for reserved, on-demand and Spot servers, tried in this order up to the plan's numbers.

References: karpenter.sh docs, "NodePools" (weights, limits, disruption budgets) and "NodeClasses" (capacity
reservations). Interruptions are announced two minutes before: `k8s/overlays/spot` drains within them.
"""

from __future__ import annotations

from dataclasses import dataclass

from planner.bundle.documents.capacity import Capacity, capacity
from planner.bundle.documents.draft import Draft, Files
from planner.bundle.documents.naming import Document, gpu_resource, metadata
from planner.bundle.documents.subject import Subject
from planner.bundle.documents.yaml import kustomization, to_yaml

FOLDER = "k8s/addons/karpenter"
API = "karpenter.sh/v1"
SPOT_NOTICE = "2m"
CALM = "15m"  # an empty server stays so long; its weights would have to be read again


@dataclass(frozen=True)
class _Way:
    """One way to obtain servers: its pool is tried before those of lower weight."""

    name: str
    weight: int
    servers: int


def write(draft: Draft) -> Files:
    """Node class and node pools, or nothing where AWS has no such accelerators."""
    found = capacity(draft)
    if found is None:
        return {}
    subject = draft.subject
    files = {"node-class.yaml": node_class(subject, found)}
    files |= {f"node-pool-{way.name}.yaml": node_pool(subject, found, way) for way in _ways(found)}
    files["kustomization.yaml"] = kustomization(list(files))
    return {f"{FOLDER}/{name}": to_yaml(body) for name, body in files.items()}


def _ways(found: Capacity) -> list[_Way]:
    """The firm base first, then Spot, then on demand for whatever Spot does not give."""
    ways = [_Way("reserved", 100, found.reserved), _Way("on-demand-base", 90, found.on_demand)]
    if found.spot:
        ways += [_Way("spot", 50, found.spot), _Way("on-demand-fallback", 10, found.spot)]
    return [way for way in ways if way.servers]


def node_class(subject: Subject, found: Capacity) -> Document:
    """Machines from whatever carries the tag of this fleet: image, subnets, security groups, reservations."""
    tags = [{"tags": {"llm-capacity-planner/fleet": subject.name}}]
    reserved = {"capacityReservationSelectorTerms": tags} if found.reserved else {}
    return {
        "apiVersion": "karpenter.k8s.aws/v1",
        "kind": "EC2NodeClass",
        "metadata": metadata(subject, subject.name),
        "spec": {
            "role": f"{subject.name}-node",
            "amiFamily": "AL2023",
            "amiSelectorTerms": tags,
            "subnetSelectorTerms": tags,
            "securityGroupSelectorTerms": tags,
            **reserved,
            "instanceStorePolicy": "RAID0",
            "metadataOptions": {"httpTokens": "required", "httpPutResponseHopLimit": 1},
        },
    }


def node_pool(subject: Subject, found: Capacity, way: _Way) -> Document:
    """One node pool: never more accelerators than the plan has of this kind."""
    kind = "on-demand" if way.name.startswith("on-demand") else way.name
    resource = gpu_resource(subject)
    spot = {"terminationGracePeriod": SPOT_NOTICE} if kind == "spot" else {}
    return {
        "apiVersion": API,
        "kind": "NodePool",
        "metadata": metadata(subject, f"{subject.name}-{way.name}"),
        "spec": {
            "weight": way.weight,
            "limits": {resource: way.servers * found.gpus_per_server},
            "disruption": {
                "consolidationPolicy": "WhenEmpty",
                "consolidateAfter": CALM,
                "budgets": [{"nodes": "1"}],
            },
            "template": {
                "spec": {
                    "nodeClassRef": {"group": "karpenter.k8s.aws", "kind": "EC2NodeClass", "name": subject.name},
                    "requirements": [
                        {"key": "karpenter.sh/capacity-type", "operator": "In", "values": [kind]},
                        {
                            "key": "node.kubernetes.io/instance-type",
                            "operator": "In",
                            "values": list(found.shapes),
                        },
                        {"key": "kubernetes.io/arch", "operator": "In", "values": ["amd64"]},
                    ],
                    "taints": [{"key": resource, "effect": "NoSchedule"}],
                    "expireAfter": "Never",  # a server is replaced when it fails, not by the calendar
                    **spot,
                }
            },
        },
    }
