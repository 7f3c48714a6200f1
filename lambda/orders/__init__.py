"""Order intake: from an HTTP request to a stored and announced order.

    handlers   Lambda entry points: translate an event, call, translate back
    use_cases  what happens to an order; queue and table are protocols
    adapters   the only code that knows AWS or the log
    domain     orders, their ids, rules and messages: no AWS, clock, randomness or files

Imports point one way: handlers → (adapters, use_cases) → domain.
"""
