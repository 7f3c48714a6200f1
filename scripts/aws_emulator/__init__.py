"""ministack, mended where this project relies on AWS doing otherwise: TLS, IAM actions, PartiQL, queues,
stages, streams and their mappings, and the start of workers.

A program of its own, apart from `local_stack`, which starts it, so that nothing of the runner is loaded into it.
"""
