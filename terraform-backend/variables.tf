# Settings that can differ between deployments. Constants of the design are in main.tf, with their reasons.

# --- Naming and lookups ---

variable "project" {
  description = "Name of the system, the first part of every resource name and the value of the tag Project."
  type        = string
  default     = "order-processing"
  nullable    = false

  # IAM allows 64 characters for a role name; environment, function and region take up to 37 of them.
  validation {
    condition     = can(regex("^[a-z][a-z0-9-]{0,23}[a-z0-9]$", var.project)) && !strcontains(var.project, "--")
    error_message = "Choose a project name of 2 to 25 lower-case letters, digits and single hyphens that starts with a letter and does not end in a hyphen, e.g. \"order-processing\"."
  }
}

variable "environment" {
  description = "Stage of the deployment, the second part of every resource name and the value of the tag Environment. In prod the table is protected against deletion by default."
  type        = string
  default     = "dev"
  nullable    = false

  validation {
    condition     = contains(["dev", "staging", "prod"], var.environment)
    error_message = "Choose \"dev\", \"staging\" or \"prod\" as environment."
  }
}

variable "aws_region" {
  description = "Region to deploy to, e.g. \"eu-central-1\". Null uses the region of the AWS configuration (AWS_REGION or the profile)."
  type        = string
  default     = null

  validation {
    condition     = var.aws_region == null || can(regex("^[a-z]{2,4}(-[a-z]+)+-[0-9]$", var.aws_region))
    error_message = "Choose a region code such as \"eu-central-1\", or leave aws_region out to use the region of the AWS configuration."
  }
}

variable "kms_key_arn" {
  description = "ARN of a customer-managed KMS key, in the deployment's region, that encrypts every data store. Null uses AWS's keys. The key needs the policy in docs/kms-key-policy.json, or log groups cannot be created and alarms cannot reach the alerts topic."
  type        = string
  default     = null

  validation {
    condition     = var.kms_key_arn == null || can(regex("^arn:aws[a-z-]*:kms:[a-z0-9-]+:[0-9]{12}:key/[A-Za-z0-9-]+$", var.kms_key_arn))
    error_message = "Give the ARN of a KMS key (\"arn:aws:kms:<region>:<account>:key/<id>\"), not its ID or an alias: roles are granted exactly this key. Leave kms_key_arn out to use AWS's keys."
  }
}

variable "permissions_boundary_arn" {
  description = "ARN of an IAM policy that every role gets as its permissions boundary, for accounts that require one. Null sets none."
  type        = string
  default     = null

  validation {
    condition     = var.permissions_boundary_arn == null || can(regex("^arn:aws[a-z-]*:iam::([0-9]{12}|aws):policy/.+$", var.permissions_boundary_arn))
    error_message = "Give the ARN of a managed IAM policy (\"arn:aws:iam::<account>:policy/<name>\"), or leave permissions_boundary_arn out."
  }
}

# --- Storage ---

variable "deletion_protection_enabled" {
  description = "Whether the orders table is protected against deletion. Null protects it in prod only. To destroy a protected deployment, first apply false."
  type        = bool
  default     = null
}

# --- Messaging ---

variable "notification_email" {
  description = "E-mail address that receives every alarm. No alarm arrives before the subscription is confirmed. Confirm it as described in docs/runbook.md. If it is confirmed by the link in AWS's e-mail, anyone with an alarm's e-mail can unsubscribe the address."
  type        = string

  validation {
    condition     = can(regex("^[^@[:space:]<>,;]+@[a-zA-Z0-9-]+([.][a-zA-Z0-9-]+)+$", var.notification_email))
    error_message = "Give one complete e-mail address that somebody reads, e.g. \"shop-operations@example.com\": alarms about failed orders are sent to it."
  }
}

variable "alerts_https_endpoint" {
  description = "HTTPS address of a webhook, such as a pager's, that also receives every alarm, e.g. \"https://events.example.com/sns\". It must confirm the subscription request that SNS sends. Null subscribes none."
  type        = string
  default     = null

  validation {
    condition     = var.alerts_https_endpoint == null || can(regex("^https://[^[:space:]/?#]+([/?][^[:space:]#]*)?$", var.alerts_https_endpoint))
    error_message = "Give an address that starts with https:// and has no spaces or fragment as alerts_https_endpoint, or leave it out."
  }
}

variable "completed_order_email" {
  description = "E-mail address that receives a message for every completed order, for shops with few orders. It must differ from the address for alarms, because SNS deactivates an e-mail subscription above ten messages per second. Null or \"none\" subscribes nobody; other subscribers can use the topic."
  type        = string
  default     = null

  validation {
    condition     = var.completed_order_email == null || can(regex("^none$|^[^@[:space:]<>,;]+@[a-zA-Z0-9-]+([.][a-zA-Z0-9-]+)+$", var.completed_order_email))
    error_message = "Give one complete e-mail address, e.g. \"sales@example.com\", or leave completed_order_email out to subscribe nobody."
  }

  validation {
    condition     = lower(coalesce(var.completed_order_email, "none")) != lower(var.notification_email)
    error_message = "Choose an address other than notification_email as completed_order_email: too many order e-mails make SNS deactivate the address, and alarms would no longer arrive."
  }
}

# --- Functions ---

variable "lambda_architecture" {
  description = "Processor architecture of the functions, \"arm64\" or \"x86_64\". The package contains compiled code and must be built for the same architecture. arm64 costs 20 % less."
  type        = string
  default     = "arm64"
  nullable    = false

  validation {
    condition     = contains(["arm64", "x86_64"], var.lambda_architecture)
    error_message = "Choose \"arm64\" or \"x86_64\" as lambda_architecture."
  }
}

variable "lambda_zip_path" {
  description = "Path of the functions' package. Null uses the package that scripts/build_lambda.py builds for lambda_architecture, ../dist/orders-<lambda_architecture>.zip."
  type        = string
  default     = null

  validation {
    condition     = var.lambda_zip_path == null || can(regex("[.]zip$", var.lambda_zip_path))
    error_message = "Give the path of a .zip file, or leave lambda_zip_path out to use the package that `make build` writes."
  }

  validation {
    condition     = !can(regex("(arm64|x86_64)[.]zip$", var.lambda_zip_path)) || can(regex("${var.lambda_architecture}[.]zip$", var.lambda_zip_path))
    error_message = "The package named by lambda_zip_path is built for the other processor. Set lambda_architecture to the one in its name, or leave lambda_zip_path out."
  }
}

variable "processing_timeout_seconds" {
  description = "Timeout, in seconds, of the processing of one batch. The queue's visibility timeout is six times as long, so this also determines when a failed order is retried."
  type        = number
  default     = 30
  nullable    = false

  validation {
    condition     = var.processing_timeout_seconds >= 2 && var.processing_timeout_seconds <= 900 && floor(var.processing_timeout_seconds) == var.processing_timeout_seconds
    error_message = "Choose a whole number of seconds from 2 to 900 (Lambda's maximum) as processing_timeout_seconds. Below 2, a cold start cannot finish and orders move to the dead-letter queue."
  }
}

variable "processing_maximum_concurrency" {
  description = "Maximum number of batches, of up to ten orders each, that are processed at the same time. Further orders wait in the queue. The default fits a new AWS account, which has 10 concurrent executions: check the account's quota before you raise it."
  type        = number
  default     = 3
  nullable    = false

  validation {
    condition     = var.processing_maximum_concurrency >= 2 && var.processing_maximum_concurrency <= 1000 && floor(var.processing_maximum_concurrency) == var.processing_maximum_concurrency
    error_message = "Choose a whole number from 2 to 1000, the limits of an SQS event source mapping, as processing_maximum_concurrency."
  }
}

variable "processing_batch_window_seconds" {
  description = "Seconds that Lambda gathers orders before it processes a batch that is not full. 0 processes each order at once. A window saves requests while orders are few, but delays each order by up to the window, or by up to 20 seconds if there are very few."
  type        = number
  default     = 0
  nullable    = false

  validation {
    condition     = var.processing_batch_window_seconds >= 0 && var.processing_batch_window_seconds <= 20 && floor(var.processing_batch_window_seconds) == var.processing_batch_window_seconds
    error_message = "Choose a whole number of seconds from 0 to 20 as processing_batch_window_seconds. A longer window would delay customers' orders and save little."
  }
}

variable "processing_reserved_concurrency" {
  description = "Concurrent executions reserved for the processing function. Null shares the account's pool. Lambda rejects a reservation that leaves the account fewer than 100 unreserved executions: the quota must be at least 100 plus both reservations (210 for the prod profile)."
  type        = number
  default     = null

  validation {
    condition     = var.processing_reserved_concurrency == null || try(var.processing_reserved_concurrency >= var.processing_maximum_concurrency && floor(var.processing_reserved_concurrency) == var.processing_reserved_concurrency, false)
    error_message = "Reserve at least processing_maximum_concurrency executions, in whole numbers, for processing: with fewer, throttled deliveries count as receives and valid orders move to the dead-letter queue. Leave processing_reserved_concurrency out to share the account's pool."
  }
}

variable "submission_reserved_concurrency" {
  description = "Concurrent executions reserved for the submission function, which are also its maximum. Null shares the account's pool. Lambda rejects a reservation that leaves the account fewer than 100 unreserved executions: the quota must be at least 100 plus both reservations (210 for the prod profile)."
  type        = number
  default     = null

  validation {
    condition     = var.submission_reserved_concurrency == null || try(var.submission_reserved_concurrency >= 1 && floor(var.submission_reserved_concurrency) == var.submission_reserved_concurrency, false)
    error_message = "Reserve at least 1 execution, in whole numbers, for submission: with 0 every order is rejected. Leave submission_reserved_concurrency out to share the account's pool."
  }
}

variable "notification_parallelization_factor" {
  description = "Maximum number of batches of each stream shard that are announced at the same time. 1 is enough for about 1000 orders per second."
  type        = number
  default     = 1
  nullable    = false

  validation {
    condition     = var.notification_parallelization_factor >= 1 && var.notification_parallelization_factor <= 10 && floor(var.notification_parallelization_factor) == var.notification_parallelization_factor
    error_message = "Choose a whole number from 1 to 10, the limits of a stream's event source mapping, as notification_parallelization_factor."
  }
}

variable "snap_start_enabled" {
  description = "Whether the submission and status functions use Lambda SnapStart, which shortens cold starts. Snapshots and restores are billed. Deploy once without it first: Terraform does not wait for the first version's snapshot, and the API returns 5xx until it is ready."
  type        = bool
  default     = false
  nullable    = false
}

variable "tracing_enabled" {
  description = "Whether AWS X-Ray traces the functions. Traces are billed: for a million orders a month they cost more than storing the orders."
  type        = bool
  default     = false
  nullable    = false
}

# --- Entry point ---

variable "cors_allowed_origins" {
  description = "Origins whose pages may call the API from a browser: \"*\" for any, or the storefront's, e.g. \"https://shop.example.com\". The default lets any web page place orders; the staging and prod profiles name the storefront."
  type        = list(string)
  default     = ["*"]
  nullable    = false

  validation {
    condition     = length(var.cors_allowed_origins) > 0 && alltrue([for origin in var.cors_allowed_origins : origin == "*" || can(regex("^[a-z][a-z0-9+.-]*://[a-z0-9]([a-z0-9.-]*[a-z0-9])?(:[0-9]{1,5})?$", origin))])
    error_message = "Name at least one origin in cors_allowed_origins, each as \"*\" or as a browser sends it: scheme://host[:port] in lower case, without path or trailing slash, e.g. \"https://shop.example.com\". With any other form, no browser can place an order."
  }
}

variable "jwt_issuer" {
  description = "Issuer of the tokens (JWT) that both routes require, exactly as in the claim iss, e.g. \"https://cognito-idp.eu-central-1.amazonaws.com/eu-central-1_AbCdEfGhI\". Null requires no token, so anyone can place orders. API Gateway reads <jwt_issuer>/.well-known/openid-configuration when you deploy. This project's storefront sends no token."
  type        = string
  default     = null

  validation {
    condition     = var.jwt_issuer == null || can(regex("^https://[A-Za-z0-9]([A-Za-z0-9.-]*[A-Za-z0-9])?(:[0-9]{1,5})?(/[^[:space:]?#]*)?$", var.jwt_issuer))
    error_message = "Give the issuer as an https:// address without spaces, query or fragment, exactly as in the claim iss of its tokens, or leave jwt_issuer out to require no token."
  }
}

variable "jwt_audience" {
  description = "Applications whose tokens are accepted, as in the claim aud or client_id, e.g. the ID of an app client. Required with jwt_issuer."
  type        = list(string)
  default     = []
  nullable    = false

  validation {
    condition     = alltrue([for audience in var.jwt_audience : can(regex("^[^[:space:],]+$", audience))])
    error_message = "Name each application of jwt_audience as in the tokens' claim aud or client_id, without spaces and commas."
  }

  validation {
    condition     = (var.jwt_issuer == null) == (length(var.jwt_audience) == 0) && (var.jwt_issuer != null || var.jwt_customer_claim == "sub")
    error_message = "Give both jwt_issuer and jwt_audience, or neither, and jwt_customer_claim only with them: without an issuer, no token is required and no claim is compared; without an audience, the API would also accept tokens for other applications."
  }
}

variable "jwt_customer_claim" {
  description = "Claim of the token that holds the customer's ID. With jwt_issuer, customers place orders only under this customer_id and read only their own stored orders. It must be a valid customer_id; Auth0's sub, for example, is not."
  type        = string
  default     = "sub"
  nullable    = false

  validation {
    condition     = can(regex("^[A-Za-z0-9_:/.-]{1,50}$", var.jwt_customer_claim))
    error_message = "Name a claim of 1 to 50 letters, digits, underscores, colons, slashes, dots or hyphens as jwt_customer_claim, e.g. \"sub\" or \"custom:customer_id\"."
  }
}

variable "api_domain_name" {
  description = "Domain of the API, e.g. \"api.shop.example.com\". API Gateway's default address is then disabled. Null keeps the default address."
  type        = string
  default     = null

  validation {
    condition     = var.api_domain_name == null || can(regex("^([a-z0-9]([a-z0-9-]{0,61}[a-z0-9])?[.])+[a-z]{2,63}$", var.api_domain_name))
    error_message = "Give one complete name in lower case without wildcard, scheme, port or slash, e.g. \"api.shop.example.com\", as api_domain_name."
  }
}

variable "api_certificate_arn" {
  description = "ARN of the AWS Certificate Manager certificate for api_domain_name, in the deployment's region. Required with api_domain_name."
  type        = string
  default     = null

  validation {
    condition     = var.api_certificate_arn == null || can(regex("^arn:aws[a-z-]*:acm:[a-z0-9-]+:[0-9]{12}:certificate/[A-Za-z0-9-]+$", var.api_certificate_arn))
    error_message = "Give the ARN of a certificate (\"arn:aws:acm:<region>:<account>:certificate/<id>\") as api_certificate_arn, or leave it out."
  }

  validation {
    condition     = (var.api_domain_name == null) == (var.api_certificate_arn == null) && (var.api_domain_name != null || var.api_hosted_zone_id == null)
    error_message = "Give both api_domain_name and api_certificate_arn, or neither: API Gateway serves a domain only with its certificate. Give api_hosted_zone_id only with them: without a domain, no record is created."
  }
}

variable "api_hosted_zone_id" {
  description = "Route 53 hosted zone in which to create the records of api_domain_name, for IPv4 and IPv6. Null creates none."
  type        = string
  default     = null

  validation {
    condition     = var.api_hosted_zone_id == null || can(regex("^Z[A-Z0-9]{1,31}$", var.api_hosted_zone_id))
    error_message = "Give the ID of a hosted zone (\"Z0123456789ABCDEFGHIJ\") as api_hosted_zone_id, or leave it out."
  }
}

variable "api_throttling_rate_limit" {
  description = "Requests per second that each route accepts continuously, unless it has its own limit. Further requests are rejected with 429. This limits the cost of a flood."
  type        = number
  default     = 500
  nullable    = false

  validation {
    condition     = alltrue([for limit in [var.api_throttling_rate_limit, var.submission_throttling_rate_limit, var.status_throttling_rate_limit] : limit == null || try(limit >= 1 && limit <= 10000, false)])
    error_message = "Choose 1 to 10000 requests per second (the account's quota) as api_, submission_ and status_throttling_rate_limit: with 0 every order or status request is rejected."
  }
}

variable "api_throttling_burst_limit" {
  description = "Requests that each route accepts in a burst before api_throttling_rate_limit applies."
  type        = number
  default     = 1000
  nullable    = false

  validation {
    condition     = alltrue([for limit in [var.api_throttling_burst_limit, var.submission_throttling_burst_limit, var.status_throttling_burst_limit] : limit == null || try(limit >= 1 && limit <= 5000 && floor(limit) == limit, false)])
    error_message = "Choose a whole number from 1 to 5000 (the account's quota) as api_, submission_ and status_throttling_burst_limit: with 0 every order or status request is rejected."
  }
}

variable "submission_throttling_rate_limit" {
  description = "Requests per second that POST /orders accepts continuously. Null uses api_throttling_rate_limit."
  type        = number
  default     = null
}

variable "submission_throttling_burst_limit" {
  description = "Requests that POST /orders accepts in a burst. Null uses api_throttling_burst_limit."
  type        = number
  default     = null
}

variable "status_throttling_rate_limit" {
  description = "Requests per second that GET /orders/{order_id} accepts continuously. The storefront polls about once per second until an order is processed. Null uses api_throttling_rate_limit."
  type        = number
  default     = null
}

variable "status_throttling_burst_limit" {
  description = "Requests that GET /orders/{order_id} accepts in a burst. Null uses api_throttling_burst_limit."
  type        = number
  default     = null
}

# --- Monitoring ---

variable "log_retention_days" {
  description = "Days to keep every log. More days cost more storage; fewer leave less to investigate after a failure."
  type        = number
  default     = 30
  nullable    = false

  validation {
    condition     = contains([1, 3, 5, 7, 14, 30, 60, 90, 120, 150, 180, 365, 400, 545, 731, 1096, 1827, 2192, 2557, 2922, 3288, 3653], var.log_retention_days)
    error_message = "Choose one of CloudWatch's retention periods as log_retention_days: 1, 3, 5, 7, 14, 30, 60, 90, 120, 150, 180, 365, 400, 545, 731, 1096, 1827, 2192, 2557, 2922, 3288 or 3653."
  }
}

variable "runbook_url" {
  description = "HTTPS address of the runbook, linked by every alarm. The default is its path in the repository."
  type        = string
  default     = "docs/runbook.md"
  nullable    = false

  # With the longest names, an alarm's text and this URL fit into CloudWatch's 1024 characters.
  validation {
    condition     = can(regex("^(docs/runbook[.]md|https://[^[:space:]#]{1,292})$", var.runbook_url))
    error_message = "Give an https address of at most 300 characters, without a fragment, as runbook_url, e.g. \"https://github.com/your-shop/order-processing-system/blob/main/docs/runbook.md\": each alarm appends the name of its section."
  }
}

variable "latency_alarm_threshold_ms" {
  description = "API p99 latency, in milliseconds, that raises an alarm when exceeded in three of five minutes. The default is longer than a cold start."
  type        = number
  default     = 3000
  nullable    = false

  validation {
    condition     = var.latency_alarm_threshold_ms >= 100 && var.latency_alarm_threshold_ms <= 29000
    error_message = "Choose 100 to 29000 milliseconds as latency_alarm_threshold_ms. Below 100, a healthy API raises the alarm. The API times out after 30000, so a higher threshold would never raise it."
  }
}

variable "no_orders_alarm_minutes" {
  description = "Minutes without an accepted order after which an alarm is raised. Choose more than the shop's longest ordinary pause. The time before the alarm exists counts as time without orders. Null creates no such alarm."
  type        = number
  default     = null

  validation {
    condition     = var.no_orders_alarm_minutes == null || try(var.no_orders_alarm_minutes >= 5 && var.no_orders_alarm_minutes <= 1440 && floor(var.no_orders_alarm_minutes) == var.no_orders_alarm_minutes, false)
    error_message = "Choose a whole number of minutes from 5 to 1440 as no_orders_alarm_minutes, or leave it out if hours without an order are normal. Below 5, any pause raises the alarm. CloudWatch evaluates one day at most."
  }
}

variable "orders_alarm_per_minute" {
  description = "Accepted orders per minute that raise an alarm when exceeded in three of five minutes. Choose several times your busiest minute."
  type        = number
  default     = 600
  nullable    = false

  validation {
    condition     = min(var.orders_alarm_per_minute, var.requests_alarm_per_minute, var.client_errors_alarm_per_minute) >= 1
    error_message = "Choose a number of at least 1 as orders_, requests_ and client_errors_alarm_per_minute."
  }
}

variable "requests_alarm_per_minute" {
  description = "Requests per minute, of any kind, that raise an alarm when exceeded in three of five minutes. The storefront sends several requests for each order."
  type        = number
  default     = 6000
  nullable    = false
}

variable "client_errors_alarm_per_minute" {
  description = "Responses per minute with a 4xx status, including 429, that raise an alarm when exceeded in three of five minutes."
  type        = number
  default     = 300
  nullable    = false
}
