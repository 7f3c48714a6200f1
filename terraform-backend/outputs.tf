# What others build on. The CloudFormation deployment has the same outputs.

################################################################################
# Storage
################################################################################

output "orders_table_name" {
  description = "Table of the stored orders, for the operator's queries."
  value       = aws_dynamodb_table.orders.name
}

################################################################################
# Messaging
################################################################################

output "orders_queue_url" {
  description = "Queue of accepted orders, where repaired orders go back to."
  value       = aws_sqs_queue.orders.url
}

output "orders_dlq_url" {
  description = "Dead-letter queue of the orders that could not be stored. Empty when all is well."
  value       = aws_sqs_queue.orders_dlq.url
}

output "notifications_dlq_url" {
  description = "Dead-letter queue of the announcements that could not be sent. Empty when all is well."
  value       = aws_sqs_queue.notifications_dlq.url
}

output "alerts_topic_arn" {
  description = "Topic of all alarms. Subscribe a chat or a pager here."
  value       = aws_sns_topic.alerts.arn
}

output "order_completed_topic_arn" {
  description = "Topic of completed orders, with customer_id and product_id as attributes to filter by. Subscribe what comes after an order."
  value       = aws_sns_topic.order_completed.arn
}

################################################################################
# Entry point
################################################################################

output "api_endpoint" {
  description = "Address of the API, without a slash at the end: orders go to <api_endpoint>/orders. The storefront's api_url."
  value       = aws_apigatewayv2_api.orders.api_endpoint
}

################################################################################
# Monitoring
################################################################################

output "dashboard_name" {
  description = "CloudWatch dashboard that shows one order's path from left to right."
  value       = module.monitoring.dashboard_name
}
