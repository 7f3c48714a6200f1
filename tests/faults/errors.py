"""Why a campaign cannot go on."""


class CampaignError(Exception):
    """The campaign itself failed, which says nothing of the system; the text says what to do."""


class Aborted(BaseException):
    """Somebody asked the campaign to stop, and this is one of its threads."""
