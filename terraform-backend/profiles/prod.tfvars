# The deployment that takes customers' orders. Replace each FILL IN, which Terraform
# refuses as it stands; keep the file in your repository.
#
#   terraform apply -var-file=profiles/prod.tfvars

environment = "prod"

# Who is told of every alarm: better a list that somebody always reads than a person.
notification_email = "FILL IN"

# The storefront: no other page may place orders from a browser.
cors_allowed_origins = ["FILL IN"]

# A mail for every order is more than anybody reads; what comes after an order
# subscribes to the topic.
completed_order_email = "none"

# No destroy by mistake takes the orders along.
deletion_protection_enabled = true

# Nothing else in the account can starve the intake of orders or their processing. The
# account's quota must be over the two by 100 at least: a new account has less and
# gets more on request.
submission_reserved_concurrency = 100
processing_maximum_concurrency  = 10
processing_reserved_concurrency = 10

log_retention_days = 365

# A day without any order is wrong in every shop. Choose less if your nights are short.
no_orders_alarm_minutes = 1440

# The address at which those who are told of an alarm read docs/runbook.md.
# runbook_url = "https://github.com/your-shop/order-processing-system/blob/main/docs/runbook.md"
