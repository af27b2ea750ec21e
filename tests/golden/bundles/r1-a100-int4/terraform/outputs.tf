output "servers" {
  value       = 24
  description = "Number of servers of the fleet."
}

output "accelerators" {
  value       = 192
  description = "Number of accelerators of the fleet."
}
