resource "aws_placement_group" "fleet" {
  name     = "deepseek-r1"
  strategy = "cluster"
}

resource "aws_launch_template" "fleet" {
  name          = "deepseek-r1"
  instance_type = var.instance_type

  placement {
    group_name = aws_placement_group.fleet.name
  }

  block_device_mappings {
    device_name = "/dev/xvda"

    ebs {
      volume_size = 200
      volume_type = "gp3"
      encrypted   = true
    }
  }

  metadata_options {
    http_tokens                 = "required"
    http_put_response_hop_limit = 1
  }
}

resource "aws_ec2_capacity_reservation" "firm" {
  instance_type           = var.instance_type
  instance_platform       = "Linux/UNIX"
  availability_zone       = var.availability_zone
  instance_count          = 10
  instance_match_criteria = "open"
  placement_group_arn     = aws_placement_group.fleet.arn
  tags = {
    "llm-capacity-planner/fleet" = "deepseek-r1"
  }
}

resource "aws_eks_node_group" "firm" {
  cluster_name    = var.cluster_name
  node_group_name = "deepseek-r1-firm"
  node_role_arn   = var.node_role_arn
  subnet_ids      = var.subnet_ids
  ami_type        = "AL2023_x86_64_NVIDIA"
  capacity_type   = "ON_DEMAND"
  labels = {
    "llm-capacity-planner/fleet" = "deepseek-r1"
  }

  launch_template {
    id      = aws_launch_template.fleet.id
    version = aws_launch_template.fleet.latest_version
  }

  scaling_config {
    desired_size = 10
    min_size     = 0
    max_size     = 10
  }

  update_config {
    max_unavailable = 1
  }

  taint {
    key    = "nvidia.com/gpu"
    value  = "present"
    effect = "NO_SCHEDULE"
  }
}
