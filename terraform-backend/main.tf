# The backend of the order processing system, in order of dependence:
#
#   entry point ── submission ── orders queue ── processing ── orders table ── notification ── order-completed
#   (HTTP API)  └─ status ────────────────────────────────────────┘
#
# Its monitoring is in monitoring.tf.

################################################################################
# Naming and lookups
################################################################################

data "aws_caller_identity" "current" {}

data "aws_partition" "current" {}

data "aws_region" "current" {}

locals {
  # First part of every name, so that several deployments live in one account.
  prefix = "${var.project}-${var.environment}"

  queue_names = {
    orders            = "${local.prefix}-orders"
    orders_dlq        = "${local.prefix}-orders-dlq"
    notifications_dlq = "${local.prefix}-notifications-dlq"
  }

  # After as many failed receives a message is moved to the dead-letter queue.
  maximum_receives = 5

  # Composed and not read from the queues: a queue's policy names the queue itself,
  # and orders and orders_dlq name each other. The other way out, policies as
  # resources of their own, makes the provider wait 25 s for each of them.
  queue_arns = {
    for queue, name in local.queue_names : queue => join(":", [
      "arn",
      data.aws_partition.current.partition,
      "sqs",
      data.aws_region.current.name,
      data.aws_caller_identity.current.account_id,
      name,
    ])
  }
}

################################################################################
# Storage
################################################################################

resource "aws_dynamodb_table" "orders" {
  name         = "${local.prefix}-orders"
  billing_mode = "PAY_PER_REQUEST" # Orders come in waves; between them the table costs nothing.
  hash_key     = "order_id"

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

  # For the operator: all orders of a customer, in the order they came.
  global_secondary_index {
    name            = "by_customer"
    hash_key        = "customer_id"
    range_key       = "submitted_at"
    projection_type = "ALL"
  }

  # An order is written once and never changed, so its new image is all of it.
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

################################################################################
# Messaging: queues
################################################################################

data "aws_iam_policy_document" "queue" {
  for_each = local.queue_arns

  statement {
    sid       = "DenyInsecureTransport"
    effect    = "Deny"
    actions   = ["sqs:*"]
    resources = [each.value]

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

  # Six times the function's timeout, as AWS asks for: a batch that ran into its
  # timeout, or was throttled and tried again, is not handed out a second time
  # while the first may still be at work.
  visibility_timeout_seconds = 6 * var.processing_timeout_seconds

  message_retention_seconds = 4 * 24 * 60 * 60 # a long weekend
  receive_wait_time_seconds = 20               # long polling: fewer, cheaper receives
  max_message_size          = 256 * 1024       # a message is an order of at most 16 KiB

  kms_master_key_id       = var.kms_key_arn
  sqs_managed_sse_enabled = var.kms_key_arn == null ? true : null

  policy = data.aws_iam_policy_document.queue["orders"].json

  redrive_policy = jsonencode({
    deadLetterTargetArn = aws_sqs_queue.orders_dlq.arn # must exist before
    maxReceiveCount     = local.maximum_receives
  })
}

# Orders that were received five times and not stored. Each waits for a person.
resource "aws_sqs_queue" "orders_dlq" {
  name = local.queue_names.orders_dlq

  # The longest SQS offers: a message keeps its age when it is moved here, so of
  # these days a person has ten at least.
  message_retention_seconds = 14 * 24 * 60 * 60
  receive_wait_time_seconds = 20
  max_message_size          = 256 * 1024

  kms_master_key_id       = var.kms_key_arn
  sqs_managed_sse_enabled = var.kms_key_arn == null ? true : null

  policy = data.aws_iam_policy_document.queue["orders_dlq"].json

  redrive_allow_policy = jsonencode({
    redrivePermission = "byQueue"
    sourceQueueArns   = [local.queue_arns.orders]
  })
}

# Where in the stream the announcements are that failed for good. The orders
# themselves are safe in the table.
resource "aws_sqs_queue" "notifications_dlq" {
  name = local.queue_names.notifications_dlq

  message_retention_seconds = 14 * 24 * 60 * 60
  receive_wait_time_seconds = 20
  max_message_size          = 256 * 1024

  kms_master_key_id       = var.kms_key_arn
  sqs_managed_sse_enabled = var.kms_key_arn == null ? true : null

  policy = data.aws_iam_policy_document.queue["notifications_dlq"].json

  # The notification function writes to it; no queue may use it as its own.
  redrive_allow_policy = jsonencode({
    redrivePermission = "denyAll"
  })
}

################################################################################
# Messaging: topics
################################################################################

# Encrypted with the customer's key or not at all: CloudWatch may not use the key that
# AWS manages for SNS, so alarms could not be published.
resource "aws_sns_topic" "alerts" {
  name              = "${local.prefix}-alerts"
  display_name      = "Alerts of ${local.prefix}"
  kms_master_key_id = var.kms_key_arn
}

data "aws_iam_policy_document" "alerts" {
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

  statement {
    sid       = "DenyInsecureTransport"
    effect    = "Deny"
    actions   = ["sns:Publish"]
    resources = [aws_sns_topic.alerts.arn]

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

resource "aws_sns_topic_policy" "alerts" {
  arn    = aws_sns_topic.alerts.arn
  policy = data.aws_iam_policy_document.alerts.json
}

resource "aws_sns_topic_subscription" "alerts_email" {
  topic_arn = aws_sns_topic.alerts.arn
  protocol  = "email"
  endpoint  = var.notification_email
}

# A second channel: SNS stops sending to an e-mail address that unsubscribed or bounced.
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

data "aws_iam_policy_document" "order_completed" {
  statement {
    sid       = "DenyInsecureTransport"
    effect    = "Deny"
    actions   = ["sns:Publish"]
    resources = [aws_sns_topic.order_completed.arn]

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

resource "aws_sns_topic_policy" "order_completed" {
  arn    = aws_sns_topic.order_completed.arn
  policy = data.aws_iam_policy_document.order_completed.json
}

resource "aws_sns_topic_subscription" "order_completed_email" {
  count = coalesce(var.completed_order_email, "none") == "none" ? 0 : 1

  topic_arn = aws_sns_topic.order_completed.arn
  protocol  = "email"
  endpoint  = var.completed_order_email
}

################################################################################
# Functions: what they share
################################################################################

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

  # All functions wait for this document, so a missing package is said once.
  lifecycle {
    precondition {
      condition     = fileexists(local.lambda_zip_path)
      error_message = "There is no package of the functions at ${local.lambda_zip_path}. Build it in the project's folder with `make build TARGET=${var.lambda_architecture}`, or set lambda_zip_path if it is elsewhere."
    }
  }
}

################################################################################
# Functions: order submission
################################################################################

module "submission" {
  source = "./modules/function"

  name        = "submission"
  description = "Validates an order and puts it into the orders queue."
  shared      = local.function_settings

  # A customer waits for it, and a cold start is bound by the processor, which
  # comes with the memory. Of the memory itself it needs a twentieth.
  memory_size_mb = 1024

  # Over the 13 s that the function waits for the queue at most, and well under the 30 s
  # of the API, so that a slow queue becomes our own 503.
  timeout_seconds = 15

  reserved_concurrency = var.submission_reserved_concurrency

  snap_start_enabled = var.snap_start_enabled

  environment_variables = merge(local.customer_claim, { ORDERS_QUEUE_URL = aws_sqs_queue.orders.url })

  policy_json = data.aws_iam_policy_document.submission.json
}

data "aws_iam_policy_document" "submission" {
  statement {
    sid       = "QueueOrders"
    actions   = ["sqs:SendMessage"]
    resources = [local.queue_arns.orders]
  }

  dynamic "statement" {
    for_each = var.kms_key_arn[*]

    content {
      sid       = "EncryptQueuedOrders"
      actions   = ["kms:GenerateDataKey"]
      resources = [statement.value]
    }
  }
}

################################################################################
# Functions: order processing
################################################################################

module "processing" {
  source = "./modules/function"

  name        = "processing"
  description = "Stores queued orders exactly once."
  shared      = local.function_settings

  # Nobody waits for it, and it mostly waits itself: half of what submission has.
  memory_size_mb  = 512
  timeout_seconds = var.processing_timeout_seconds

  reserved_concurrency = var.processing_reserved_concurrency

  environment_variables = {
    ORDERS_TABLE_NAME = aws_dynamodb_table.orders.name
  }

  policy_json = data.aws_iam_policy_document.processing.json
}

data "aws_iam_policy_document" "processing" {
  statement {
    sid       = "ReceiveOrders"
    actions   = ["sqs:DeleteMessage", "sqs:GetQueueAttributes", "sqs:ReceiveMessage"]
    resources = [local.queue_arns.orders]
  }

  # Inserts only: nothing in this system can change or delete an order.
  statement {
    sid       = "StoreOrders"
    actions   = ["dynamodb:BatchGetItem", "dynamodb:PartiQLInsert"]
    resources = [aws_dynamodb_table.orders.arn]
  }

  dynamic "statement" {
    for_each = var.kms_key_arn[*]

    content {
      sid       = "EncryptStoredOrders"
      actions   = ["kms:DescribeKey", "kms:Encrypt", "kms:GenerateDataKey"]
      resources = [statement.value]
    }
  }
}

resource "aws_lambda_event_source_mapping" "orders" {
  event_source_arn = aws_sqs_queue.orders.arn
  function_name    = module.processing.alias_arn

  batch_size              = 10 # the most that SQS hands out at once
  function_response_types = ["ReportBatchItemFailures"]

  # Without a limit of its own the mapping grows until it is throttled, and each
  # throttled delivery uses up one of an order's five receives.
  scaling_config {
    maximum_concurrency = var.processing_maximum_concurrency
  }
}

################################################################################
# Functions: order status
################################################################################

module "status" {
  source = "./modules/function"

  name        = "status"
  description = "Tells how far an order has come."
  shared      = local.function_settings

  # As for submission: a customer waits.
  memory_size_mb  = 1024
  timeout_seconds = 15

  snap_start_enabled = var.snap_start_enabled

  environment_variables = merge(local.customer_claim, { ORDERS_TABLE_NAME = aws_dynamodb_table.orders.name })

  policy_json = data.aws_iam_policy_document.status.json
}

data "aws_iam_policy_document" "status" {
  statement {
    sid       = "ReadOrders"
    actions   = ["dynamodb:GetItem"]
    resources = [aws_dynamodb_table.orders.arn]
  }
}

################################################################################
# Functions: order notification
################################################################################

module "notification" {
  source = "./modules/function"

  name        = "notification"
  description = "Announces completed orders."
  shared      = local.function_settings

  # As for processing: nobody waits. Ten announcements of a slow topic fit in the time.
  memory_size_mb  = 512
  timeout_seconds = 30

  environment_variables = {
    ORDER_COMPLETED_TOPIC_ARN = aws_sns_topic.order_completed.arn
  }

  policy_json = data.aws_iam_policy_document.notification.json
}

data "aws_iam_policy_document" "notification" {
  statement {
    sid       = "ReadStoredOrders"
    actions   = ["dynamodb:DescribeStream", "dynamodb:GetRecords", "dynamodb:GetShardIterator"]
    resources = [aws_dynamodb_table.orders.stream_arn]
  }

  statement {
    sid       = "ListStreamsOfOrders"
    actions   = ["dynamodb:ListStreams"]
    resources = ["${aws_dynamodb_table.orders.arn}/stream/*"]
  }

  statement {
    sid       = "AnnounceCompletedOrders"
    actions   = ["sns:Publish"]
    resources = [aws_sns_topic.order_completed.arn]
  }

  statement {
    sid       = "KeepFailedNotifications"
    actions   = ["sqs:SendMessage"]
    resources = [local.queue_arns.notifications_dlq]
  }

  dynamic "statement" {
    for_each = var.kms_key_arn[*]

    content {
      sid       = "EncryptNotifications"
      actions   = ["kms:GenerateDataKey"]
      resources = [statement.value]
    }
  }
}

resource "aws_lambda_event_source_mapping" "stored_orders" {
  event_source_arn = aws_dynamodb_table.orders.stream_arn
  function_name    = module.notification.alias_arn

  batch_size              = 10
  parallelization_factor  = var.notification_parallelization_factor
  function_response_types = ["ReportBatchItemFailures"]
  starting_position       = "TRIM_HORIZON" # LATEST could miss orders stored while the mapping starts.

  # A failing record holds back the ones behind it in its shard: split off what is
  # good, try the rest for an hour at most, then leave it to a person.
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

################################################################################
# Entry point
################################################################################

resource "aws_apigatewayv2_api" "orders" {
  name          = "${local.prefix}-orders"
  description   = "Takes orders and tells how far they have come."
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

# Asks for a token before a function is called. A browser's preflight has none, and
# the API answers it by itself.
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

  # When it goes, it goes after the routes have let go of it: API Gateway keeps one
  # that is in use.
  lifecycle {
    create_before_destroy = true
  }
}

locals {
  authorization_type = var.jwt_issuer == null ? "NONE" : "JWT"
}

# The prefix /aws/vendedlogs/ keeps the account's policy for delivered logs, which
# has a size limit, from growing with every deployment.
resource "aws_cloudwatch_log_group" "access" {
  name              = "/aws/vendedlogs/apigateway/${local.prefix}-orders"
  retention_in_days = var.log_retention_days
  kms_key_id        = var.kms_key_arn
}

locals {
  # A route without limits of its own has those of the stage.
  route_limits = {
    submission = {
      route_key = aws_apigatewayv2_route.submission.route_key
      rate      = var.submission_throttling_rate_limit
      burst     = var.submission_throttling_burst_limit
    }

    status = {
      route_key = aws_apigatewayv2_route.status.route_key
      rate      = var.status_throttling_rate_limit
      burst     = var.status_throttling_burst_limit
    }
  }
}

resource "aws_apigatewayv2_stage" "default" {
  api_id      = aws_apigatewayv2_api.orders.id
  name        = "$default"
  description = "Serves what is deployed, at the root of the API's address."
  auto_deploy = true

  default_route_settings {
    detailed_metrics_enabled = true
    throttling_rate_limit    = var.api_throttling_rate_limit
    throttling_burst_limit   = var.api_throttling_burst_limit
  }

  # A route's own settings take the place of all the stage's, so each is said again.
  dynamic "route_settings" {
    for_each = { for route, limits in local.route_limits : route => limits if limits.rate != null || limits.burst != null }

    content {
      route_key                = route_settings.value.route_key
      detailed_metrics_enabled = true
      throttling_rate_limit    = coalesce(route_settings.value.rate, var.api_throttling_rate_limit)
      throttling_burst_limit   = coalesce(route_settings.value.burst, var.api_throttling_burst_limit)
    }
  }

  # request_id is the one in the functions' logs and in every problem document.
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

  authorization_type = local.authorization_type
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

  authorization_type = local.authorization_type
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
}
