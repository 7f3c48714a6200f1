# Settings that can differ between deployments. Constants of the design are in main.tf and the modules.

# --- Naming and lookups ---

variable "project" {
  description = "Name of the system, the first part of every resource name and the value of the tag Project. Use the backend's."
  type        = string
  default     = "order-processing"
  nullable    = false

  # AWS reserves the prefix "internal-" for internal load balancers.
  validation {
    condition     = can(regex("^[a-z][a-z0-9-]{0,23}[a-z0-9]$", var.project)) && !strcontains(var.project, "--") && !can(regex("^internal(-|$)", var.project))
    error_message = "Choose a project name of 2 to 25 lower-case letters, digits and single hyphens that starts with a letter, does not begin with \"internal-\" and does not end in a hyphen, e.g. \"order-processing\"."
  }
}

variable "environment" {
  description = "Stage of the deployment, the second part of every resource name and the value of the tag Environment. In prod the load balancer is protected against deletion by default."
  type        = string
  default     = "dev"
  nullable    = false

  validation {
    condition     = contains(["dev", "staging", "prod"], var.environment)
    error_message = "Choose \"dev\", \"staging\" or \"prod\" as environment."
  }
}

variable "aws_region" {
  description = "Region to deploy to, e.g. \"eu-central-1\". Null uses the region of the AWS configuration (AWS_REGION or the profile)."
  type        = string
  default     = null

  validation {
    condition     = var.aws_region == null || can(regex("^[a-z]{2,4}(-[a-z]+)+-[0-9]$", var.aws_region))
    error_message = "Choose a region code such as \"eu-central-1\", or leave aws_region out to use the region of the AWS configuration."
  }
}

variable "permissions_boundary_arn" {
  description = "ARN of an IAM policy that every role gets as its permissions boundary, for accounts that require one. Null sets none."
  type        = string
  default     = null

  validation {
    condition     = var.permissions_boundary_arn == null || can(regex("^arn:aws[a-z-]*:iam::([0-9]{12}|aws):policy/.+$", var.permissions_boundary_arn))
    error_message = "Give the ARN of a managed IAM policy (\"arn:aws:iam::<account>:policy/<name>\"), or leave permissions_boundary_arn out."
  }
}

# --- Network ---

variable "vpc_cidr" {
  description = "Private IPv4 network of the storefront. It must not overlap with networks that you connect to it."
  type        = string
  default     = "10.20.0.0/16"
  nullable    = false

  # A load balancer needs a /27 per subnet, and the network has sixteen.
  validation {
    condition     = can(regex("^(10|172|192)[.][0-9.]+/(1[6-9]|2[0-3])$", var.vpc_cidr)) && try(cidrsubnet(var.vpc_cidr, 0, 0) == var.vpc_cidr, false)
    error_message = "Give a private IPv4 network of /16 to /23 by its first address as vpc_cidr, e.g. \"10.20.0.0/16\"."
  }
}

variable "availability_zones" {
  description = "Availability Zones to use, e.g. [\"eu-central-1a\", \"eu-central-1b\"]. Null uses the region's first two that offer instance_type."
  type        = list(string)
  default     = null

  validation {
    condition     = var.availability_zones == null || try(contains([2, 3, 4, 5, 6], length(distinct(var.availability_zones))) && length(distinct(var.availability_zones)) == length(var.availability_zones) && alltrue([for zone in var.availability_zones : can(regex("^[a-z]{2,4}(-[a-z]+)+-[0-9][a-z]$", zone))]), false)
    error_message = "Name two to six different zones as availability_zones, such as \"eu-central-1a\", or leave it out: with one zone, its failure stops the storefront."
  }
}

variable "existing_network" {
  description = "Existing network to use instead of creating one. load_balancer_subnet_ids need a route to the internet gateway. instance_subnet_ids need a route to GitHub, Debian's packages and Systems Manager: through the internet gateway, or through a NAT gateway with instances_are_private. Each list spans two Availability Zones or more."
  type = object({
    vpc_id                   = string
    load_balancer_subnet_ids = list(string)
    instance_subnet_ids      = list(string)
  })
  default = null

  validation {
    condition = var.existing_network == null || can(regex("^vpc-[0-9a-f]+$", var.existing_network.vpc_id)) && alltrue([
      for subnet_ids in try([var.existing_network.load_balancer_subnet_ids, var.existing_network.instance_subnet_ids], []) :
      length(distinct(subnet_ids)) == length(subnet_ids) && length(subnet_ids) >= 2 && alltrue([for id in subnet_ids : can(regex("^subnet-[0-9a-f]+$", id))])
    ])
    error_message = "Give the ID of a VPC (\"vpc-0123456789abcdef0\"), and two or more different subnets (\"subnet-0123456789abcdef0\"), in different zones, for the load balancer and for the instances in existing_network: with one zone, its failure stops the storefront. Leave existing_network out to create a network."
  }

  validation {
    condition     = var.existing_network == null || var.availability_zones == null
    error_message = "Leave availability_zones out: the subnets of existing_network determine the zones."
  }
}

variable "instances_are_private" {
  description = "Whether instances have no public address and reach the internet through one NAT gateway per zone, which costs more than the instances. In both cases only the load balancer can reach them."
  type        = bool
  default     = false
  nullable    = false
}

variable "flow_logs_enabled" {
  description = "Whether the created network logs its traffic, which is billed by volume."
  type        = bool
  default     = false
  nullable    = false
}

variable "log_retention_days" {
  description = "Days to keep flow logs. More days cost more storage; fewer leave less to investigate after an attack."
  type        = number
  default     = 365
  nullable    = false

  validation {
    condition     = contains([1, 3, 5, 7, 14, 30, 60, 90, 120, 150, 180, 365, 400, 545, 731, 1096, 1827, 2192, 2557, 2922, 3288, 3653], var.log_retention_days)
    error_message = "Choose one of CloudWatch's retention periods as log_retention_days: 1, 3, 5, 7, 14, 30, 60, 90, 120, 150, 180, 365, 400, 545, 731, 1096, 1827, 2192, 2557, 2922, 3288 or 3653."
  }
}

# --- Load balancer ---

variable "allowed_cidrs" {
  description = "IPv4 networks that may access the storefront. The default allows everyone."
  type        = list(string)
  default     = ["0.0.0.0/0"]
  nullable    = false

  validation {
    condition     = length(var.allowed_cidrs) > 0 && alltrue([for cidr in var.allowed_cidrs : can(regex("^[0-9.]+/[0-9]+$", cidr)) && try(cidrsubnet(cidr, 0, 0) == cidr, false)])
    error_message = "Name at least one network in allowed_cidrs, each as an IPv4 network by its first address, e.g. \"203.0.113.0/24\": with none, nobody reaches the storefront."
  }
}

variable "certificate_arn" {
  description = "ARN of a certificate for domain_name from AWS Certificate Manager, in the deployment's region. Enables HTTPS and redirects plain HTTP to it. Null serves plain HTTP."
  type        = string
  default     = null

  validation {
    condition     = var.certificate_arn == null || can(regex("^arn:aws[a-z-]*:acm:[a-z0-9-]+:[0-9]{12}:certificate/[A-Za-z0-9-]+$", var.certificate_arn))
    error_message = "Give the ARN of a certificate (\"arn:aws:acm:<region>:<account>:certificate/<id>\"), or leave certificate_arn out to serve plain HTTP."
  }
}

variable "domain_name" {
  description = "Domain name of the storefront, e.g. \"shop.example.com\". Point it to load_balancer_dns_name, or set hosted_zone_id. Null uses the load balancer's own name."
  type        = string
  default     = null

  validation {
    condition     = var.domain_name == null || can(regex("^([a-z0-9]([a-z0-9-]{0,61}[a-z0-9])?[.])+[a-z]{2,63}$", var.domain_name))
    error_message = "Give a complete name in lower case without scheme, port or slash, e.g. \"shop.example.com\", as domain_name."
  }

  validation {
    condition     = var.domain_name != null || var.certificate_arn == null && var.hosted_zone_id == null
    error_message = "Set domain_name to the name of certificate_arn and of the record in hosted_zone_id, or leave both out: browsers reject a certificate under the load balancer's own name."
  }
}

variable "hosted_zone_id" {
  description = "ID of the Route 53 hosted zone in which the record of domain_name is created. Null creates none."
  type        = string
  default     = null

  validation {
    condition     = var.hosted_zone_id == null || can(regex("^Z[A-Z0-9]+$", var.hosted_zone_id))
    error_message = "Give the ID of a hosted zone (\"Z0123456789ABCDEFGHIJ\"), or leave hosted_zone_id out."
  }
}

variable "web_acl_arn" {
  description = "ARN of a regional AWS WAF web ACL that filters requests. Null uses none."
  type        = string
  default     = null

  validation {
    condition     = var.web_acl_arn == null || can(regex("^arn:aws[a-z-]*:wafv2:[a-z0-9-]+:[0-9]{12}:regional/webacl/[^/]+/[^/]+$", var.web_acl_arn))
    error_message = "Give the ARN of a regional web ACL (\"arn:aws:wafv2:<region>:<account>:regional/webacl/<name>/<id>\"), or leave web_acl_arn out. A load balancer cannot use a web ACL for CloudFront."
  }
}

variable "access_log_bucket" {
  description = "Name of an S3 bucket, in the same region, for the load balancer's access log. Its policy must let the region's load balancers write to it. Null keeps no access log."
  type        = string
  default     = null

  validation {
    condition     = var.access_log_bucket == null || can(regex("^[a-z0-9][a-z0-9.-]{1,61}[a-z0-9]$", var.access_log_bucket))
    error_message = "Give the name of a bucket, not its ARN or address, or leave access_log_bucket out."
  }
}

variable "deletion_protection_enabled" {
  description = "Whether the load balancer is protected against deletion. Null protects it in prod only. To destroy a protected deployment, first apply false."
  type        = bool
  default     = null
}

# --- Web servers ---

variable "api_url" {
  description = "Address of the order API that the page calls: the backend's output api_endpoint."
  type        = string

  # As in frontend/server.py, but with HTTPS only; plain HTTP is allowed only to localhost.
  validation {
    condition     = can(regex("^(https://([a-z0-9]([a-z0-9-]*[a-z0-9])?[.])*[a-z0-9]([a-z0-9-]*[a-z0-9])?|http://(([a-z0-9]([a-z0-9-]*[a-z0-9])?[.])*localhost|127[.]0[.]0[.]1))(:[0-9]{1,5})?(/[A-Za-z0-9._~!$&()*+:@=%/-]*)?$", var.api_url))
    error_message = "Give the backend's api_endpoint as api_url, such as \"https://a1b2c3d4e5.execute-api.eu-central-1.amazonaws.com\": https:// (http:// only for the emulator on localhost), a host in lower case, no user, query or fragment."
  }
}

variable "repository_url" {
  description = "Git repository that contains the storefront in its folder frontend, e.g. \"https://github.com/your-shop/order-processing-system.git\". It must be readable without a password."
  type        = string

  # Port 443 only: the instances' security group allows no other.
  validation {
    condition     = can(regex("^https://([a-z0-9]([a-z0-9-]*[a-z0-9])?[.])+[a-z]{2,63}(/[A-Za-z0-9._~+-]+)+/?$", var.repository_url))
    error_message = "Give the repository's https address without user, password, port, query or fragment as repository_url, e.g. \"https://github.com/your-shop/order-processing-system.git\"."
  }
}

variable "repository_ref" {
  description = "Commit, tag or branch to serve. Changing it is a release. In prod only a full commit ID is accepted: a tag or branch can move, and a new server would then serve unreviewed code."
  type        = string
  nullable    = false

  validation {
    condition     = can(regex("^[A-Za-z0-9_][A-Za-z0-9._/+-]{0,199}$", var.repository_ref)) && !can(regex("[.][.]|//|/[.]|[./]$|[.]lock$", var.repository_ref))
    error_message = "Give a commit's full ID, or the name of a tag or branch, as repository_ref, e.g. \"v1.2.0\"."
  }

  validation {
    condition = can(regex("^[0-9a-f]{40}$", var.repository_ref)) || !(
      can(regex("^[0-9a-f]{7,39}$", var.repository_ref)) && can(regex("[0-9]", var.repository_ref)) && can(regex("[a-f]", var.repository_ref))
      || var.environment == "prod" && can(regex("^[A-Za-z0-9._/+-]+$", var.repository_ref))
    )
    error_message = "Give all 40 digits of the commit as repository_ref (git rev-parse v1.2.0): Git servers accept no abbreviated ID, and prod accepts no tag or branch."
  }
}

variable "ami_id" {
  description = "Machine image of the instances: Debian 13 or an image derived from it, for the architecture of instance_type. Null uses Debian's newest official arm64 image at each apply, so a newer image is a release."
  type        = string
  default     = null

  validation {
    condition     = var.ami_id == null || can(regex("^ami-[0-9a-f]+$", var.ami_id))
    error_message = "Give the ID of an image (\"ami-0123456789abcdef0\"), or leave ami_id out to use Debian's newest."
  }
}

variable "root_device_name" {
  description = "Name of the root volume in the image ami_id. With a wrong name the instances get a second, empty volume."
  type        = string
  default     = "/dev/xvda"
  nullable    = false

  validation {
    condition     = can(regex("^/dev/[a-z0-9]+$", var.root_device_name))
    error_message = "Give the root device's name as in the image, e.g. \"/dev/xvda\" or \"/dev/sda1\"."
  }
}

variable "instance_type" {
  description = "Type of the instances. Debian's image is for arm64, so without ami_id it must be a Graviton type."
  type        = string
  default     = "t4g.micro"
  nullable    = false

  validation {
    condition     = can(regex("^[a-z0-9-]+[.][a-z0-9-]+$", var.instance_type))
    error_message = "Give an instance type such as \"t4g.micro\"."
  }

  # Graviton families have a g after the generation, except the first one, a1.
  validation {
    condition     = var.ami_id != null || !can(regex("[.]", var.instance_type)) || can(regex("^(a1|[a-z]+[0-9]+g[a-z]*)[.]", var.instance_type))
    error_message = "Choose a Graviton type such as \"t4g.micro\" as instance_type, or set ami_id to an image for the other architecture: Debian's arm64 image does not start on it."
  }
}

variable "min_size" {
  description = "Minimum number of instances. With one, the storefront is down until a failed instance is replaced."
  type        = number
  default     = 2
  nullable    = false
}

variable "max_size" {
  description = "Maximum number of instances, which limits the cost of a flood. During a release there are up to twice as many."
  type        = number
  default     = 4
  nullable    = false

  validation {
    condition     = var.min_size >= 1 && var.max_size >= var.min_size && var.max_size <= 100 && floor(var.max_size) == var.max_size && floor(var.min_size) == var.min_size
    error_message = "Choose a whole number of at least 1, preferably 2, as min_size, and a whole number from min_size to 100 as max_size: with min_size 0 the storefront is down."
  }
}

# --- Alarms ---

variable "alerts_topic_arn" {
  description = "ARN of the SNS topic for alarms: the backend's output alerts_topic_arn. Null sends no alarms."
  type        = string
  default     = null

  validation {
    condition     = var.alerts_topic_arn == null || can(regex("^arn:aws[a-z-]*:sns:[a-z0-9-]+:[0-9]{12}:[A-Za-z0-9_-]+$", var.alerts_topic_arn))
    error_message = "Give the ARN of an SNS topic that is not FIFO (\"arn:aws:sns:<region>:<account>:<name>\"), such as the backend's alerts_topic_arn, or leave alerts_topic_arn out."
  }
}

variable "runbook_url" {
  description = "HTTPS address of the runbook, linked by every alarm. The default is its path in the repository."
  type        = string
  default     = "docs/runbook.md"
  nullable    = false

  # With the longest names, an alarm's text and this URL fit into CloudWatch's 1024 characters.
  validation {
    condition     = can(regex("^(docs/runbook[.]md|https://[^[:space:]#]{1,292})$", var.runbook_url))
    error_message = "Give an https address of at most 300 characters, without a fragment, as runbook_url, e.g. \"https://github.com/your-shop/order-processing-system/blob/main/docs/runbook.md\": each alarm appends the name of its section."
  }
}
