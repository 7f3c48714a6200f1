"""`orders`: inspect and repair a running system.

`program.py` is the command line, and `commands/` parses options and prints results. `system.py` finds the deployment;
`queue.py`, `table.py` and `log.py` read and change its resources.
"""
