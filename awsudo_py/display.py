"""Makes text fit for people's eyes: escapes what could deceive, adds styles on terminals, shortens what is long.

1. Every line is escaped on its way out: no text from outside can move the cursor, set a title or forge a line.
2. Styles are for terminals only, and never where NO_COLOR is set or TERM is dumb (https://no-color.org).
3. What somebody named at great length is shortened: a message fits the screen, and its hint stays in view.
"""

from __future__ import annotations

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence
    from typing import TextIO

    #: A line in its pieces, each with its style; an empty one is none.
    Line = Sequence[tuple[str, str]]

#: Styles by name, as SGR parameters (ECMA-48). Colour means something: red refused or production, yellow soon over,
#: green allowed, dim secondary.
STYLES = {"bold": "1", "dim": "2", "red": "31", "green": "32", "yellow": "33", "alarm": "1;97;41"}


def escape(text: str) -> str:
    """The text with everything but visible characters and spaces written as \\xNN or \\uNNNN.

    Python's isprintable() leaves out controls, separators, lone bytes, and the format characters that reorder or hide
    what one reads (Unicode TR 36).
    """
    if text.isprintable():
        return text
    return "".join(character if character.isprintable() else ascii(character)[1:-1] for character in text)


def styled(text: str, style: str) -> str:
    """The text in one of STYLES."""
    return f"\x1b[{STYLES[style]}m{text}\x1b[0m"


def drawn(line: Line, *, colour: bool) -> str:
    """A line from its pieces, escaped."""
    return "".join(styled(escape(text), style) if style and text and colour else escape(text) for text, style in line)


def coloured(stream: TextIO | None, environ: Mapping[str, str]) -> bool:
    """Rule 2: whether this stream shows styles."""
    if environ.get("NO_COLOR") or environ.get("TERM", "dumb") == "dumb":
        return False
    try:
        return stream is not None and stream.isatty()
    except ValueError:  # it is closed
        return False


def plain_glyphs(stream: TextIO | None, environ: Mapping[str, str]) -> bool:
    """Whether glyphs need their ASCII form here: a dumb terminal, or an encoding that is not UTF-8."""
    encoding = (getattr(stream, "encoding", None) or "").lower().replace("-", "")
    if encoding != "utf8":
        return True
    try:
        return stream is not None and stream.isatty() and environ.get("TERM", "dumb") == "dumb"
    except ValueError:
        return True


#: Characters of a message, of a word in it, and of what is left of a longer word. The ARN of a role, which a hint may
#: repeat to be pasted, has 611 at most.
_LONGEST_MESSAGE, _LONGEST_WORD, _WORD_START = 400, 250, 80
_LONGEST_ARN = 620


def fitted(text: str) -> str:
    """Rule 3: a message, with its words of great length shortened, and then its middle."""
    return _shortened_line(text, _LONGEST_WORD, _LONGEST_MESSAGE)


def fitted_hint(text: str) -> str:
    """Rule 3: a hint. The command in it stays whole, unless a name in it could not be pasted anyway."""
    return _shortened_line(text, _LONGEST_ARN, 3 * _LONGEST_ARN)


def _shortened_line(text: str, longest_word: int, longest: int) -> str:
    if len(text) <= longest_word:
        return text
    from awsudo_py.errors import shortened

    line = " ".join(_shortened_word(word) if len(word) > longest_word else word for word in text.split(" "))
    if len(line) <= longest:
        return line
    end = _LONGEST_MESSAGE // 4
    return f"{shortened(line, _LONGEST_MESSAGE - end - 30)} … {line[-end:]}"


def _shortened_word(word: str) -> str:
    """The start of a word, with the quote and the colon that may close it."""
    from awsudo_py.errors import shortened

    name = word.rstrip("'\":,;")
    return shortened(name, _WORD_START) + word[len(name) :][:2]
