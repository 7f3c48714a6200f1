# The storefront that customers open. Replace each FILL IN, which Terraform refuses as
# it stands; keep the file in your repository.
#
#   terraform apply -var-file=profiles/prod.tfvars

environment = "prod"

# The backend's outputs api_endpoint and alerts_topic_arn.
api_url          = "FILL IN"
alerts_topic_arn = "FILL IN"

# What is served: a tag or a whole commit id, never a branch that moves.
repository_url = "FILL IN"
repository_ref = "FILL IN"

# HTTPS, under the name that the certificate is for.
certificate_arn = "FILL IN"
domain_name     = "FILL IN"

# In two zones, and twice as many for a crowd.
min_size = 2
max_size = 4

# No destroy by mistake takes the shop down.
deletion_protection_enabled = true

flow_logs_enabled  = true
log_retention_days = 365

# The address at which those who are told of an alarm read docs/runbook.md.
# runbook_url = "https://github.com/your-shop/order-processing-system/blob/main/docs/runbook.md"
