# A Lambda function with its log, its role, and the alias `live` for published versions.

locals {
  function_name = "${var.shared.prefix}-${var.function.name}"

  # Every function reads encrypted data: its environment, a message, the table or its stream.
  key_actions = merge(var.function.key_permissions, { DecryptWithCustomerKey = ["kms:Decrypt"] })

  permissions = merge(
    var.function.permissions,
    { WriteOwnLog = { actions = ["logs:CreateLogStream", "logs:PutLogEvents"], resources = ["${aws_cloudwatch_log_group.this.arn}:*"] } },
    # X-Ray's actions apply to all resources.
    { for sid in ["SendTraces"] : sid => { actions = ["xray:PutTelemetryRecords", "xray:PutTraceSegments"], resources = ["*"] } if var.shared.tracing_enabled },
    { for sid, actions in local.key_actions : sid => { actions = actions, resources = var.shared.kms_key_arn[*] } if var.shared.kms_key_arn != null },
  )
}

data "aws_region" "current" {}

# Lambda would create it without a retention period.
resource "aws_cloudwatch_log_group" "this" {
  name              = "/aws/lambda/${local.function_name}"
  retention_in_days = var.shared.log_retention_days
  kms_key_id        = var.shared.kms_key_arn
}

# Roles are global. The region in the name allows the same deployment in two regions.
resource "aws_iam_role" "this" {
  name                 = "${local.function_name}-${data.aws_region.current.name}"
  description          = "Permissions of the function ${local.function_name}."
  assume_role_policy   = var.shared.assume_role_policy_json
  permissions_boundary = var.shared.permissions_boundary_arn
}

data "aws_iam_policy_document" "this" {
  dynamic "statement" {
    for_each = local.permissions

    content {
      sid       = statement.key
      actions   = statement.value.actions
      resources = statement.value.resources
    }
  }
}

resource "aws_iam_role_policy" "this" {
  name   = local.function_name
  role   = aws_iam_role.this.id
  policy = data.aws_iam_policy_document.this.json
}

resource "aws_lambda_function" "this" {
  function_name = local.function_name
  description   = var.function.description
  role          = aws_iam_role.this.arn

  filename         = var.shared.zip_path
  source_code_hash = fileexists(var.shared.zip_path) ? filebase64sha256(var.shared.zip_path) : null # `destroy` works without a package
  handler          = "orders.handlers.${var.function.name}.handler"
  runtime          = "python3.13"
  architectures    = [var.shared.architecture]

  publish = true # the alias points to a version

  memory_size                    = var.function.memory_size_mb
  timeout                        = var.function.timeout_seconds
  reserved_concurrent_executions = var.function.reserved_concurrency
  kms_key_arn                    = var.shared.kms_key_arn

  environment {
    variables = var.function.environment_variables
  }

  logging_config {
    log_group             = aws_cloudwatch_log_group.this.name
    log_format            = "JSON"
    application_log_level = "INFO"
    system_log_level      = "WARN" # reports of failed invocations only; INFO doubles the log's cost
  }

  tracing_config {
    mode = var.shared.tracing_enabled ? "Active" : "PassThrough"
  }

  dynamic "snap_start" {
    for_each = var.function.snap_start_enabled ? [true] : []

    content {
      apply_on = "PublishedVersions"
    }
  }

  # Lambda checks the role's permissions when it creates a mapping.
  depends_on = [aws_iam_role_policy.this]
}

resource "aws_lambda_alias" "live" {
  name             = "live"
  description      = "The version that serves orders. To roll back, point it to an earlier version."
  function_name    = aws_lambda_function.this.function_name
  function_version = aws_lambda_function.this.version
}
