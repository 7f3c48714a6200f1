# Addresses before the module monitoring (version 0.1), so that an existing deployment keeps its resources.

moved {
  from = aws_cloudwatch_metric_alarm.failure
  to   = module.monitoring.aws_cloudwatch_metric_alarm.this
}
moved {
  from = aws_cloudwatch_log_metric_filter.orders
  to   = module.monitoring.aws_cloudwatch_log_metric_filter.this
}
moved {
  from = aws_cloudwatch_dashboard.orders
  to   = module.monitoring.aws_cloudwatch_dashboard.this
}
moved {
  from = module.submission.aws_cloudwatch_metric_alarm.errors
  to   = module.monitoring.aws_cloudwatch_metric_alarm.this["submission-errors"]
}
moved {
  from = module.submission.aws_cloudwatch_metric_alarm.throttles
  to   = module.monitoring.aws_cloudwatch_metric_alarm.this["submission-throttles"]
}
moved {
  from = module.processing.aws_cloudwatch_metric_alarm.errors
  to   = module.monitoring.aws_cloudwatch_metric_alarm.this["processing-errors"]
}
moved {
  from = module.processing.aws_cloudwatch_metric_alarm.throttles
  to   = module.monitoring.aws_cloudwatch_metric_alarm.this["processing-throttles"]
}
moved {
  from = module.status.aws_cloudwatch_metric_alarm.errors
  to   = module.monitoring.aws_cloudwatch_metric_alarm.this["status-errors"]
}
moved {
  from = module.status.aws_cloudwatch_metric_alarm.throttles
  to   = module.monitoring.aws_cloudwatch_metric_alarm.this["status-throttles"]
}
moved {
  from = module.notification.aws_cloudwatch_metric_alarm.errors
  to   = module.monitoring.aws_cloudwatch_metric_alarm.this["notification-errors"]
}
moved {
  from = module.notification.aws_cloudwatch_metric_alarm.throttles
  to   = module.monitoring.aws_cloudwatch_metric_alarm.this["notification-throttles"]
}
