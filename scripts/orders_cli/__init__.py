"""`orders`, the operator's tool: see, understand and repair a running system, the local one or one on AWS.

`program.py` is the command line, `commands/` one file for each command (`dlq` has two more, for orders and for
announcements). What they do is in plain modules beside them, which are handed the services they need; `system.py`
says which system that is, `failures.py` how what goes wrong is told. Installed as `.venv/bin/orders` by
scripts/set_up_venv.py.
"""
