# A rehearsal of prod: nothing is protected or reserved.
#
#   terraform apply -var-file=profiles/staging.tfvars -var notification_email=you@your-shop.example

environment = "staging"

cors_allowed_origins = ["FILL IN"]

# Limits the cost of an accident.
api_throttling_rate_limit  = 50
api_throttling_burst_limit = 100
