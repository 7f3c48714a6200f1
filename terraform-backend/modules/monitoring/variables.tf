variable "prefix" {
  description = "First part of every alarm's name, and name of the dashboard."
  type        = string
}

variable "alerts_topic_arn" {
  description = "Topic that every alarm notifies."
  type        = string
}

variable "runbook_url" {
  description = "Address of the runbook. Every alarm's description ends with a link to one of its sections."
  type        = string
}

variable "alarms" {
  description = <<-EOT
    Alarms by name. An alarm compares one metric, or an expression over several metrics by their ids, with a threshold.
    It is raised when datapoints_to_alarm of the last evaluation_periods datapoints breach; null means all of them.
    runbook_section is the section's anchor in the runbook; null means the alarm's name.
  EOT
  type = map(object({
    description     = string
    runbook_section = optional(string)

    metric = optional(object({
      namespace  = string
      name       = string
      dimensions = optional(map(string))
      statistic  = optional(string, "Sum")
    }))
    metrics    = optional(map(object({ namespace = string, name = string })), {})
    expression = optional(string)

    period_seconds      = optional(number, 60)
    evaluation_periods  = optional(number, 1)
    datapoints_to_alarm = optional(number)
    comparison_operator = optional(string, "GreaterThanThreshold")
    threshold           = optional(number, 0)
    treat_missing_data  = optional(string, "notBreaching")
    notify_when_ok      = optional(bool, true)
  }))

  validation {
    condition     = alltrue([for alarm in var.alarms : (alarm.metric == null) != (alarm.expression == null)])
    error_message = "Give each alarm either a metric, or an expression over metrics."
  }
}

variable "metric_namespace" {
  description = "Namespace of the metrics that are counted from the logs."
  type        = string
}

variable "metric_filters" {
  description = "Metrics counted from the logs, by the filter's name. A null metric_name means the filter's name. With has_zeros, the metric has a value in each minute with a log event. A metric is billed for each hour with a value."
  type = map(object({
    log_group_name = string
    pattern        = string
    metric_name    = optional(string)
    has_zeros      = optional(bool, false)
  }))
}

variable "api_id" {
  description = "ID of the API, for the dashboard."
  type        = string
}

variable "queue_names" {
  description = "Names of the queues orders, orders_dlq and notifications_dlq, for the dashboard."
  type        = map(string)
}

variable "function_names" {
  description = "Names of the functions submission, processing, status and notification, for the dashboard."
  type        = map(string)
}
