"""What only a real account can show of a deployed system, one check for each claim in docs/unproven.md.

`scripts/verify_aws.py` runs them.
"""
