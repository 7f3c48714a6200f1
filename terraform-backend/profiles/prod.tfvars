# The deployment for customers' orders. Replace each FILL IN, which Terraform rejects, and keep the file in your
# repository. cloudformation/parameters/prod.json has the same settings.

environment = "prod"

# Receives every alarm: a mailing list rather than a person.
notification_email = "FILL IN"

# A second channel for alarms, such as a pager.
# alerts_https_endpoint = "https://events.example.com/sns"

# Browsers may place orders from the storefront only.
cors_allowed_origins = ["FILL IN"]

# About twice the rate of your busiest minute. They limit the cost of a flood: 10 orders per second all day are 864,000
# orders and cost about 20 dollars.
api_throttling_rate_limit  = "FILL IN"
api_throttling_burst_limit = "FILL IN"

deletion_protection_enabled = true

# Other functions of the account cannot use up these executions. The account's quota must be at least 210, both
# reservations plus 100; a new account has 10.
submission_reserved_concurrency = 100
processing_maximum_concurrency  = 10
processing_reserved_concurrency = 10

log_retention_days = 365

# Choose less if your shop never has a day without an order.
no_orders_alarm_minutes = 1440

# Address at which the on-call engineer can read docs/runbook.md.
# runbook_url = "https://github.com/your-shop/order-processing-system/blob/main/docs/runbook.md"
