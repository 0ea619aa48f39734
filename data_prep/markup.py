"""Small XML label files as a tree whose elements know their line."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, field
from xml.parsers import expat

from data_prep.samples import Unusable

DEEPEST = 50
"""Levels of elements; label files have five."""


@dataclass(slots=True)
class Element:
    """An element with its line in the file, from 1; ``text`` is the character data directly in it."""

    tag: str
    attributes: dict[str, str]
    line: int
    text: str = ""
    children: list[Element] = field(default_factory=list)

    def all(self, tag: str) -> Iterator[Element]:
        """Elements of that name anywhere below, in the order of the file."""
        for child in self.children:
            if child.tag == tag:
                yield child
            yield from child.all(tag)

    def first(self, tag: str) -> Element | None:
        """The first element of that name below, or None."""
        return next(self.all(tag), None)


def parse(content: bytes) -> Element:
    """The root element.

    Raises:
        Unusable: the file is not well-formed, is nested too deeply, or declares entities, which label files do not need
            and by which a small file can fill the memory.
    """
    parser = expat.ParserCreate()
    root = Element("", {}, 0)
    open_elements = [root]

    def start(tag: str, attributes: dict[str, str]) -> None:
        if len(open_elements) > DEEPEST:
            raise Unusable("XML is nested too deeply", f"line {parser.CurrentLineNumber}")
        element = Element(tag, attributes, parser.CurrentLineNumber)
        open_elements[-1].children.append(element)
        open_elements.append(element)

    def end(_: str) -> None:
        open_elements.pop()

    def characters(text: str) -> None:
        open_elements[-1].text += text

    def entity(*_: object) -> None:
        raise Unusable("XML declares entities", f"line {parser.CurrentLineNumber}")

    parser.StartElementHandler, parser.EndElementHandler = start, end
    parser.CharacterDataHandler, parser.EntityDeclHandler = characters, entity
    parser.buffer_text = True
    try:
        parser.Parse(content, True)
    except expat.ExpatError as error:
        raise Unusable("label file is not well-formed XML", f"line {error.lineno}") from None
    except (LookupError, ValueError) as error:
        if isinstance(error, Unusable):
            raise
        raise Unusable("label file is not in the encoding it declares", "line 1") from None
    return root.children[0]
