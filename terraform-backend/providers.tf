# Versions and the one provider. Nothing here is tied to an account, a region
# or an endpoint: credentials, AWS_REGION and (for the local emulator)
# AWS_ENDPOINT_URL come from the environment.

terraform {
  required_version = ">= 1.9" # cross-variable validation

  required_providers {
    aws = {
      source  = "hashicorp/aws"
      version = "~> 5.100"
    }
  }

  # State is a local file until a team shares it: see backend.tf.example.
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
