"""The commands: they parse options and print the results."""
