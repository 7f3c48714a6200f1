variable "name" {
  description = "Role of the function, e.g. \"submission\". The last part of every name, and the name of the handler's module."
  type        = string
}

variable "description" {
  description = "Description of the function in the console."
  type        = string
}

variable "memory_size_mb" {
  description = "Memory in MB. CPU is proportional to it."
  type        = number
}

variable "timeout_seconds" {
  description = "Timeout of an invocation, in seconds."
  type        = number
}

variable "reserved_concurrency" {
  description = "Concurrent executions reserved for the function. Null shares the account's pool."
  type        = number
  default     = null
}

variable "snap_start_enabled" {
  description = "Whether published versions use SnapStart."
  type        = bool
  default     = false
}

variable "environment_variables" {
  description = "Environment variables with the address of the function's queue, table or topic."
  type        = map(string)
}

variable "policy_json" {
  description = "Policy document with the function's permissions, except those for its log and traces."
  type        = string
}

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
