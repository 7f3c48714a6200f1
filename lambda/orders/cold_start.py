"""Keep the garbage collector out of cold starts.

A cold start allocates much and frees almost nothing, but Python would run the collector again and again as the heap
grows; with Python 3.13 that is over a quarter of the time. Each handler imports this module before anything else and
calls `freeze_heap` when everything is loaded.
"""

import gc

gc.disable()


def freeze_heap() -> None:
    """Exclude all objects of the cold start from garbage collection, and enable it."""
    gc.freeze()
    gc.enable()
