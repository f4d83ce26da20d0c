"""Reads and writes words in bash's quoting: bash hands over the line as it is typed, half a quote and all.

bash's own COMP_WORDS are of no use before the child: they break at `:` and `=`, and so in the middle of every ARN.
"""

from __future__ import annotations

#: What a backslash takes its meaning from within double quotes (Bash manual, "Double Quotes").
_ESCAPED_IN_DOUBLE = '$`"\\\n'
#: What means something to bash outside of quotes, somewhere in a word, and within double quotes.
_ESCAPES, _ESCAPES_IN_DOUBLE = (
    str.maketrans({character: "\\" + character for character in characters})
    for characters in (" \t|&;()<>'\"\\$`!*?[]{}#~^", _ESCAPED_IN_DOUBLE.strip())
)


class Word:
    """A word of the line: its value, where it begins, and of each character of the value where that ends in the line.

    quote: the quote that is still open at its end, or nothing.
    """

    __slots__ = ("ends", "quote", "start", "value")

    def __init__(self, start: int) -> None:
        self.start = start
        self.value = ""
        self.ends: list[int] = []
        self.quote = ""

    def before(self, position: int) -> int:
        """How many characters of the value are written before that position of the line."""
        return sum(end <= position for end in self.ends)


def split(line: str) -> list[Word]:
    """The words of the line; the last one is being typed, and is empty after a space."""
    words: list[Word] = []
    word: Word | None = None
    quote, at = "", 0
    while at < len(line):
        character, begun = line[at], at
        at += 1
        if not quote and character in " \t\n":
            word = None
            continue
        if word is None:
            word = Word(begun)
            words.append(word)
        if not quote and character in "'\"":
            quote = character
        elif quote and character == quote:
            quote = ""
        elif character == "\\" and quote != "'":
            if at < len(line) and (not quote or line[at] in _ESCAPED_IN_DOUBLE):
                character = line[at]
                at += 1
            if character != "\n":
                word.value += character
                word.ends.append(at)
        elif not quote and character in "$`" and (character == "`" or line[at : at + 1] == "("):
            at = _after_substitution(line, at, character)
            word.value += line[begun:at]
            word.ends += [at] * (at - begun)
        else:
            word.value += character
            word.ends.append(at)
        word.quote = quote
    if word is None:
        words.append(Word(len(line)))
    return words


def _after_substitution(line: str, at: int, opening: str) -> int:
    """Where a command substitution ends: it is one word with what stands around it, whatever is in it."""
    depth = 0
    while at < len(line):
        character = line[at]
        at += 2 if character == "\\" else 1
        if opening == "`":
            if character == "`":
                break
        elif character in "()":
            depth += 1 if character == "(" else -1
            if not depth:
                break
    return min(at, len(line))


def quoted(text: str, quote: str) -> str:
    """The text as it is written at a place where that quote is open, or none; no newline of it is touched."""
    if quote == "'":
        return text.replace("'", "'\\''")
    return text.translate(_ESCAPES_IN_DOUBLE if quote else _ESCAPES)
