"""Programs that run in a fresh interpreter, as a function would, and report one line of JSON."""
