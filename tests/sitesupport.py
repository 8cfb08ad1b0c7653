"""
What tests of pages share: a browser in memory over the whole site, and what is in a page.
"""

from __future__ import annotations

from collections.abc import Iterator
from html.parser import HTMLParser
from urllib.parse import urlencode, urljoin

from .filesupport import FORM_TYPE, KEY, FilesSite, form
from .support import Answer

#: What a browser accepts when it goes to a page.
_ACCEPT = "text/html,application/xhtml+xml,application/xml;q=0.9,image/webp,*/*;q=0.8"

_URLENCODED = ("Content-Type", "application/x-www-form-urlencoded")

_Attributes = dict[str, str | None]


class Browser:
    """
    Keeps the cookie of a site, and says where its requests come from.

    :param comes_from: what it sends as ``Sec-Fetch-Site``.
    """

    def __init__(self, site: FilesSite, comes_from: str = "same-origin") -> None:
        self.site = site
        self.comes_from = comes_from
        self.cookie = ""

    def get(self, target: str, *headers: tuple[str, str]) -> Answer:
        """
        Go to a page.
        """
        return self._ask("GET", target, None, headers)

    def submit(self, target: str, **fields: str) -> Answer:
        """
        Send a form without files.
        """
        return self._ask("POST", target, urlencode(fields).encode(), (_URLENCODED,))

    def upload(self, *fields: tuple[str, bytes], target: str = "/files/") -> Answer:
        """
        Send a form with files: see `form`.
        """
        return self._ask("POST", target, form(*fields), (FORM_TYPE,))

    def send(self, body: bytes, content_type: str, target: str = "/files/") -> Answer:
        """
        Send anything in place of a form.
        """
        return self._ask("POST", target, body, (("Content-Type", content_type),))

    def sign_in(self, key: str = KEY) -> Browser:
        """
        Sign in as a person would.
        """
        answer = self.submit("/sign-in", key=key, next="")
        assert answer.status == 303, answer
        return self

    def _ask(
        self, method: str, target: str, body: bytes | None, headers: tuple[tuple[str, str], ...]
    ) -> Answer:
        sent = [("Accept", _ACCEPT), ("Sec-Fetch-Site", self.comes_from), ("Cookie", self.cookie), *headers]
        answer = self.site.ask(method, target, body, [each for each in sent if each[1]], key=None)
        for cookie in answer.headers.get_all("Set-Cookie") or []:
            value, _, attributes = cookie.partition(";")
            self.cookie = "" if "Max-Age=0" in attributes else value
        return answer


def leads_to(target: str, reference: str | None) -> str:
    """
    The path and query that a reference means in the page of another; it stays below a proxy's prefix.
    """
    assert reference is not None
    url = urljoin(f"http://files.example/prefix{target}", reference)
    assert url.startswith("http://files.example/prefix/"), (target, reference)
    return url.removeprefix("http://files.example/prefix")


class Page(HTMLParser):
    """
    What is in a page.

    :ivar elements: tags and attributes, in order.
    :ivar text: all that is read.
    """

    def __init__(self, answer: Answer) -> None:
        super().__init__()
        assert answer.headers["Content-Type"] == "text/html; charset=utf-8", answer
        self.elements: list[tuple[str, _Attributes]] = []
        self.text = ""
        self.feed(answer.body.decode())
        self.close()

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.elements.append((tag, dict(attrs)))

    def handle_data(self, data: str) -> None:
        self.text += data

    @property
    def tags(self) -> list[str]:
        """
        The elements, without what they are of.
        """
        return [tag for tag, _ in self.elements]

    def all(self, tag: str, **attributes: str) -> Iterator[_Attributes]:
        """
        The elements of a kind that have these attributes.
        """
        for each, has in self.elements:
            if each == tag and attributes.items() <= has.items():
                yield has

    def one(self, tag: str, **attributes: str) -> _Attributes:
        """
        The only one of them.
        """
        (found,) = self.all(tag, **attributes)
        return found
