# Alarms and metrics, along an order's path. A new alarm needs a section of the same name in the runbook.

locals {
  metric_namespace = "${var.project}/${var.environment}"

  functions = {
    submission   = module.submission
    processing   = module.processing
    status       = module.status
    notification = module.notification
  }

  # A failed order is delivered again after the visibility timeout. With a shorter evaluation range, an alarm would return
  # to OK between two deliveries. 20 s are for the batch window.
  redelivery_minutes = ceil((6 * var.processing_timeout_seconds + 20) / 60)
}

module "monitoring" {
  source = "./modules/monitoring"

  backend = {
    prefix           = local.prefix
    alerts_topic_arn = aws_sns_topic.alerts.arn
    runbook_url      = var.runbook_url
    metric_namespace = local.metric_namespace
    api_id           = aws_apigatewayv2_api.orders.id
    queue_names      = local.queue_names
    function_names   = { for name, function in local.functions : name => function.function_name }
  }

  alarms = merge(
    {
      api-5xx = {
        description = "The API returned a 5xx status. A customer could not place or follow an order. Look first at the request in ${aws_cloudwatch_log_group.access.name}, then find its request_id in the functions' logs."
        metric      = { namespace = "AWS/ApiGateway", name = "5xx", dimensions = { ApiId = aws_apigatewayv2_api.orders.id } }
        evaluation  = { periods = 5, datapoints = 1 }
      }

      api-4xx = {
        description = "The API returned more than ${var.client_errors_alarm_per_minute} responses per minute with a 4xx status (including 429) in three of five minutes. Customers' orders may be rejected, or a client floods the API. Look first at status, route and source_ip in ${aws_cloudwatch_log_group.access.name}."
        metric      = { namespace = "AWS/ApiGateway", name = "4xx", dimensions = { ApiId = aws_apigatewayv2_api.orders.id } }
        threshold   = var.client_errors_alarm_per_minute
        evaluation  = { periods = 5, datapoints = 3 }
      }

      # In a quiet minute p99 is the slowest request, often a cold start: one such minute is normal, three of five are
      # not. CloudWatch's option to ignore percentiles with few samples would ignore p99 below 1000 requests per minute.
      api-slow = {
        description = "API p99 latency exceeded ${var.latency_alarm_threshold_ms} ms in three of the last five minutes. Customers wait or give up. Look first at function_latency_ms in ${aws_cloudwatch_log_group.access.name}: it separates our functions' time from API Gateway's."
        metric      = { namespace = "AWS/ApiGateway", name = "Latency", dimensions = { ApiId = aws_apigatewayv2_api.orders.id }, statistic = "p99" }
        threshold   = var.latency_alarm_threshold_ms
        evaluation  = { periods = 5, datapoints = 3 }
      }

      api-flood = {
        description = "The API received more than ${var.requests_alarm_per_minute} requests per minute in three of five minutes. Every request costs money, and customers may be throttled. Look first at source_ip, route and status in ${aws_cloudwatch_log_group.access.name}."
        metric      = { namespace = "AWS/ApiGateway", name = "Count", dimensions = { ApiId = aws_apigatewayv2_api.orders.id } }
        threshold   = var.requests_alarm_per_minute
        evaluation  = { periods = 5, datapoints = 3 }
      }

      orders-flood = {
        description = "More than ${var.orders_alarm_per_minute} orders per minute were accepted in three of five minutes. Unwanted orders are also stored, announced and billed. Look first at source_ip in ${aws_cloudwatch_log_group.access.name}."
        metric      = { namespace = local.metric_namespace, name = "OrdersAccepted" }
        threshold   = var.orders_alarm_per_minute
        evaluation  = { periods = 5, datapoints = 3 }
      }

      # Also raised for a disabled or missing mapping. The metric excludes messages received three times or more:
      # failing orders raise processing-failing.
      orders-waiting = {
        description = "An accepted order has waited in ${local.queue_names.orders} for more than five minutes. Customers see it as pending; it is kept for four days. Look first at the event source mapping of ${module.processing.function_name}, which must be enabled, then at the function's log. If neither shows a fault, raise processing_maximum_concurrency."
        metric      = { namespace = "AWS/SQS", name = "ApproximateAgeOfOldestMessage", dimensions = { QueueName = aws_sqs_queue.orders.name }, statistic = "Maximum" }
        threshold   = 5 * 60
      }

      # Partial batch failures do not count as Lambda errors. A single failure raises no alarm, because the next delivery
      # may succeed.
      processing-failing = {
        description = "Orders could not be stored in two different minutes, so retries do not resolve it. Each is delivered up to five times before it moves to ${local.queue_names.orders_dlq}; its customer sees it as pending. Look first at reason and error of order_failed and request_failed in the log of ${module.processing.function_name}."
        metric      = { namespace = local.metric_namespace, name = "ProcessingFailed" }
        evaluation  = { periods = max(5, 2 * local.redelivery_minutes + 2), datapoints = 2 }
      }

      # Missing data is ignored, because SQS may stop a metric six hours after the last action on a queue.
      orders-dlq = {
        description        = "An order was received five times, could not be stored, and stays in ${local.queue_names.orders_dlq} until fourteen days after it was accepted. Its customer sees it as pending. Look first at the reason (`orders dlq list`), fix the cause, then move the order back (`orders dlq redrive`)."
        metric             = { namespace = "AWS/SQS", name = "ApproximateNumberOfMessagesVisible", dimensions = { QueueName = aws_sqs_queue.orders_dlq.name }, statistic = "Maximum" }
        treat_missing_data = "ignore"
      }

      # Fewer than 98 % of stored orders were announced in each of three periods of five minutes: all announcements, or
      # those of one shard, are missing. The expression is a ratio, because in a busy shop orders in flight always make a
      # difference positive. FILL(…, 0): a function that is not invoked logs no OrdersNotified. REPEAT and "ignore":
      # without new orders 0 / 0 gives no datapoint, but the stored orders are still not announced.
      notifications-late = {
        description = "Stored orders have not been announced for more than ten minutes. The orders are safe; subscribers to completed orders are not informed. Look first at the event source mapping of ${module.notification.function_name}, which must be enabled, then at the function's log, then at AWS Health for SNS."
        metrics = {
          stored   = { namespace = local.metric_namespace, name = "OrdersStored" }
          notified = { namespace = local.metric_namespace, name = "OrdersNotified" }
        }
        expression         = "FILL((FILL(stored, 0) - FILL(notified, 0)) / (FILL(stored, 0) + FILL(notified, 0)), REPEAT)"
        threshold          = 0.01
        period_seconds     = 5 * 60
        evaluation         = { periods = 3 }
        treat_missing_data = "ignore"
      }

      notification-failing = {
        description = "Stored orders could not be announced in at least two of the last ten minutes. The orders are safe; Lambda retries each announcement for up to an hour before it moves to ${local.queue_names.notifications_dlq}. Look first at error of notification_failed in the log of ${module.notification.function_name}."
        metric      = { namespace = local.metric_namespace, name = "NotificationFailed" }
        evaluation  = { periods = 10, datapoints = 2 }
      }

      notifications-dlq = {
        description        = "A stored order could not be announced, and retries have ended. The order is safe; subscribers are not informed. ${local.queue_names.notifications_dlq} keeps its position in the table's stream, which keeps records for one day. Look first at the log of ${module.notification.function_name}, fix the cause, then announce it again (`orders dlq redrive --notifications`)."
        metric             = { namespace = "AWS/SQS", name = "ApproximateNumberOfMessagesVisible", dimensions = { QueueName = aws_sqs_queue.notifications_dlq.name }, statistic = "Maximum" }
        treat_missing_data = "ignore"
      }

      # A failed notification of this alarm is counted too. A long evaluation range and no OK notification avoid a loop.
      alerts-undelivered = {
        description    = "An alarm could not be delivered to a subscriber of ${aws_sns_topic.alerts.name}. The on-call engineer may miss failed orders. Look first at the topic's subscriptions: one may have been deleted, or its address may bounce."
        metric         = { namespace = "AWS/SNS", name = "NumberOfNotificationsFailed", dimensions = { TopicName = aws_sns_topic.alerts.name } }
        evaluation     = { periods = 15, datapoints = 1 }
        notify_when_ok = false
      }
    },

    # An alarm notifies only when its state changes, so orders-dlq does not report further dead letters. Processing logs
    # each failed fifth receive. One alarm evaluates even minutes, the other odd minutes: dead letters of adjacent
    # minutes notify separately, and those of one minute share an e-mail.
    {
      for minute, comparison in { even = "==", odd = "!=" } : "dead-letter-${minute}-minute" => {
        description                    = "An order failed for the fifth time and was moved to ${local.queue_names.orders_dlq}. Its customer sees it as pending. Look first at the reason (`orders dlq list`). This alarm reports new dead letters; orders-dlq stays raised until the queue is empty."
        runbook_section                = "orders-dlq"
        metrics                        = { failed = { namespace = local.metric_namespace, name = "OrdersDeadLettered" } }
        expression                     = "IF(failed > 0, 2 * FLOOR(MINUTE(failed) / 2) ${comparison} MINUTE(failed), 0)"
        notify_when_ok                 = false
      }
    },

    {
      for name, function in local.functions : "${name}-errors" => {
        description     = "${function.function_name} failed with an unexpected error, timed out, or ran out of memory. Its orders are delivered again, or customers receive a 5xx status. Look first at its log, then roll back or fix the code."
        runbook_section = "function-errors"
        metric          = { namespace = "AWS/Lambda", name = "Errors", dimensions = { FunctionName = function.function_name } }
        evaluation      = { periods = name == "processing" ? max(5, local.redelivery_minutes + 2) : 5, datapoints = 1 }
      }
    },

    {
      for name, function in local.functions : "${name}-throttles" => {
        description     = "${function.function_name} was throttled: its reserved concurrency, or the account's, is exhausted. Customers receive a 503 status, or valid orders move to the dead-letter queue. Look first at the concurrent executions of all functions in the account."
        runbook_section = "function-throttles"
        metric          = { namespace = "AWS/Lambda", name = "Throttles", dimensions = { FunctionName = function.function_name } }
        evaluation      = { periods = 5, datapoints = 1 }
      }
    },

    # Without requests nothing is logged, so missing data breaches.
    var.no_orders_alarm_minutes == null ? {} : {
      no-orders = {
        description         = "No order has been accepted for ${var.no_orders_alarm_minutes} minutes. Customers may be unable to order. Look first at whether the storefront and the API respond, then on the dashboard ${local.prefix} at whether requests arrive and why they are rejected."
        metric              = { namespace = local.metric_namespace, name = "OrdersAccepted" }
        comparison_operator = "LessThanThreshold"
        threshold           = 1
        evaluation          = { periods = var.no_orders_alarm_minutes }
        treat_missing_data  = "breaching"
      }
    },
  )

  # Filters count log events, so the code needs no metrics library. The local stack and the tests evaluate the patterns
  # too, and support only comparisons of fields joined by &&.
  metric_filters = {
    OrdersAccepted  = { log_group_name = module.submission.log_group_name, pattern = "{ $.message = \"order_accepted\" }" }
    OrdersRefused   = { log_group_name = module.submission.log_group_name, pattern = "{ $.message = \"order_refused\" }" }
    OrdersStored    = { log_group_name = module.processing.log_group_name, pattern = "{ $.message = \"order_stored\" }" }
    OrdersDuplicate = { log_group_name = module.processing.log_group_name, pattern = "{ $.message = \"order_duplicate\" }" }
    OrdersConflict  = { log_group_name = module.processing.log_group_name, pattern = "{ $.message = \"order_conflict\" }" }
    OrdersFailed    = { log_group_name = module.processing.log_group_name, pattern = "{ $.message = \"order_failed\" }" }
    OrdersNotified  = { log_group_name = module.notification.log_group_name, pattern = "{ $.message = \"order_notified\" }" }

    # The alarms on new dead letters need the zeros to return to OK at once.
    OrdersDeadLettered = { log_group_name = module.processing.log_group_name, pattern = "{ $.level = \"ERROR\" && $.receives >= ${local.maximum_receives} }", has_zeros = true }

    SubmissionFailed   = { log_group_name = module.submission.log_group_name, pattern = "{ $.message = \"request_failed\" }" }
    ProcessingFailed   = { log_group_name = module.processing.log_group_name, pattern = "{ $.message = \"request_failed\" }" }
    StatusFailed       = { log_group_name = module.status.log_group_name, pattern = "{ $.message = \"request_failed\" }" }
    NotificationFailed = { log_group_name = module.notification.log_group_name, pattern = "{ $.message = \"notification_failed\" }" }

    # DynamoDB reports throttling and missing permissions for each order.
    ProcessingFailedByOrder = { log_group_name = module.processing.log_group_name, pattern = "{ $.message = \"order_failed\" }", metric_name = "ProcessingFailed" }
  }
}
