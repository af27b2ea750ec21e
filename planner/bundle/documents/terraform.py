"""Terraform: the plan's servers as node groups of an EKS cluster that exists, where AWS has the accelerators.

The plan may buy them elsewhere: README.md names its supplier. References: registry.terraform.io hashicorp/aws 6,
`aws_eks_node_group`, `aws_launch_template`, `aws_placement_group`, `aws_ec2_capacity_reservation`.
"""

from __future__ import annotations

from planner.bundle.documents.capacity import Capacity, capacity
from planner.bundle.documents.draft import Draft, Files
from planner.bundle.documents.hcl import Block, Raw, quoted, to_hcl
from planner.bundle.documents.naming import gpu_resource
from planner.bundle.documents.subject import Subject

FOLDER = "terraform"
SYSTEM_GIB = 200  # images of the engines take 10 to 30 GB, unpacked; the weights have volumes of their own
FLEET = "llm-capacity-planner/fleet"


def write(draft: Draft) -> Files:
    """Providers, inputs, servers and what comes out; nothing where AWS has no such accelerators."""
    found = capacity(draft)
    if found is None:
        return {}
    subject = draft.subject
    files = {
        "versions.tf": [_versions()],
        "variables.tf": _variables(found),
        "main.tf": [*_shared(subject), *_groups(subject, found)],
        "outputs.tf": _outputs(subject, found),
    }
    return {f"{FOLDER}/{name}": to_hcl(blocks) for name, blocks in files.items()}


def _versions() -> Block:
    aws = {"source": "hashicorp/aws", "version": "~> 6.0"}
    return Block(
        "terraform", attributes={"required_version": ">= 1.5"}, blocks=[Block("required_providers", (), {"aws": aws})]
    )


def _variables(found: Capacity) -> list[Block]:
    texts = {
        "cluster_name": "Name of the EKS cluster.",
        "node_role_arn": "IAM role of its nodes.",
        "availability_zone": "Zone that has the accelerators; servers of one engine stay in it.",
    }
    plain = [Block("variable", (name,), {"type": Raw("string"), "description": text}) for name, text in texts.items()]
    subnets = Block("variable", ("subnet_ids",), {"type": Raw("list(string)"), "description": "Subnets in that zone."})
    shapes = "[" + ", ".join(quoted(shape) for shape in found.shapes) + "]"
    shape = Block(
        "variable",
        ("instance_type",),
        {
            "type": Raw("string"),
            "description": f"Shape with the plan's accelerators: {', '.join(found.shapes)}.",
            "default": found.shapes[-1],
        },
        [
            Block(
                "validation",
                (),
                {
                    "condition": Raw(f"contains({shapes}, var.instance_type)"),
                    "error_message": "The plan was made for the accelerators of these shapes.",
                },
            )
        ],
    )
    return [*plain, subnets, shape]


def _shared(subject: Subject) -> list[Block]:
    """Servers stand close together and refuse the old metadata service."""
    disk = Block("ebs", (), {"volume_size": SYSTEM_GIB, "volume_type": "gp3", "encrypted": True})
    return [
        Block("resource", ("aws_placement_group", "fleet"), {"name": subject.name, "strategy": "cluster"}),
        Block(
            "resource",
            ("aws_launch_template", "fleet"),
            {"name": subject.name, "instance_type": Raw("var.instance_type")},
            [
                Block("placement", (), {"group_name": Raw("aws_placement_group.fleet.name")}),
                Block("block_device_mappings", (), {"device_name": "/dev/xvda"}, [disk]),
                Block("metadata_options", (), {"http_tokens": "required", "http_put_response_hop_limit": 1}),
            ],
        ),
    ]


def _groups(subject: Subject, found: Capacity) -> list[Block]:
    """One group per way of obtaining servers; reservations are billed from the moment that they exist."""
    groups = []
    if found.firm:
        groups += [_reservation(subject, found.firm), _group(subject, "firm", "ON_DEMAND", found.firm)]
    if found.spot:
        groups.append(_group(subject, "spot", "SPOT", found.spot))
    return groups


def _reservation(subject: Subject, servers: int) -> Block:
    return Block(
        "resource",
        ("aws_ec2_capacity_reservation", "firm"),
        {
            "instance_type": Raw("var.instance_type"),
            "instance_platform": "Linux/UNIX",
            "availability_zone": Raw("var.availability_zone"),
            "instance_count": servers,
            "instance_match_criteria": "open",
            "placement_group_arn": Raw("aws_placement_group.fleet.arn"),
            "tags": {FLEET: subject.name},
        },
    )


def _group(subject: Subject, name: str, kind: str, servers: int) -> Block:
    return Block(
        "resource",
        ("aws_eks_node_group", name),
        {
            "cluster_name": Raw("var.cluster_name"),
            "node_group_name": f"{subject.name}-{name}",
            "node_role_arn": Raw("var.node_role_arn"),
            "subnet_ids": Raw("var.subnet_ids"),
            "ami_type": "AL2023_x86_64_NVIDIA",
            "capacity_type": kind,
            "labels": {FLEET: subject.name},
        },
        [
            Block(
                "launch_template",
                (),
                {
                    "id": Raw("aws_launch_template.fleet.id"),
                    "version": Raw("aws_launch_template.fleet.latest_version"),
                },
            ),
            Block("scaling_config", (), {"desired_size": servers, "min_size": 0, "max_size": servers}),
            Block("update_config", (), {"max_unavailable": max(subject.plan.spares, 1)}),
            Block("taint", (), {"key": gpu_resource(subject), "value": "present", "effect": "NO_SCHEDULE"}),
        ],
    )


def _outputs(subject: Subject, found: Capacity) -> list[Block]:
    told = {"servers": found.servers, "accelerators": found.servers * found.gpus_per_server}
    return [
        Block("output", (name,), {"value": count, "description": f"Number of {name} of the fleet."})
        for name, count in told.items()
    ]
