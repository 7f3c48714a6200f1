"""`orders`: inspect and repair a running system.

`program.py` is the command line, `commands/` has a module for each command. The modules beside them do the work:
`system.py` finds the deployment, `queue.py`, `table.py` and `log.py` read and change its parts.
"""
