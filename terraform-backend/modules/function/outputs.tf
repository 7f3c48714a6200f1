output "function_name" {
  description = "Name of the function, for permissions and metrics."
  value       = aws_lambda_function.this.function_name
}

output "alias_name" {
  description = "Name of the alias that serves orders."
  value       = aws_lambda_alias.live.name
}

output "alias_arn" {
  description = "ARN of the alias, for event source mappings."
  value       = aws_lambda_alias.live.arn
}

output "alias_invoke_arn" {
  description = "Invocation URI of the alias, for API integrations."
  value       = aws_lambda_alias.live.invoke_arn
}

output "log_group_name" {
  description = "Log group of the function, for metric filters."
  value       = aws_cloudwatch_log_group.this.name
}
