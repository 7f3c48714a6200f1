"""The Lambda entry points: each translates an event, calls, and translates back."""
