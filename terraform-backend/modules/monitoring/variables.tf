variable "backend" {
  description = "The backend to monitor. Its prefix begins every alarm's name and is the dashboard's name. Every alarm's description ends with a link to a section of runbook_url."
  type = object({
    prefix           = string
    alerts_topic_arn = string
    runbook_url      = string
    metric_namespace = string
    api_id           = string
    queue_names      = map(string)
    function_names   = map(string)
  })
}

variable "alarms" {
  description = "Alarms by name. An alarm compares one metric, or an expression over several metrics by their ids, with a threshold. A null runbook_section means the alarm's name."
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
    evaluation          = optional(object({ periods = number, datapoints = optional(number) }), { periods = 1 })
    comparison_operator = optional(string, "GreaterThanThreshold")
    threshold           = optional(number, 0)
    treat_missing_data  = optional(string, "notBreaching")
    notify_when_ok      = optional(bool, true)
  }))
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
