"""Reading a Content-Type as HTTP writes it (RFC 9110, section 8.3.1), which is not quite how mail does."""

import re

# What the grammar calls a token, and a quoted-string.
_WORD = r"[!#$%&'*+.^_`|~0-9A-Za-z-]+"
_QUOTED = r'"(?:[^"\\]|\\.)*+"'
_TYPE = re.compile(rf"{_WORD}/{_WORD}")
_PARAMETER = re.compile(rf"[ \t]*;[ \t]*(?:({_WORD})=({_WORD}|{_QUOTED}))?")


def is_json_in_utf8(content_type: str) -> bool:
    """Tell whether a Content-Type is application/json, in no other charset than UTF-8.

    Case and other parameters are free. Whatever does not read as a media type is none; where a charset
    is named twice, both count.
    """
    text = content_type.strip(" \t")
    media_type = _TYPE.match(text)
    if media_type is None or media_type.group().lower() != "application/json":
        return False
    place = media_type.end()
    while place < len(text):
        parameter = _PARAMETER.match(text, place)
        if parameter is None or _names_another_charset(*parameter.groups()):
            return False
        place = parameter.end()
    return True


def _names_another_charset(name: str | None, value: str | None) -> bool:
    # An asterisk extends a parameter where a header admits that (RFC 8187); this one does not.
    if name is None or value is None or name.partition("*")[0].lower() != "charset":
        return False
    return re.sub(r"\\(.)", r"\1", value.strip('"')).lower() != "utf-8"
