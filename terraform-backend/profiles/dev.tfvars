# A deployment to try things out: nothing is protected, and logs are kept for a week.
#
#   terraform apply -var-file=profiles/dev.tfvars -var notification_email=you@your-shop.example

environment = "dev"

log_retention_days = 7

# Enough for a few people, too little for an accident to become expensive.
api_throttling_rate_limit  = 20
api_throttling_burst_limit = 40
