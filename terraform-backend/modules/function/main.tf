# One function of the order processing system with all that every function has:
# a log, a role, and published versions behind the alias `live`.

locals {
  function_name = "${var.shared.prefix}-${var.name}"
}

data "aws_region" "current" {}

################################################################################
# Log
################################################################################

# Created here and not by Lambda, which would keep it for ever.
resource "aws_cloudwatch_log_group" "this" {
  name              = "/aws/lambda/${local.function_name}"
  retention_in_days = var.shared.log_retention_days
  kms_key_id        = var.shared.kms_key_arn
}

################################################################################
# Role
################################################################################

# Roles are global where functions are regional: the region in the name lets the
# same deployment live in two regions of one account.
resource "aws_iam_role" "this" {
  name                 = "${local.function_name}-${data.aws_region.current.name}"
  description          = "What the function ${local.function_name} may do."
  assume_role_policy   = var.shared.assume_role_policy_json
  permissions_boundary = var.shared.permissions_boundary_arn
}

data "aws_iam_policy_document" "this" {
  source_policy_documents = [var.policy_json]

  statement {
    sid       = "WriteOwnLog"
    actions   = ["logs:CreateLogStream", "logs:PutLogEvents"]
    resources = ["${aws_cloudwatch_log_group.this.arn}:*"]
  }

  dynamic "statement" {
    for_each = var.shared.tracing_enabled ? [true] : []

    content {
      sid       = "SendTraces"
      actions   = ["xray:PutTelemetryRecords", "xray:PutTraceSegments"]
      resources = ["*"] # These actions do not support resources.
    }
  }

  # Reading the environment, a received message, the table or its stream.
  dynamic "statement" {
    for_each = var.shared.kms_key_arn[*]

    content {
      sid       = "DecryptWithCustomerKey"
      actions   = ["kms:Decrypt"]
      resources = [statement.value]
    }
  }
}

resource "aws_iam_role_policy" "this" {
  name   = local.function_name
  role   = aws_iam_role.this.id
  policy = data.aws_iam_policy_document.this.json
}

################################################################################
# Function
################################################################################

resource "aws_lambda_function" "this" {
  function_name = local.function_name
  description   = var.description
  role          = aws_iam_role.this.arn

  filename         = var.shared.zip_path
  source_code_hash = fileexists(var.shared.zip_path) ? filebase64sha256(var.shared.zip_path) : null # `destroy` needs no package
  handler          = "orders.handlers.${var.name}.handler"
  runtime          = "python3.13"
  architectures    = [var.shared.architecture]

  # A version is what the alias can point to, and go back to.
  publish = true

  memory_size                    = var.memory_size_mb
  timeout                        = var.timeout_seconds
  reserved_concurrent_executions = var.reserved_concurrency
  kms_key_arn                    = var.shared.kms_key_arn

  environment {
    variables = var.environment_variables
  }

  logging_config {
    log_group             = aws_cloudwatch_log_group.this.name
    log_format            = "JSON"
    application_log_level = "INFO"
    system_log_level      = "INFO" # holds duration and memory of each invocation
  }

  tracing_config {
    mode = var.shared.tracing_enabled ? "Active" : "PassThrough"
  }

  dynamic "snap_start" {
    for_each = var.snap_start_enabled ? [true] : []

    content {
      apply_on = "PublishedVersions"
    }
  }

  # Lambda checks the role's permissions when a mapping is made, and the first
  # invocation needs them: they must be there before the function is.
  depends_on = [aws_iam_role_policy.this]
}

resource "aws_lambda_alias" "live" {
  name             = "live"
  description      = "The version that serves orders. To roll back, point it to an earlier version."
  function_name    = aws_lambda_function.this.function_name
  function_version = aws_lambda_function.this.version
}
