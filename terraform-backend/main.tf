# The backend of the order processing system, in order of dependence:
#
#   entry point ── submission ── orders queue ── processing ── orders table ── notification ── order-completed
#   (HTTP API)  └─ status ────────────────────────────────────────┘
#
# with what watches it at the end.

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
    sid       = "RefuseUnencryptedTransport"
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
    maxReceiveCount     = 5
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

# Encrypted with the customer's key or none: the key that AWS manages for SNS
# refuses CloudWatch, and the alarms would go nowhere.
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
    sid       = "RefuseUnencryptedTransport"
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

resource "aws_sns_topic" "order_completed" {
  name              = "${local.prefix}-order-completed"
  display_name      = "Completed orders of ${local.prefix}"
  kms_master_key_id = var.kms_key_arn
}

data "aws_iam_policy_document" "order_completed" {
  statement {
    sid       = "RefuseUnencryptedTransport"
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

locals {
  completed_order_email = coalesce(var.completed_order_email, var.notification_email)
}

resource "aws_sns_topic_subscription" "order_completed_email" {
  count = local.completed_order_email == "none" ? 0 : 1

  topic_arn = aws_sns_topic.order_completed.arn
  protocol  = "email"
  endpoint  = local.completed_order_email
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
    alerts_topic_arn         = aws_sns_topic.alerts.arn
    runbook_url              = var.runbook_url
  }
}

data "aws_iam_policy_document" "function_trust" {
  statement {
    sid     = "RunAsLambda"
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

  environment_variables = {
    ORDERS_QUEUE_URL = aws_sqs_queue.orders.url
  }

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

  environment_variables = {
    ORDERS_TABLE_NAME = aws_dynamodb_table.orders.name
  }

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
      function_status     = "$context.integrationStatus"
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

################################################################################
# Watching: alarms
################################################################################

locals {
  # To add an alarm, add an entry here, in the order of an order's path, and a section
  # of the same name to the runbook. Each function's errors and throttles are watched by
  # its module. What an entry does not say, the resource below does.
  alarms = merge(
    {
      api-5xx = {
        description = "The API answered with a 5xx status, so a customer could not place or follow an order. Look first at the request in ${aws_cloudwatch_log_group.access.name}, then for its request_id in the functions' logs."
        namespace   = "AWS/ApiGateway"
        metric_name = "5xx"
        dimensions  = { ApiId = aws_apigatewayv2_api.orders.id }
        statistic   = "Sum"
        threshold   = 0
      }

      # In a quiet minute the slowest hundredth is the slowest request, and at night that is
      # a cold start: one such minute is no news, three of five are. CloudWatch could ignore
      # a percentile of few requests, but for p99 it calls 1000 a minute few.
      api-slow = {
        description         = "The slowest hundredth of the API's answers took more than ${var.latency_alarm_threshold_ms} ms in three of the last five minutes: customers wait, or give up. Look first at function_latency_ms in ${aws_cloudwatch_log_group.access.name}, which tells whose time it is."
        namespace           = "AWS/ApiGateway"
        metric_name         = "Latency"
        dimensions          = { ApiId = aws_apigatewayv2_api.orders.id }
        extended_statistic  = "p99"
        threshold           = var.latency_alarm_threshold_ms
        evaluation_periods  = 5
        datapoints_to_alarm = 3
      }

      orders-waiting = {
        description = "An order has been waiting for more than five minutes: processing is failing, or cannot keep up. Look first at the log of ${module.processing.function_name}; if it is healthy and there are simply many orders, raise processing_maximum_concurrency."
        namespace   = "AWS/SQS"
        metric_name = "ApproximateAgeOfOldestMessage"
        dimensions  = { QueueName = aws_sqs_queue.orders.name }
        statistic   = "Maximum"
        threshold   = 5 * 60
      }

      # Lambda hears of an error only where a whole batch is left undone. One failure is
      # healed by the next delivery; two of them, minutes apart, are not healing.
      processing-failing = {
        description         = "Orders, or whole batches of them, failed to be stored in two of the last five minutes. Each is delivered again, five times in all, before it ends in ${local.queue_names.orders_dlq}. Look first at order_failed and request_failed in the log of ${module.processing.function_name}: reason and error tell what refused."
        namespace           = local.metric_namespace
        metric_name         = "ProcessingFailed"
        dimensions          = {}
        statistic           = "Sum"
        threshold           = 0
        evaluation_periods  = 5
        datapoints_to_alarm = 2
      }

      orders-dlq = {
        description = "An order was received five times and could not be stored; it waits in ${local.queue_names.orders_dlq}, for fourteen days at most. Look first for order_failed, order_conflict and request_failed in the log of ${module.processing.function_name}, repair the cause, then move the order back to ${local.queue_names.orders}."
        namespace   = "AWS/SQS"
        metric_name = "ApproximateNumberOfMessagesVisible"
        dimensions  = { QueueName = aws_sqs_queue.orders_dlq.name }
        statistic   = "Maximum"
        threshold   = 0
      }

      notifications-late = {
        description = "A completed order has been waiting for more than five minutes to be announced: notification is failing, or cannot keep up. The order itself is stored. Look first at the log of ${module.notification.function_name}, then whether SNS has an outage."
        namespace   = "AWS/Lambda"
        metric_name = "IteratorAge"
        dimensions  = { FunctionName = module.notification.function_name }
        statistic   = "Maximum"
        threshold   = 5 * 60 * 1000 # in milliseconds
      }

      # As processing-failing.
      notification-failing = {
        description         = "Completed orders failed to be announced in two of the last five minutes. They are stored; the announcement is tried again, for an hour at most, before it ends in ${local.queue_names.notifications_dlq}. Look first at notification_failed in the log of ${module.notification.function_name}: error tells what refused."
        namespace           = local.metric_namespace
        metric_name         = "NotificationFailed"
        dimensions          = {}
        statistic           = "Sum"
        threshold           = 0
        evaluation_periods  = 5
        datapoints_to_alarm = 2
      }

      notifications-dlq = {
        description = "A completed order could not be announced; ${local.queue_names.notifications_dlq} holds its place in the table's stream, which forgets after a day. The order itself is stored. Look first at the log of ${module.notification.function_name}, repair the cause, then announce it again."
        namespace   = "AWS/SQS"
        metric_name = "ApproximateNumberOfMessagesVisible"
        dimensions  = { QueueName = aws_sqs_queue.notifications_dlq.name }
        statistic   = "Maximum"
        threshold   = 0
      }
    },

    # Nothing is logged where nothing comes in, so missing data is the failure itself.
    var.no_orders_alarm_minutes == null ? {} : {
      no-orders = {
        description         = "No order has been accepted for ${var.no_orders_alarm_minutes} minutes. Look first whether the storefront and the API answer, then on the dashboard ${local.prefix} whether requests come in and what they are refused for."
        namespace           = local.metric_namespace
        metric_name         = "OrdersAccepted"
        dimensions          = {}
        statistic           = "Sum"
        comparison_operator = "LessThanThreshold"
        threshold           = 1
        evaluation_periods  = var.no_orders_alarm_minutes
        treat_missing_data  = "breaching"
      }
    },
  )
}

resource "aws_cloudwatch_metric_alarm" "failure" {
  for_each = local.alarms

  alarm_name        = "${local.prefix}-${each.key}"
  alarm_description = "${each.value.description} Runbook: ${var.runbook_url}#${each.key}"

  namespace           = each.value.namespace
  metric_name         = each.value.metric_name
  dimensions          = each.value.dimensions
  statistic           = try(each.value.statistic, null)
  extended_statistic  = try(each.value.extended_statistic, null)
  period              = 60
  evaluation_periods  = try(each.value.evaluation_periods, 1)
  datapoints_to_alarm = try(each.value.datapoints_to_alarm, null) # null: all of them
  comparison_operator = try(each.value.comparison_operator, "GreaterThanThreshold")
  threshold           = each.value.threshold
  treat_missing_data  = try(each.value.treat_missing_data, "notBreaching") # Metrics of an idle queue or function stop.

  alarm_actions = [aws_sns_topic.alerts.arn]
  ok_actions    = [aws_sns_topic.alerts.arn]
}

################################################################################
# Watching: metrics of the orders
################################################################################

locals {
  metric_namespace = "${var.project}/${var.environment}"

  # What the functions log about an order or a failure, counted: the code needs no
  # metrics of its own. A filter that says no other metric counts into the one of its
  # name. Patterns stay simple: nothing but AWS evaluates them, except the tests.
  metric_filters = {
    OrdersAccepted      = { event = "order_accepted", log_group_name = module.submission.log_group_name }
    OrdersRefused       = { event = "order_refused", log_group_name = module.submission.log_group_name }
    OrdersRefusedByCode = { event = "order_refused", log_group_name = module.submission.log_group_name, metric = "OrdersRefused", dimensions = { Code = "$.code" } }
    OrdersStored        = { event = "order_stored", log_group_name = module.processing.log_group_name }
    OrdersDuplicate     = { event = "order_duplicate", log_group_name = module.processing.log_group_name }
    OrdersConflict      = { event = "order_conflict", log_group_name = module.processing.log_group_name }
    OrdersFailed        = { event = "order_failed", log_group_name = module.processing.log_group_name }
    OrdersNotified      = { event = "order_notified", log_group_name = module.notification.log_group_name }

    SubmissionFailed   = { event = "request_failed", log_group_name = module.submission.log_group_name }
    ProcessingFailed   = { event = "request_failed", log_group_name = module.processing.log_group_name }
    StatusFailed       = { event = "request_failed", log_group_name = module.status.log_group_name }
    NotificationFailed = { event = "notification_failed", log_group_name = module.notification.log_group_name }

    # DynamoDB refuses orders one by one, also when it throttles or a permission is
    # missing: the batch goes on, and this is all that tells.
    ProcessingFailedByOrder = { event = "order_failed", log_group_name = module.processing.log_group_name, metric = "ProcessingFailed" }
  }
}

resource "aws_cloudwatch_log_metric_filter" "orders" {
  for_each = local.metric_filters

  name           = each.key
  log_group_name = each.value.log_group_name
  pattern        = "{ $.message = \"${each.value.event}\" }"

  metric_transformation {
    namespace     = local.metric_namespace
    name          = try(each.value.metric, each.key)
    value         = "1"
    default_value = can(each.value.dimensions) ? null : "0" # CloudWatch takes none beside dimensions.
    dimensions    = try(each.value.dimensions, null)
    unit          = "Count"
  }
}

################################################################################
# Watching: dashboard
################################################################################

locals {
  functions = [module.submission, module.processing, module.status, module.notification]

  # One order's path from left to right. Each station has a graph of what passes it
  # and, below, one of what keeps an order waiting there, with the line at which its
  # alarm goes off.
  dashboard_columns = [
    {
      passing = {
        title = "API: requests"
        stat  = "Sum"
        metrics = [
          ["AWS/ApiGateway", "Count", "ApiId", aws_apigatewayv2_api.orders.id],
          ["AWS/ApiGateway", "4xx", "ApiId", aws_apigatewayv2_api.orders.id],
          ["AWS/ApiGateway", "5xx", "ApiId", aws_apigatewayv2_api.orders.id],
        ]
      }
      waiting = {
        title   = "API: slowest hundredth, ms"
        stat    = "p99"
        metrics = [["AWS/ApiGateway", "Latency", "ApiId", aws_apigatewayv2_api.orders.id]]

        annotations = { horizontal = [{ label = "api-slow", value = local.alarms.api-slow.threshold }] }
      }
    },
    {
      passing = {
        title = "Submission: orders"
        stat  = "Sum"
        metrics = [
          [local.metric_namespace, "OrdersAccepted"],
          [local.metric_namespace, "OrdersRefused"],
        ]
      }
      waiting = {
        title   = "Submission: slowest hundredth, ms"
        stat    = "p99"
        metrics = [["AWS/Lambda", "Duration", "FunctionName", module.submission.function_name]]
      }
    },
    {
      passing = {
        title = "Orders queue: orders"
        stat  = "Maximum"
        metrics = [
          ["AWS/SQS", "ApproximateNumberOfMessagesVisible", "QueueName", aws_sqs_queue.orders.name],
          ["AWS/SQS", "ApproximateNumberOfMessagesNotVisible", "QueueName", aws_sqs_queue.orders.name],
        ]
      }
      waiting = {
        title   = "Orders queue: age of the oldest order, s"
        stat    = "Maximum"
        metrics = [["AWS/SQS", "ApproximateAgeOfOldestMessage", "QueueName", aws_sqs_queue.orders.name]]

        annotations = { horizontal = [{ label = "orders-waiting", value = local.alarms.orders-waiting.threshold }] }
      }
    },
    {
      passing = {
        title = "Processing: orders"
        stat  = "Sum"
        metrics = [
          [local.metric_namespace, "OrdersStored"],
          [local.metric_namespace, "OrdersDuplicate"],
          [local.metric_namespace, "OrdersConflict"],
          [local.metric_namespace, "OrdersFailed"],
        ]
      }
      waiting = {
        title   = "Processing: slowest hundredth, ms"
        stat    = "p99"
        metrics = [["AWS/Lambda", "Duration", "FunctionName", module.processing.function_name]]
      }
    },
    {
      passing = {
        title   = "Notification: orders"
        stat    = "Sum"
        metrics = [[local.metric_namespace, "OrdersNotified"]]
      }
      waiting = {
        title   = "Notification: age of the oldest order, ms"
        stat    = "Maximum"
        metrics = [["AWS/Lambda", "IteratorAge", "FunctionName", module.notification.function_name]]

        annotations = { horizontal = [{ label = "notifications-late", value = local.alarms.notifications-late.threshold }] }
      }
    },
    {
      passing = {
        title = "Dead letters: messages"
        stat  = "Maximum"
        metrics = [
          ["AWS/SQS", "ApproximateNumberOfMessagesVisible", "QueueName", aws_sqs_queue.orders_dlq.name],
          ["AWS/SQS", "ApproximateNumberOfMessagesVisible", "QueueName", aws_sqs_queue.notifications_dlq.name],
        ]
      }
      waiting = {
        title = "Functions: errors and throttles"
        stat  = "Sum"
        metrics = concat(
          [for function in local.functions : ["AWS/Lambda", "Errors", "FunctionName", function.function_name]],
          [for function in local.functions : ["AWS/Lambda", "Throttles", "FunctionName", function.function_name]],
        )
      }
    },
  ]

  # And the path as a whole: what does not enter it, what fails on it, and whether as
  # many orders leave it as enter.
  dashboard_summary = [
    {
      title   = "Refused orders by code"
      stat    = "Sum"
      metrics = [[{ id = "refused", expression = "SEARCH('{\"${local.metric_namespace}\",Code} MetricName=\"OrdersRefused\"', 'Sum', 60)" }]]
    },
    {
      title = "Failures"
      stat  = "Sum"
      metrics = [
        [local.metric_namespace, "SubmissionFailed"],
        [local.metric_namespace, "ProcessingFailed"],
        [local.metric_namespace, "NotificationFailed"],
        [local.metric_namespace, "StatusFailed"],
      ]
    },
    {
      # Sums over the time that is shown: a gap stays open until it is made up for.
      title = "Orders accepted, stored and announced, added up"
      stat  = "Sum"
      metrics = [
        [local.metric_namespace, "OrdersAccepted", { id = "accepted", visible = false }],
        [local.metric_namespace, "OrdersStored", { id = "stored", visible = false }],
        [local.metric_namespace, "OrdersNotified", { id = "notified", visible = false }],
        [{ id = "all_accepted", label = "accepted", expression = "RUNNING_SUM(FILL(accepted, 0))" }],
        [{ id = "all_stored", label = "stored", expression = "RUNNING_SUM(FILL(stored, 0))" }],
        [{ id = "all_notified", label = "announced", expression = "RUNNING_SUM(FILL(notified, 0))" }],
      ]
    },
  ]

  dashboard_width = 24 # columns of CloudWatch's grid
  graph_width     = local.dashboard_width / length(local.dashboard_columns)
  graph_height    = 6
  summary_width   = local.dashboard_width / length(local.dashboard_summary)
  alarms_height   = 3
}

resource "aws_cloudwatch_dashboard" "orders" {
  dashboard_name = local.prefix

  dashboard_body = jsonencode({
    widgets = concat(
      [
        {
          type   = "alarm"
          x      = 0
          y      = 0
          width  = local.dashboard_width
          height = local.alarms_height
          properties = {
            title  = "Alarms of ${local.prefix}"
            alarms = concat(values(aws_cloudwatch_metric_alarm.failure)[*].arn, flatten(local.functions[*].alarm_arns))
          }
        }
      ],
      [
        for column, graphs in local.dashboard_columns : {
          type   = "metric"
          x      = column * local.graph_width
          y      = local.alarms_height
          width  = local.graph_width
          height = local.graph_height
          properties = merge(graphs.passing, {
            region = data.aws_region.current.name
            period = 60
            view   = "timeSeries"
          })
        }
      ],
      [
        for column, graphs in local.dashboard_columns : {
          type   = "metric"
          x      = column * local.graph_width
          y      = local.alarms_height + local.graph_height
          width  = local.graph_width
          height = local.graph_height
          properties = merge(graphs.waiting, {
            region = data.aws_region.current.name
            period = 60
            view   = "timeSeries"
          })
        }
      ],
      [
        for column, graph in local.dashboard_summary : {
          type   = "metric"
          x      = column * local.summary_width
          y      = local.alarms_height + 2 * local.graph_height
          width  = local.summary_width
          height = local.graph_height
          properties = merge(graph, {
            region = data.aws_region.current.name
            period = 60
            view   = "timeSeries"
          })
        }
      ],
    )
  })
}
