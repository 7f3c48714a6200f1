"""A second opinion on what a strict JSON document is: RFC 8259 read letter by letter, and the contract's limits.

Written apart from the product and from Python's json, so that the three can be compared.
"""

from typing import Any

MAX_DEPTH = 64
MAX_INTEGER_DIGITS = (
    4300  # what Python's int() takes, https://docs.python.org/3/library/stdtypes.html#int-max-str-digits
)

_ESCAPES = {'"': '"', "\\": "\\", "/": "/", "b": "\b", "f": "\f", "n": "\n", "r": "\r", "t": "\t"}
_DIGITS = "0123456789"


class NotStrictJsonError(Exception):
    """The bytes are not one strict JSON document."""


def parse_strictly(body: bytes) -> Any:
    """Return what `body` holds; raises NotStrictJsonError."""
    try:
        text = body.decode("utf-8")
    except UnicodeDecodeError:
        raise NotStrictJsonError from None
    parser = _Parser(text)
    value = parser.value(1)
    parser.skip_space()
    if parser.place != len(text) or "\N{REPLACEMENT CHARACTER}" in text:
        raise NotStrictJsonError
    return value


class _Parser:
    def __init__(self, text: str) -> None:
        self.text = text
        self.place = 0

    def value(self, depth: int) -> Any:
        self.skip_space()
        if depth > MAX_DEPTH and self.next() in "[{":
            raise NotStrictJsonError
        match self.next():
            case "{":
                return self.object(depth)
            case "[":
                return self.array(depth)
            case '"':
                return self.string()
            case "t" | "f" | "n":
                for word, value in {"true": True, "false": False, "null": None}.items():
                    if self.text.startswith(word, self.place):
                        self.place += len(word)
                        return value
                raise NotStrictJsonError
            case _:
                return self.number()

    def object(self, depth: int) -> dict[str, Any]:
        members: dict[str, Any] = {}
        self.expect("{")
        self.skip_space()
        while self.next() != "}":
            if members:
                self.expect(",")
                self.skip_space()
            name = self.string()
            if name in members:
                raise NotStrictJsonError
            self.skip_space()
            self.expect(":")
            members[name] = self.value(depth + 1)
            self.skip_space()
        self.expect("}")
        return members

    def array(self, depth: int) -> list[Any]:
        items: list[Any] = []
        self.expect("[")
        self.skip_space()
        while self.next() != "]":
            if items:
                self.expect(",")
            items.append(self.value(depth + 1))
            self.skip_space()
        self.expect("]")
        return items

    def string(self) -> str:
        self.expect('"')
        units: list[str] = []
        while (character := self.take()) != '"':
            if character < " ":
                raise NotStrictJsonError
            if character == "\\":
                escape = self.take()
                if escape == "u":
                    digits = "".join(self.take() for _ in range(4))
                    if not all(digit in "0123456789abcdefABCDEF" for digit in digits):
                        raise NotStrictJsonError
                    character = chr(int(digits, 16))
                elif escape in _ESCAPES:
                    character = _ESCAPES[escape]
                else:
                    raise NotStrictJsonError
            units.append(character)
        try:
            return "".join(units).encode("utf-16-le", "surrogatepass").decode("utf-16-le")
        except UnicodeDecodeError:  # a surrogate without its other half
            raise NotStrictJsonError from None

    def number(self) -> int | float:
        start = self.place
        if self.next() == "-":
            self.place += 1
        if self.next() == "0":
            self.place += 1
        else:
            self.digits()
        is_integer = True
        if self.next() == ".":
            is_integer = False
            self.place += 1
            self.digits()
        if self.next() in ("e", "E"):
            is_integer = False
            self.place += 1
            if self.next() in ("+", "-"):
                self.place += 1
            self.digits()
        literal = self.text[start : self.place]
        if not is_integer:
            return float(literal)
        if len(literal.lstrip("-")) > MAX_INTEGER_DIGITS:
            raise NotStrictJsonError
        return int(literal)

    def digits(self) -> None:
        start = self.place
        while self.next() and self.next() in _DIGITS:
            self.place += 1
        if self.place == start:
            raise NotStrictJsonError

    def next(self) -> str:
        return self.text[self.place : self.place + 1]

    def take(self) -> str:
        character = self.next()
        if not character:
            raise NotStrictJsonError
        self.place += 1
        return character

    def expect(self, character: str) -> None:
        if self.take() != character:
            raise NotStrictJsonError

    def skip_space(self) -> None:
        while self.next() and self.next() in " \t\n\r":
            self.place += 1
