# A storefront for tests: one server, plain HTTP, short log retention.

environment = "dev"

min_size = 1
max_size = 2

log_retention_days = 7
