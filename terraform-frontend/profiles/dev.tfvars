# A storefront for tests: one server, plain HTTP, short log retention.
#
#   terraform apply -var-file=profiles/dev.tfvars -var api_url="$API" -var repository_url=… -var repository_ref=…

environment = "dev"

# If the only server fails, the storefront is down until it is replaced.
min_size = 1
max_size = 2

log_retention_days = 7
