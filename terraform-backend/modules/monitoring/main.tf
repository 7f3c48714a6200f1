# Alarms, metrics counted from the logs, and the dashboard.

# --- Alarms ---

resource "aws_cloudwatch_metric_alarm" "this" {
  for_each = var.alarms

  alarm_name        = "${var.backend.prefix}-${each.key}"
  alarm_description = "${each.value.description} Runbook: ${var.backend.runbook_url}#${coalesce(each.value.runbook_section, each.key)}"

  namespace          = one(each.value.metric[*].namespace)
  metric_name        = one(each.value.metric[*].name)
  dimensions         = one(each.value.metric[*].dimensions)
  statistic          = one([for metric in each.value.metric[*] : metric.statistic if !startswith(metric.statistic, "p")])
  extended_statistic = one([for metric in each.value.metric[*] : metric.statistic if startswith(metric.statistic, "p")])
  period             = one([for metric in each.value.metric[*] : each.value.period_seconds])

  dynamic "metric_query" {
    for_each = each.value.metrics

    content {
      id = metric_query.key

      metric {
        namespace   = metric_query.value.namespace
        metric_name = metric_query.value.name
        stat        = "Sum"
        period      = each.value.period_seconds
      }
    }
  }

  dynamic "metric_query" {
    for_each = each.value.expression[*]

    content {
      id          = "result"
      expression  = metric_query.value
      label       = each.key
      return_data = true
    }
  }

  evaluation_periods  = each.value.evaluation.periods
  datapoints_to_alarm = each.value.evaluation.datapoints
  comparison_operator = each.value.comparison_operator
  threshold           = each.value.threshold
  treat_missing_data  = each.value.treat_missing_data

  alarm_actions = [var.backend.alerts_topic_arn]
  ok_actions    = each.value.notify_when_ok ? [var.backend.alerts_topic_arn] : []
}

# --- Metrics of the orders ---

resource "aws_cloudwatch_log_metric_filter" "this" {
  for_each = var.metric_filters

  name           = each.key
  log_group_name = each.value.log_group_name
  pattern        = each.value.pattern

  metric_transformation {
    namespace     = var.backend.metric_namespace
    name          = coalesce(each.value.metric_name, each.key)
    value         = "1"
    default_value = each.value.has_zeros ? "0" : null
    unit          = "Count"
  }
}

# --- Dashboard ---

data "aws_region" "current" {}

locals {
  namespace = var.backend.metric_namespace
  queue     = var.backend.queue_names.orders
  functions = var.backend.function_names

  # Lines in the graphs of the alarms' metrics.
  thresholds = { for name, alarm in var.alarms : name => { horizontal = [{ label = name, value = alarm.threshold }] } }

  # The first two rows show an order's path from left to right: the traffic and the latency of each part. The third row
  # shows failures and the path as a whole.
  dashboard_rows = [
    [
      { title = "API: requests", stat = "Sum", metrics = [for name in ["Count", "4xx", "5xx"] : ["AWS/ApiGateway", name, "ApiId", var.backend.api_id]] },
      { title = "Submission: orders", stat = "Sum", metrics = [for name in ["OrdersAccepted", "OrdersRefused"] : [local.namespace, name]] },
      { title = "Orders queue: orders", stat = "Maximum", metrics = [for state in ["Visible", "NotVisible"] : ["AWS/SQS", "ApproximateNumberOfMessages${state}", "QueueName", local.queue]] },
      { title = "Processing: orders", stat = "Sum", metrics = [for result in ["Stored", "Duplicate", "Conflict", "Failed"] : [local.namespace, "Orders${result}"]] },
      { title = "Notification: orders", stat = "Sum", metrics = [[local.namespace, "OrdersNotified"]] },
      { title = "Dead letters: messages", stat = "Maximum", metrics = [for queue in ["orders_dlq", "notifications_dlq"] : ["AWS/SQS", "ApproximateNumberOfMessagesVisible", "QueueName", var.backend.queue_names[queue]]] },
    ],
    [
      { title = "API: p99 latency, ms", stat = "p99", metrics = [["AWS/ApiGateway", "Latency", "ApiId", var.backend.api_id]], annotations = local.thresholds.api-slow },
      { title = "Submission: p99 duration, ms", stat = "p99", metrics = [["AWS/Lambda", "Duration", "FunctionName", local.functions.submission]] },
      { title = "Orders queue: age of the oldest order, s", stat = "Maximum", metrics = [["AWS/SQS", "ApproximateAgeOfOldestMessage", "QueueName", local.queue]], annotations = local.thresholds.orders-waiting },
      { title = "Processing: p99 duration, ms", stat = "p99", metrics = [["AWS/Lambda", "Duration", "FunctionName", local.functions.processing]] },
      { title = "Notification: age of the oldest order, ms", stat = "Maximum", metrics = [["AWS/Lambda", "IteratorAge", "FunctionName", local.functions.notification]] },
      { title = "Functions: errors and throttles", stat = "Sum", metrics = [for pair in setproduct(["Errors", "Throttles"], values(local.functions)) : ["AWS/Lambda", pair[0], "FunctionName", pair[1]]] },
    ],
    [
      { title = "Failures", stat = "Sum", metrics = [for name in ["SubmissionFailed", "ProcessingFailed", "OrdersDeadLettered", "NotificationFailed", "StatusFailed"] : [local.namespace, name]] },
      {
        title = "Cumulative orders: accepted, stored, notified"
        stat  = "Sum"
        metrics = concat(
          [for name in ["Accepted", "Stored", "Notified"] : [local.namespace, "Orders${name}", { id = lower(name), visible = false }]],
          [for id in ["accepted", "stored", "notified"] : [{ id = "all_${id}", label = id, expression = "RUNNING_SUM(FILL(${id}, 0))" }]],
        )
      },
    ],
  ]

  dashboard_width = 24 # columns of CloudWatch's grid
  alarms_height   = 3
  graph_height    = 6
}

resource "aws_cloudwatch_dashboard" "this" {
  dashboard_name = var.backend.prefix

  dashboard_body = jsonencode({
    widgets = concat(
      [
        {
          type       = "alarm"
          x          = 0
          y          = 0
          width      = local.dashboard_width
          height     = local.alarms_height
          properties = { title = "Alarms of ${var.backend.prefix}", alarms = values(aws_cloudwatch_metric_alarm.this)[*].arn }
        }
      ],
      flatten([
        for row, graphs in local.dashboard_rows : [
          for column, graph in graphs : {
            type       = "metric"
            x          = column * local.dashboard_width / length(graphs)
            y          = local.alarms_height + row * local.graph_height
            width      = local.dashboard_width / length(graphs)
            height     = local.graph_height
            properties = merge(graph, { region = data.aws_region.current.name, period = 60, view = "timeSeries" })
          }
        ]
      ]),
    )
  })
}
