"""The only code that knows AWS, the clock or the log."""
