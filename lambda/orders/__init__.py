"""Order processing: from an HTTP request to a stored and announced order.

    handlers   Lambda entry points: translate the event, call a use case, translate the result
    use_cases  the steps of submitting and processing an order; queue and table are protocols
    adapters   the only code that depends on AWS or the log
    domain     orders, their ids, rules and messages: no AWS, clock, randomness or files

Imports point one way: handlers → (adapters, use_cases) → domain.
"""
