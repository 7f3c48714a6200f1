# The deployment that takes customers' orders. Replace each FILL IN, which Terraform refuses, and keep the file in
# your repository. cloudformation/parameters/prod.json has the same settings.
#
#   terraform apply -var-file=profiles/prod.tfvars

environment = "prod"

# Receives every alarm: a mailing list that somebody always reads rather than a person.
notification_email = "FILL IN"

# A second channel for alarms, such as a pager.
# alerts_https_endpoint = "https://events.example.com/sns"

# The storefront: no other page may place orders from a browser.
cors_allowed_origins = ["FILL IN"]

# Requests a second, and at the same moment, that each route accepts: about twice your busiest minute. They bound
# what a flood of requests costs: 10 orders a second all day are 864,000 orders and cost about 20 dollars.
api_throttling_rate_limit  = "FILL IN"
api_throttling_burst_limit = "FILL IN"

deletion_protection_enabled = true

# No other function in the account can starve the intake or the processing of orders. The account's quota of
# concurrent executions must be at least 210, both reservations plus 100; a new account has 10.
submission_reserved_concurrency = 100
processing_maximum_concurrency  = 10
processing_reserved_concurrency = 10

log_retention_days = 365

# A day without any order is a failure in most shops. Choose less if your nights are short.
no_orders_alarm_minutes = 1440

# Where the on-call engineer reads docs/runbook.md.
# runbook_url = "https://github.com/your-shop/order-processing-system/blob/main/docs/runbook.md"
