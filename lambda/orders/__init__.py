"""Order intake: from an HTTP request to a stored and announced order.

Imports point one way: `handlers` → (`adapters`, `usecases`) → `domain`.
"""
