"""
A page of ours, as a browser reads it.
"""

from __future__ import annotations

from collections.abc import Mapping
from html.parser import HTMLParser
from urllib.parse import urljoin, urlsplit

from attrs import frozen

# An icon of no bytes, so that browsers ask for none.
_NO_ICON = "data:,"


@frozen
class Element:
    """
    A start tag.
    """

    tag: str
    attributes: Mapping[str, str]


class Page(HTMLParser):
    """
    A page, as a browser reads it.

    :ivar elements: its start tags.
    :ivar text: all that stands between tags.
    """

    def __init__(self, address: str, source: str) -> None:
        super().__init__()
        self.address = address
        self.source = source
        self.elements: list[Element] = []
        self.text = ""
        self.feed(source)
        self.close()

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.elements.append(Element(tag, {name: value or "" for name, value in attrs}))

    def handle_data(self, data: str) -> None:
        self.text += data

    def addresses(self, tag: str, attribute: str, within: str = "") -> list[str]:
        """
        All that an attribute leads to, without those that have not got this within.
        """
        found = [each.attributes.get(attribute, "") for each in self.elements if each.tag == tag]
        absolute = [urljoin(self.address, address) for address in found]
        return list(dict.fromkeys(address for address in absolute if within in address))

    @property
    def previews(self) -> list[str]:
        """
        Where the small previews are.
        """
        return self.addresses("img", "src", "/preview/320/")

    @property
    def originals(self) -> list[str]:
        """
        Where the pictures themselves are.
        """
        return self.addresses("a", "href", "/original/")

    @property
    def dangers(self) -> list[Element]:
        """
        Elements that run something that is not our own file, or load what is another's.
        """
        return [each for each in self.elements if _dangerous(each)]


def _dangerous(element: Element) -> bool:
    names = element.attributes
    if any(name.startswith("on") or name in {"style", "srcdoc"} for name in names):
        return True
    if element.tag in {"iframe", "object", "embed", "base", "style", "svg", "foreignobject"}:
        return True
    links = [names[name] for name in ("src", "href", "action", "formaction") if name in names]
    links = [link for link in links if link != _NO_ICON]
    if any(urlsplit(link).scheme or urlsplit(link).netloc for link in links):
        return True
    return element.tag == "script" and "src" not in names
