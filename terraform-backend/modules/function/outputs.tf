output "function" {
  description = "The function, for permissions and metrics."
  value       = aws_lambda_function.this
}

output "alias" {
  description = "The alias that serves orders, for the API and event source mappings."
  value       = aws_lambda_alias.live
}

output "log_group" {
  description = "The function's log, for metric filters."
  value       = aws_cloudwatch_log_group.this
}
