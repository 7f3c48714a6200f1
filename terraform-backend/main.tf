# The backend of the order processing system, in dependency order:
#
#   entry point ── submission ── orders queue ── processing ── orders table ── notification ── order-completed
#   (HTTP API)  └─ status ────────────────────────────────────────┘

# --- Naming and lookups ---

data "aws_caller_identity" "current" {}

data "aws_partition" "current" {}

data "aws_region" "current" {}

locals {
  # The first part of every name, so several deployments fit into one account.
  prefix = "${var.project}-${var.environment}"

  queue_names = {
    orders            = "${local.prefix}-orders"
    orders_dlq        = "${local.prefix}-orders-dlq"
    notifications_dlq = "${local.prefix}-notifications-dlq"
  }

  maximum_receives = 5

  # Composed from names, because a queue's policy contains the queue's own ARN, and orders and orders_dlq refer to each other. The
  # alternative, separate policy resources, makes the provider wait 25 s for each.
  sqs_arn    = "arn:${data.aws_partition.current.partition}:sqs:${data.aws_region.current.name}:${data.aws_caller_identity.current.account_id}"
  queue_arns = { for queue, name in local.queue_names : queue => "${local.sqs_arn}:${name}" }
}

# --- Storage ---

resource "aws_dynamodb_table" "orders" {
  name         = "${local.prefix}-orders"
  billing_mode = "PAY_PER_REQUEST" # no cost while there are no orders
  hash_key     = "order_id"

  # `destroy` starts with the table. If it is protected, the failure also keeps the queues with their orders.
  depends_on = [aws_sqs_queue.orders, aws_sqs_queue.orders_dlq]

  attribute {
    name = "order_id"
    type = "S"
  }

  attribute {
    name = "customer_id"
    type = "S"
  }

  attribute {
    name = "submitted_at"
    type = "S"
  }

  # For `orders list --customer`.
  global_secondary_index {
    name            = "by_customer"
    hash_key        = "customer_id"
    range_key       = "submitted_at"
    projection_type = "ALL"
  }

  # Orders are never changed, so the new image is enough.
  stream_enabled   = true
  stream_view_type = "NEW_IMAGE"

  deletion_protection_enabled = coalesce(var.deletion_protection_enabled, var.environment == "prod")

  point_in_time_recovery {
    enabled = true
  }

  server_side_encryption {
    enabled     = true
    kms_key_arn = var.kms_key_arn
  }
}

# --- Messaging: queues ---

data "aws_iam_policy_document" "secure_transport" {
  for_each = merge(
    { for queue, arn in local.queue_arns : queue => { action = "sqs:*", arn = arn } },
    {
      alerts          = { action = "sns:Publish", arn = aws_sns_topic.alerts.arn }
      order_completed = { action = "sns:Publish", arn = aws_sns_topic.order_completed.arn }
    },
  )

  statement {
    sid       = "DenyInsecureTransport"
    effect    = "Deny"
    actions   = [each.value.action]
    resources = [each.value.arn]

    principals {
      type        = "*"
      identifiers = ["*"]
    }

    condition {
      test     = "Bool"
      variable = "aws:SecureTransport"
      values   = ["false"]
    }
  }
}

resource "aws_sqs_queue" "orders" {
  name = local.queue_names.orders

  # AWS's minimum for a function's queue: six times its timeout, plus the batch window. A batch that timed out or was
  # throttled is not delivered again while the first delivery may still be in progress. With any window, Lambda may
  # gather a batch for 20 s.
  visibility_timeout_seconds = 6 * var.processing_timeout_seconds + (var.processing_batch_window_seconds == 0 ? 0 : 20)

  message_retention_seconds = 4 * 24 * 60 * 60 # covers a long weekend
  receive_wait_time_seconds = 20               # long polling
  max_message_size          = 256 * 1024       # a message is an order of at most 16 KiB

  kms_master_key_id       = var.kms_key_arn
  sqs_managed_sse_enabled = var.kms_key_arn == null ? true : null

  policy = data.aws_iam_policy_document.secure_transport["orders"].json

  redrive_policy = jsonencode({
    deadLetterTargetArn = aws_sqs_queue.orders_dlq.arn # must be created first
    maxReceiveCount     = local.maximum_receives
  })
}

resource "aws_sqs_queue" "orders_dlq" {
  name = local.queue_names.orders_dlq

  # SQS's maximum. A message keeps its age when it is moved, so at least ten days remain.
  message_retention_seconds = 14 * 24 * 60 * 60
  receive_wait_time_seconds = 20
  max_message_size          = 256 * 1024

  kms_master_key_id       = var.kms_key_arn
  sqs_managed_sse_enabled = var.kms_key_arn == null ? true : null

  policy = data.aws_iam_policy_document.secure_transport["orders_dlq"].json

  redrive_allow_policy = jsonencode({
    redrivePermission = "byQueue"
    sourceQueueArns   = [local.queue_arns.orders]
  })
}

# Stream positions of permanently failed notifications. The orders are in the table.
resource "aws_sqs_queue" "notifications_dlq" {
  name = local.queue_names.notifications_dlq

  message_retention_seconds = 14 * 24 * 60 * 60
  receive_wait_time_seconds = 20
  max_message_size          = 256 * 1024

  kms_master_key_id       = var.kms_key_arn
  sqs_managed_sse_enabled = var.kms_key_arn == null ? true : null

  policy = data.aws_iam_policy_document.secure_transport["notifications_dlq"].json

  redrive_allow_policy = jsonencode({ redrivePermission = "denyAll" })
}

# --- Messaging: topics ---

# Without a customer-managed key the topic is not encrypted: CloudWatch cannot publish alarms with SNS's AWS-managed key.
resource "aws_sns_topic" "alerts" {
  name              = "${local.prefix}-alerts"
  display_name      = "Alerts of ${local.prefix}"
  kms_master_key_id = var.kms_key_arn
}

data "aws_iam_policy_document" "alerts" {
  source_policy_documents = [data.aws_iam_policy_document.secure_transport["alerts"].json]

  statement {
    sid       = "AcceptAlarmsOfThisAccount"
    actions   = ["sns:Publish"]
    resources = [aws_sns_topic.alerts.arn]

    principals {
      type        = "Service"
      identifiers = ["cloudwatch.amazonaws.com"]
    }

    condition {
      test     = "StringEquals"
      variable = "aws:SourceAccount"
      values   = [data.aws_caller_identity.current.account_id]
    }
  }
}

resource "aws_sns_topic_policy" "alerts" {
  arn    = aws_sns_topic.alerts.arn
  policy = data.aws_iam_policy_document.alerts.json
}

resource "aws_sns_topic_subscription" "alerts_email" {
  topic_arn = aws_sns_topic.alerts.arn
  protocol  = "email"
  endpoint  = var.notification_email
}

# A second channel, because SNS stops sending to an e-mail address that unsubscribed or bounced.
resource "aws_sns_topic_subscription" "alerts_https" {
  count = var.alerts_https_endpoint == null ? 0 : 1

  topic_arn = aws_sns_topic.alerts.arn
  protocol  = "https"
  endpoint  = var.alerts_https_endpoint
}

resource "aws_sns_topic" "order_completed" {
  name              = "${local.prefix}-order-completed"
  display_name      = "Completed orders of ${local.prefix}"
  kms_master_key_id = var.kms_key_arn
}

resource "aws_sns_topic_policy" "order_completed" {
  arn    = aws_sns_topic.order_completed.arn
  policy = data.aws_iam_policy_document.secure_transport["order_completed"].json
}

resource "aws_sns_topic_subscription" "order_completed_email" {
  count = coalesce(var.completed_order_email, "none") == "none" ? 0 : 1

  topic_arn = aws_sns_topic.order_completed.arn
  protocol  = "email"
  endpoint  = var.completed_order_email
}

# --- Functions: shared settings ---

locals {
  lambda_zip_path = coalesce(var.lambda_zip_path, "../dist/orders-${var.lambda_architecture}.zip")

  function_settings = {
    prefix                   = local.prefix
    zip_path                 = local.lambda_zip_path
    architecture             = var.lambda_architecture
    assume_role_policy_json  = data.aws_iam_policy_document.function_trust.json
    permissions_boundary_arn = var.permissions_boundary_arn
    kms_key_arn              = var.kms_key_arn
    log_retention_days       = var.log_retention_days
    tracing_enabled          = var.tracing_enabled
  }

  # Submission and status compare this claim with the order's customer_id.
  customer_claim = var.jwt_issuer == null ? {} : { JWT_CUSTOMER_CLAIM = var.jwt_customer_claim }
}

data "aws_iam_policy_document" "function_trust" {
  statement {
    sid     = "AssumeRole"
    actions = ["sts:AssumeRole"]

    principals {
      type        = "Service"
      identifiers = ["lambda.amazonaws.com"]
    }
  }

  # Every function depends on this document, so a missing package is reported once.
  lifecycle {
    precondition {
      condition     = fileexists(local.lambda_zip_path)
      error_message = "The Lambda package ${local.lambda_zip_path} does not exist. Build it in the project's folder with `make build TARGET=${var.lambda_architecture}`, or set lambda_zip_path if it is elsewhere."
    }
  }
}

# --- Functions: order submission ---

module "submission" {
  source = "./modules/function"
  shared = local.function_settings

  function = {
    name        = "submission"
    description = "Validates an order and puts it into the orders queue."

    # A customer waits for it. CPU limits a cold start, and Lambda allocates CPU in proportion to memory.
    memory_size_mb = 1024

    # More than the 13 s that the function waits for SQS, and less than the API's limit of 30 s, so the function
    # responds with 503 if the queue is slow.
    timeout_seconds = 15

    reserved_concurrency  = var.submission_reserved_concurrency
    snap_start_enabled    = var.snap_start_enabled
    environment_variables = merge(local.customer_claim, { ORDERS_QUEUE_URL = aws_sqs_queue.orders.url })

    permissions = {
      QueueOrders = { actions = ["sqs:SendMessage"], resources = [local.queue_arns.orders] }
    }
    key_permissions = { EncryptQueuedOrders = ["kms:GenerateDataKey"] }
  }
}

# --- Functions: order processing ---

module "processing" {
  source = "./modules/function"
  shared = local.function_settings

  function = {
    name        = "processing"
    description = "Stores queued orders exactly once."

    # No customer waits for it, and it mostly waits for DynamoDB.
    memory_size_mb  = 512
    timeout_seconds = var.processing_timeout_seconds

    reserved_concurrency  = var.processing_reserved_concurrency
    environment_variables = { ORDERS_TABLE_NAME = aws_dynamodb_table.orders.name }

    permissions = {
      ReceiveOrders = {
        actions   = ["sqs:DeleteMessage", "sqs:GetQueueAttributes", "sqs:ReceiveMessage"]
        resources = [local.queue_arns.orders]
      }
      # Inserts only: no function can change or delete an order.
      StoreOrders = {
        actions   = ["dynamodb:BatchGetItem", "dynamodb:PartiQLInsert"]
        resources = [aws_dynamodb_table.orders.arn]
      }
    }
    key_permissions = { EncryptStoredOrders = ["kms:DescribeKey", "kms:Encrypt", "kms:GenerateDataKey"] }
  }
}

resource "aws_lambda_event_source_mapping" "orders" {
  event_source_arn = aws_sqs_queue.orders.arn
  function_name    = module.processing.alias_arn

  batch_size                         = 10 # SQS's maximum without a window
  maximum_batching_window_in_seconds = var.processing_batch_window_seconds
  function_response_types            = ["ReportBatchItemFailures"]

  # Without a limit the mapping scales until it is throttled, and each throttled delivery uses up one of five receives.
  scaling_config {
    maximum_concurrency = var.processing_maximum_concurrency
  }
}

# --- Functions: order status ---

module "status" {
  source = "./modules/function"
  shared = local.function_settings

  function = {
    name                  = "status"
    description           = "Returns the state of an order."
    memory_size_mb        = 1024 # a customer waits, as for submission
    timeout_seconds       = 15
    snap_start_enabled    = var.snap_start_enabled
    environment_variables = merge(local.customer_claim, { ORDERS_TABLE_NAME = aws_dynamodb_table.orders.name })

    permissions = {
      ReadOrders = { actions = ["dynamodb:GetItem"], resources = [aws_dynamodb_table.orders.arn] }
    }
  }
}

# --- Functions: order notification ---

module "notification" {
  source = "./modules/function"
  shared = local.function_settings

  function = {
    name                  = "notification"
    description           = "Announces completed orders."
    memory_size_mb        = 512
    timeout_seconds       = 30 # SNS may respond slowly
    environment_variables = { ORDER_COMPLETED_TOPIC_ARN = aws_sns_topic.order_completed.arn }

    permissions = {
      ReadStoredOrders = {
        actions   = ["dynamodb:DescribeStream", "dynamodb:GetRecords", "dynamodb:GetShardIterator"]
        resources = [aws_dynamodb_table.orders.stream_arn]
      }
      ListStreamsOfOrders = {
        actions   = ["dynamodb:ListStreams"]
        resources = ["${aws_dynamodb_table.orders.arn}/stream/*"]
      }
      AnnounceCompletedOrders = { actions = ["sns:Publish"], resources = [aws_sns_topic.order_completed.arn] }
      KeepFailedNotifications = { actions = ["sqs:SendMessage"], resources = [local.queue_arns.notifications_dlq] }
    }
    key_permissions = { EncryptNotifications = ["kms:GenerateDataKey"] }
  }
}

resource "aws_lambda_event_source_mapping" "stored_orders" {
  event_source_arn = aws_dynamodb_table.orders.stream_arn
  function_name    = module.notification.alias_arn

  batch_size                         = 10
  maximum_batching_window_in_seconds = 5 # saves invocations and publishes; orders are already stored
  parallelization_factor             = var.notification_parallelization_factor
  function_response_types            = ["ReportBatchItemFailures"]
  starting_position                  = "TRIM_HORIZON" # LATEST could miss orders stored while the mapping starts

  # A failing record blocks its shard. Lambda splits the batch and retries for at most an hour.
  bisect_batch_on_function_error = true
  maximum_retry_attempts         = 10
  maximum_record_age_in_seconds  = 60 * 60

  filter_criteria {
    filter {
      pattern = jsonencode({ eventName = ["INSERT"] })
    }
  }

  destination_config {
    on_failure {
      destination_arn = aws_sqs_queue.notifications_dlq.arn
    }
  }
}

# --- Entry point ---

resource "aws_apigatewayv2_api" "orders" {
  name          = "${local.prefix}-orders"
  description   = "Accepts orders and returns their state."
  protocol_type = "HTTP"

  disable_execute_api_endpoint = var.api_domain_name != null

  cors_configuration {
    allow_origins  = var.cors_allowed_origins
    allow_methods  = ["GET", "POST"]
    allow_headers  = concat(["content-type", "idempotency-key"], var.jwt_issuer == null ? [] : ["authorization"])
    expose_headers = ["location", "retry-after"]
    max_age        = 60 * 60
  }
}

# Requires a token before a function is called. API Gateway responds to preflight requests itself, because
# they have no token.
resource "aws_apigatewayv2_authorizer" "jwt" {
  count = var.jwt_issuer == null ? 0 : 1

  api_id           = aws_apigatewayv2_api.orders.id
  name             = "${local.prefix}-orders"
  authorizer_type  = "JWT"
  identity_sources = ["$request.header.Authorization"]

  jwt_configuration {
    issuer   = var.jwt_issuer
    audience = var.jwt_audience
  }

  # API Gateway does not delete an authorizer that a route uses.
  lifecycle {
    create_before_destroy = true
  }
}

# With the prefix /aws/vendedlogs/, a log group adds nothing to the account's log delivery policy, which has a size limit.
resource "aws_cloudwatch_log_group" "access" {
  name              = "/aws/vendedlogs/apigateway/${local.prefix}-orders"
  retention_in_days = var.log_retention_days
  kms_key_id        = var.kms_key_arn
}

locals {
  route_limits = {
    (aws_apigatewayv2_route.submission.route_key) = [var.submission_throttling_rate_limit, var.submission_throttling_burst_limit]
    (aws_apigatewayv2_route.status.route_key)     = [var.status_throttling_rate_limit, var.status_throttling_burst_limit]
  }
}

resource "aws_apigatewayv2_stage" "default" {
  api_id      = aws_apigatewayv2_api.orders.id
  name        = "$default"
  description = "Serves the API at the root of its address."
  auto_deploy = true

  # Metrics per route would cost more than all other metrics. The functions' metrics separate the routes for free.
  default_route_settings {
    throttling_rate_limit  = var.api_throttling_rate_limit
    throttling_burst_limit = var.api_throttling_burst_limit
  }

  # A route's settings replace all settings of the stage.
  dynamic "route_settings" {
    for_each = { for route, limits in local.route_limits : route => limits if limits[0] != null || limits[1] != null }

    content {
      route_key              = route_settings.key
      throttling_rate_limit  = coalesce(route_settings.value[0], var.api_throttling_rate_limit)
      throttling_burst_limit = coalesce(route_settings.value[1], var.api_throttling_burst_limit)
    }
  }

  # request_id is also in the functions' logs and in every error response.
  access_log_settings {
    destination_arn = aws_cloudwatch_log_group.access.arn
    format = jsonencode({
      request_id          = "$context.requestId"
      time                = "$context.requestTime"
      source_ip           = "$context.identity.sourceIp"
      user_agent          = "$context.identity.userAgent"
      method              = "$context.httpMethod"
      path                = "$context.path"
      route               = "$context.routeKey"
      status              = "$context.status"
      response_bytes      = "$context.responseLength"
      response_latency_ms = "$context.responseLatency"
      function_latency_ms = "$context.integrationLatency"
      function_status     = "$context.integration.status"
      lambda_status       = "$context.integration.integrationStatus"
      function_error      = "$context.integrationErrorMessage"
      error               = "$context.error.message"
    })
  }
}

resource "aws_apigatewayv2_integration" "submission" {
  api_id                 = aws_apigatewayv2_api.orders.id
  integration_type       = "AWS_PROXY"
  integration_uri        = module.submission.alias_invoke_arn
  payload_format_version = "2.0"
}

resource "aws_apigatewayv2_route" "submission" {
  api_id    = aws_apigatewayv2_api.orders.id
  route_key = "POST /orders"

  authorization_type = var.jwt_issuer == null ? "NONE" : "JWT"
  authorizer_id      = one(aws_apigatewayv2_authorizer.jwt[*].id)

  target = "integrations/${aws_apigatewayv2_integration.submission.id}"
}

resource "aws_lambda_permission" "submission" {
  statement_id  = "InvokeFromOrdersApi"
  action        = "lambda:InvokeFunction"
  function_name = module.submission.function_name
  qualifier     = module.submission.alias_name
  principal     = "apigateway.amazonaws.com"
  source_arn    = "${aws_apigatewayv2_api.orders.execution_arn}/*/POST/orders"
}

resource "aws_apigatewayv2_integration" "status" {
  api_id                 = aws_apigatewayv2_api.orders.id
  integration_type       = "AWS_PROXY"
  integration_uri        = module.status.alias_invoke_arn
  payload_format_version = "2.0"
}

resource "aws_apigatewayv2_route" "status" {
  api_id    = aws_apigatewayv2_api.orders.id
  route_key = "GET /orders/{order_id}"

  authorization_type = var.jwt_issuer == null ? "NONE" : "JWT"
  authorizer_id      = one(aws_apigatewayv2_authorizer.jwt[*].id)

  target = "integrations/${aws_apigatewayv2_integration.status.id}"
}

resource "aws_lambda_permission" "status" {
  statement_id  = "InvokeFromOrdersApi"
  action        = "lambda:InvokeFunction"
  function_name = module.status.function_name
  qualifier     = module.status.alias_name
  principal     = "apigateway.amazonaws.com"
  source_arn    = "${aws_apigatewayv2_api.orders.execution_arn}/*/GET/orders/*"
}

resource "aws_apigatewayv2_domain_name" "orders" {
  count = var.api_domain_name == null ? 0 : 1

  domain_name = var.api_domain_name

  domain_name_configuration {
    certificate_arn = var.api_certificate_arn
    endpoint_type   = "REGIONAL" # The only type of an HTTP API.
    security_policy = "TLS_1_2"
    ip_address_type = "dualstack"
  }
}

resource "aws_apigatewayv2_api_mapping" "orders" {
  count = var.api_domain_name == null ? 0 : 1

  api_id      = aws_apigatewayv2_api.orders.id
  domain_name = aws_apigatewayv2_domain_name.orders[0].id
  stage       = aws_apigatewayv2_stage.default.id

  # A new domain works before the old one is removed.
  lifecycle {
    create_before_destroy = true
  }
}

resource "aws_route53_record" "orders" {
  for_each = var.api_hosted_zone_id == null ? [] : toset(["A", "AAAA"])

  zone_id = var.api_hosted_zone_id
  name    = var.api_domain_name
  type    = each.key

  alias {
    name                   = aws_apigatewayv2_domain_name.orders[0].domain_name_configuration[0].target_domain_name
    zone_id                = aws_apigatewayv2_domain_name.orders[0].domain_name_configuration[0].hosted_zone_id
    evaluate_target_health = false
  }

  lifecycle {
    create_before_destroy = true
  }
}
