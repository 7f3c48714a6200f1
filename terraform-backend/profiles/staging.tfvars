# A rehearsal of prod: nothing is protected or reserved.

environment = "staging"

cors_allowed_origins = ["FILL IN"]

# Limits the cost of an accident.
api_throttling_rate_limit  = 50
api_throttling_burst_limit = 100
