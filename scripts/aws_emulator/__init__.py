"""ministack with this project's patches and guard.

A program of its own, apart from `local_stack`, which starts it: nothing of the runner is loaded into it.
"""
