# Versions and the provider. Credentials, the region and an endpoint come from the environment.

terraform {
  required_version = ">= 1.9" # cross-variable validation

  required_providers {
    aws = {
      source  = "hashicorp/aws"
      version = "~> 5.100"
    }
  }
}

provider "aws" {
  region = var.aws_region

  default_tags {
    tags = {
      Project     = var.project
      Environment = var.environment
    }
  }
}
