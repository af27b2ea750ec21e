output "servers" {
  value       = 3
  description = "Number of servers of the fleet."
}

output "accelerators" {
  value       = 24
  description = "Number of accelerators of the fleet."
}
