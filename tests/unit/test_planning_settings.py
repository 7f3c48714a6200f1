"""What planning takes from the Terraform files and AWS's pages is what they say."""

import re
from dataclasses import fields

import pytest

from planning.advice import _REMEDIES
from planning.deployment import STATED, VARIABLES, Deployment
from planning.footprint import FOOTPRINT
from planning.limits import Limit
from planning.quotas import SOURCES, Quotas
from planning.workload import ACCESS_LOG_LINE
from repository.files import REPOSITORY
from repository.terraform import block, entries, read_terraform, value


def stated(name: str) -> str:
    where = STATED[name]
    return value(block(read_terraform("terraform-backend", where.file), where.block), where.name)


def product(text: str) -> int:
    result = 1
    for factor in text.split("*"):
        result *= int(factor)
    return result


@pytest.mark.parametrize("name", sorted(set(STATED) - {"visibility_timeouts"}))
def test_each_default_is_the_one_of_terraform(name: str) -> None:
    default = getattr(Deployment(), name)
    text = stated(name)
    assert default == (None if text == "null" else product(text))


def test_the_visibility_timeout_is_as_many_processing_timeouts_as_in_terraform() -> None:
    assert stated("visibility_timeouts") == f"{Deployment().visibility_timeouts} * var.processing_timeout_seconds"


def test_the_settings_that_the_design_leaves_to_aws_are_not_set_in_terraform() -> None:
    main = read_terraform("terraform-backend", "main.tf")
    for name in ("maximum_batching_window_in_seconds", "warm_throughput"):
        assert name not in main, f"planning.deployment takes {name} for AWS's default; have it follow Terraform"


def test_a_limit_moved_by_a_variable_names_one_of_terraform() -> None:
    variables = read_terraform("terraform-backend", "variables.tf")
    for limit in Limit:
        if limit.value.is_variable:
            assert limit.value.setting in VARIABLES
            assert block(variables, f'variable "{limit.value.setting}"')


def test_each_limit_that_a_variable_moves_has_a_remedy() -> None:
    assert {limit for limit in Limit if limit.value.is_variable} <= set(_REMEDIES)


def test_each_quota_names_the_page_of_aws_that_states_it() -> None:
    assert set(SOURCES) == {quota.name for quota in fields(Quotas)}
    for page in SOURCES.values():
        assert re.match(r"https://(docs\.aws\.amazon\.com|repost\.aws)/", page)


def test_the_storefronts_footprint_is_that_of_its_terraform() -> None:
    main = read_terraform("terraform-frontend", "main.tf")
    variables = read_terraform("terraform-frontend", "variables.tf")
    assert len(entries(block(main, "alarms ="))) == FOOTPRINT.storefront_alarms
    assert int(value(block(variables, 'variable "min_size"'), "default")) == FOOTPRINT.storefront_instances
    assert int(value(main, "volume_size")) == FOOTPRINT.storefront_volume_gb
    assert "slice(sort(data.aws_availability_zones.available.names), 0, 2)" in main
    assert FOOTPRINT.storefront_zones == 2


def test_the_page_weighs_what_its_files_do() -> None:
    suffixes = {".html", ".css", ".js", ".svg"}
    files = [
        path for path in (REPOSITORY / "frontend").rglob("*") if path.suffix in suffixes and path.name != "config.js"
    ]
    assert round(sum(path.stat().st_size for path in files), -4) == FOOTPRINT.page_bytes


def test_the_sample_line_of_the_access_log_has_the_formats_fields() -> None:
    access = block(read_terraform("terraform-backend", "main.tf"), "access_log_settings")
    named = re.findall(r"^ +(\w+) += \"\$context", access, re.MULTILINE)
    assert list(ACCESS_LOG_LINE) == named


def test_a_block_and_its_entries_are_found_as_terraform_fmt_writes_them() -> None:
    text = "locals {\n  alarms = {\n    first = {\n      inner = 1 # why\n    }\n    second = 2\n  }\n}\n"
    assert entries(block(text, "alarms =")) == ["first", "second"]
    assert value(block(text, "first ="), "inner") == "1"
