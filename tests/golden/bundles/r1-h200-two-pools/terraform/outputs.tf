output "servers" {
  value       = 2
  description = "Number of servers of the fleet."
}

output "accelerators" {
  value       = 16
  description = "Number of accelerators of the fleet."
}
