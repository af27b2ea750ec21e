variable "cluster_name" {
  type        = string
  description = "Name of the EKS cluster."
}

variable "node_role_arn" {
  type        = string
  description = "IAM role of its nodes."
}

variable "availability_zone" {
  type        = string
  description = "Zone that has the accelerators; servers of one engine stay in it."
}

variable "subnet_ids" {
  type        = list(string)
  description = "Subnets in that zone."
}

variable "instance_type" {
  type        = string
  description = "Shape with the plan's accelerators: p5e.48xlarge, p5en.48xlarge."
  default     = "p5en.48xlarge"

  validation {
    condition     = contains(["p5e.48xlarge", "p5en.48xlarge"], var.instance_type)
    error_message = "The plan was made for the accelerators of these shapes."
  }
}
