# The storefront that customers open. Replace each FILL IN, which Terraform refuses as
# it stands; keep the file in your repository.
#
#   terraform apply -var-file=profiles/prod.tfvars

environment = "prod"

# The backend's outputs api_endpoint and alerts_topic_arn.
api_url          = "FILL IN"
alerts_topic_arn = "FILL IN"

# What is served: a whole commit ID, e.g. of git rev-parse v1.2.0.
repository_url = "FILL IN"
repository_ref = "FILL IN"

# HTTPS, under the name that the certificate is for.
certificate_arn = "FILL IN"
domain_name     = "FILL IN"

# In two zones, twice as many under load, and twice as many again during a release: check the vCPU quota (README.md).
min_size = 2
max_size = 4

# Prevents an accidental destroy. To destroy, apply false first.
deletion_protection_enabled = true

flow_logs_enabled  = true
log_retention_days = 365

# The address of docs/runbook.md for the on-call engineer.
# runbook_url = "https://github.com/your-shop/order-processing-system/blob/main/docs/runbook.md"
