"""What goes wrong while the local stack starts or runs."""


class LocalStackError(Exception):
    """The local stack cannot go on; the text is one sentence or two: what is wrong and what to do."""
