"""The characters of a script and where they are: blanks, words, names, numbers, quoted text.

What a character means depends on where it stands (`-` is part of a word here and a minus there), so the parser
asks for the kind of token that may come next instead of being handed a stream.
"""

from __future__ import annotations

import re
from bisect import bisect_right

from mtts.lab.script.errors import Position, ScriptSyntaxError

NESTING_LIMIT = 40
ESCAPES = dict(zip('nrtabfv_"\\$?', '\n\r\t\a\b\f\v "\\$?', strict=True))
_HEX = re.compile(r"[0-9A-F]{2}")
_BLANK = re.compile(r"(?:[ \t]|\\\r?\n)+")
_SPACE = re.compile(r"(?:(?<=\n)[ \t]*#[^\n]*|[ \t\r\n]|\\\r?\n)+")
_COMMENT = re.compile(r"#[^\n]*")
_CONTINUED = re.compile(r"\\\r?\n[ \t]*")
NAME = re.compile(r"[A-Za-z0-9]+")
WORD = re.compile(r"[^\s;()\[\]{}\"$=]+")
COMMAND_WORD = re.compile(r"[A-Za-z0-9][A-Za-z0-9-]*")
ARGUMENT = re.compile(r"([A-Za-z0-9.][A-Za-z0-9.-]*)=")
OPERAND = re.compile(r"0x[0-9A-Fa-f]+|[0-9][0-9A-Za-z:.]*(?:/\d+)?|\*[0-9A-Fa-f]+|[A-Za-z]+")
BARE_VALUE = re.compile(r"[^\s;()\[\]{}\"$&|<>~!=,]+")
ENDS = "\n\r;]})"
"""What ends a command."""


class Lexer:
    """A place in a text that moves forward."""

    def __init__(self, text: str) -> None:
        self.text = text
        self.offset = 0
        self._depth = 0
        self._lines = [0, *(match.end() for match in re.finditer("\n", text))]

    # where

    def position(self, offset: int | None = None) -> Position:
        """Line and column of an offset, the current one by default."""
        place = self.offset if offset is None else offset
        line = bisect_right(self._lines, place)
        return Position(line, place - self._lines[line - 1] + 1)

    def error(self, problem: str = "syntax error", offset: int | None = None) -> ScriptSyntaxError:
        """What is wrong at an offset, the current one by default."""
        return ScriptSyntaxError(problem, self.position(offset))

    def deeper(self) -> None:
        """One more bracket is open; an error when they are too many."""
        self._depth += 1
        if self._depth > NESTING_LIMIT:
            raise self.error("nested too deeply")

    def shallower(self) -> None:
        """A bracket is closed."""
        self._depth -= 1

    # looking

    def peek(self, length: int = 1) -> str:
        """The next characters; empty at the end."""
        return self.text[self.offset : self.offset + length]

    def at_end(self) -> bool:
        """Whether a command ends here."""
        return self.peek() == "" or self.peek() in ENDS

    # moving

    def take(self, expected: str) -> bool:
        """Step over this text if it is next."""
        if not self.text.startswith(expected, self.offset):
            return False
        self.offset += len(expected)
        return True

    def expect(self, expected: str) -> None:
        """Step over this text or fail."""
        if not self.take(expected):
            raise self.error()

    def match(self, pattern: re.Pattern[str]) -> re.Match[str] | None:
        """Step over what matches here."""
        found = pattern.match(self.text, self.offset)
        if found is not None:
            self.offset = found.end()
        return found

    def skip_blanks(self) -> bool:
        """Step over blanks and joined lines."""
        return self.match(_BLANK) is not None

    def skip_space(self) -> None:
        """Step over blanks, line ends, and comments on lines of their own."""
        self.match(_SPACE)

    def skip_comment(self) -> bool:
        """Step over a comment."""
        return self.match(_COMMENT) is not None

    def keyword(self, word: str) -> bool:
        """Step over a word of letters if it is next and ends there."""
        end = self.offset + len(word)
        if not self.text.startswith(word, self.offset) or NAME.match(self.text, end) or self.text[end : end + 1] == "-":
            return False
        self.offset = end
        return True

    def plain_text(self) -> str:
        """The next stretch of quoted text without `$`, escapes resolved; stops at the closing quote or a `$`."""
        parts: list[str] = []
        while True:
            character = self.peek()
            if character == "":
                raise self.error()
            if character in '"$':
                return "".join(parts)
            if character != "\\":
                parts.append(character)
                self.offset += 1
            elif self.match(_CONTINUED) is None:
                parts.append(self._escaped())

    def _escaped(self) -> str:
        start = self.offset
        self.offset += 1
        code = self.match(_HEX)
        if code is not None:
            return chr(int(code[0], 16))
        letter = self.peek()
        if letter not in ESCAPES or letter == "":
            raise self.error(offset=start)
        self.offset += 1
        return ESCAPES[letter]


def quote(text: str) -> str:
    """Text as a script has to write it to mean exactly that."""
    special = {"\n": "\\n", "\r": "\\r", "\t": "\\t", '"': '\\"', "\\": "\\\\", "$": "\\$"}
    return '"' + "".join(special.get(character, character) for character in text) + '"'
