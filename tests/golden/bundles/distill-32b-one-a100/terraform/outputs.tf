output "servers" {
  value       = 1
  description = "Number of servers of the fleet."
}

output "accelerators" {
  value       = 8
  description = "Number of accelerators of the fleet."
}
