# A rehearsal of prod that anybody may break: nothing is protected or reserved.
#
#   terraform apply -var-file=profiles/staging.tfvars -var notification_email=you@your-shop.example

environment = "staging"

# The storefront of staging.
cors_allowed_origins = ["FILL IN"]

# Enough for a rehearsal, too little for an accident to become expensive.
api_throttling_rate_limit  = 50
api_throttling_burst_limit = 100
