# The storefront for customers. Replace each FILL IN, which Terraform rejects, and keep the file in your repository.

environment = "prod"

# The backend's outputs api_endpoint and alerts_topic_arn.
api_url          = "FILL IN"
alerts_topic_arn = "FILL IN"

# The release to serve, as a full commit ID: git rev-parse v1.2.0
repository_url = "FILL IN"
repository_ref = "FILL IN"

# HTTPS, with the domain name of the certificate.
certificate_arn = "FILL IN"
domain_name     = "FILL IN"

# One server per zone, twice as many under load. A release doubles the number again: check the vCPU quota (README.md).
min_size = 2
max_size = 4

# Prevents an accidental destroy. To destroy, apply false first.
deletion_protection_enabled = true

flow_logs_enabled  = true
log_retention_days = 365

# The address of docs/runbook.md for the on-call engineer.
# runbook_url = "https://github.com/your-shop/order-processing-system/blob/main/docs/runbook.md"
