# A storefront to try things out: one server, plain HTTP, little is kept.
#
#   terraform apply -var-file=profiles/dev.tfvars -var api_url="$API" -var repository_url=…

environment = "dev"

# While the one is replaced, the storefront is away.
min_size = 1
max_size = 2

log_retention_days = 7
