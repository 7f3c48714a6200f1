variable "name" {
  description = "The function's part in the life of an order, e.g. \"submission\": last part of every name and name of the handler's module."
  type        = string
}

variable "description" {
  description = "What the function does, for whoever meets it in the console."
  type        = string
}

variable "memory_size_mb" {
  description = "Memory in MB; the share of a processor grows with it."
  type        = number
}

variable "timeout_seconds" {
  description = "Longest time an invocation may take, in seconds."
  type        = number
}

variable "reserved_concurrency" {
  description = "Concurrent executions reserved for the function. Null shares the account's pool."
  type        = number
  default     = null
}

variable "snap_start_enabled" {
  description = "Whether published versions start from a snapshot of the initialized function."
  type        = bool
  default     = false
}

variable "environment_variables" {
  description = "Environment variables that tell the function where its queue, table or topic is."
  type        = map(string)
}

variable "policy_json" {
  description = "Policy document with what this function may do beyond writing its log and its traces."
  type        = string
}

variable "shared" {
  description = "What all functions of a deployment have in common."
  type = object({
    prefix                   = string
    zip_path                 = string
    architecture             = string
    assume_role_policy_json  = string
    permissions_boundary_arn = optional(string)
    kms_key_arn              = optional(string)
    log_retention_days       = number
  })
}
