variable "shared" {
  description = "Settings that all functions of a deployment share."
  type = object({
    prefix                   = string
    zip_path                 = string
    architecture             = string
    assume_role_policy_json  = string
    permissions_boundary_arn = optional(string)
    kms_key_arn              = optional(string)
    log_retention_days       = number
    tracing_enabled          = bool
  })
}

variable "function" {
  description = "The function. Its name is the last part of every resource name, and the name of the handler's module. permissions, by Sid, are granted to its role in addition to logs and traces. key_permissions, by Sid, are actions on the customer-managed key."
  type = object({
    name                  = string
    description           = string
    memory_size_mb        = number
    timeout_seconds       = number
    reserved_concurrency  = optional(number)
    snap_start_enabled    = optional(bool, false)
    environment_variables = map(string)
    permissions           = map(object({ actions = list(string), resources = list(string) }))
    key_permissions       = optional(map(list(string)), {})
  })
}
