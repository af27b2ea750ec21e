output "servers" {
  value       = 10
  description = "Number of servers of the fleet."
}

output "accelerators" {
  value       = 80
  description = "Number of accelerators of the fleet."
}
