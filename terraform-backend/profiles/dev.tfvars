# For tests: nothing is protected, and logs are kept for a week.

environment = "dev"

log_retention_days = 7

# Limits the cost of an accident.
api_throttling_rate_limit  = 20
api_throttling_burst_limit = 40
