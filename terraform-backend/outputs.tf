# The CloudFormation deployment has the same outputs.

output "orders_table_name" {
  description = "Name of the table of stored orders."
  value       = aws_dynamodb_table.orders.name
}

output "orders_queue_url" {
  description = "URL of the queue of accepted orders."
  value       = aws_sqs_queue.orders.url
}

output "orders_dlq_url" {
  description = "URL of the dead-letter queue of orders that could not be stored. It is normally empty."
  value       = aws_sqs_queue.orders_dlq.url
}

output "notifications_dlq_url" {
  description = "URL of the dead-letter queue of failed announcements. It is normally empty."
  value       = aws_sqs_queue.notifications_dlq.url
}

output "alerts_topic_arn" {
  description = "ARN of the topic for alarms. Subscribe a chat or pager to it."
  value       = aws_sns_topic.alerts.arn
}

output "order_completed_topic_arn" {
  description = "ARN of the topic of completed orders, with the attributes customer_id and product_id for filters."
  value       = aws_sns_topic.order_completed.arn
}

output "api_endpoint" {
  description = "Address of the API, without a trailing slash. Use it as the storefront's api_url."
  value       = var.api_domain_name == null ? aws_apigatewayv2_api.orders.api_endpoint : "https://${aws_apigatewayv2_api_mapping.orders[0].domain_name}"
}

output "dashboard_name" {
  description = "Name of the CloudWatch dashboard, which shows an order's path from left to right."
  value       = module.monitoring.dashboard_name
}
