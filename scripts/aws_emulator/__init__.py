"""ministack with this project's patches and guard.

`local_stack` starts this package as a separate program, which does not import `local_stack`.
"""
