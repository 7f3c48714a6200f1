"""A function's start, from its first import until it is ready for events.

Much is loaded then and next to nothing dropped, but Python would look it all over for garbage again and again, as it
grows; with Python 3.13 that takes over a quarter of the time. So each handler imports this module before anything else,
and garbage is collected only from `end` on.
"""

import gc

gc.disable()


def end() -> None:
    """Say that all is loaded that the function keeps for as long as it lives."""
    # What is frozen is never looked over, also not while a customer waits.
    gc.freeze()
    gc.enable()
