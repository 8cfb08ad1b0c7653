"""
Answering with a preview: in which format, for how long it may be kept, and what there is when there is none.
"""

from __future__ import annotations

from fileserve.http.answers import sized
from fileserve.http.conditions import Conditions, Outcome, evaluate
from fileserve.http.kinds import safety_headers
from fileserve.http.refusal import Refusal
from fileserve.http.representation import conditions_of
from fileserve.http.request import Request
from fileserve.pictures.facts import NoPreview, Why
from fileserve.pictures.workshop import Busy
from fileserve.storage.errors import MemberChanged, NoSuchAlbum
from fileserve.storage.interfaces import Member

from .accepting import names_type
from .galleryfeatures import GalleryFeatures
from .tiles import SIZES, version_of

#: For routing.
SIZES_OF_PREVIEWS = ", ".join(f'"{size}"' for size in SIZES)

#: Where the address tells the version, what it leads to stays the same: a year (RFC 9111, RFC 8246).
_FOR_EVER = b"private, max-age=31536000, immutable"
_ASK_AGAIN = b"no-cache"

_NONE = {
    Why.UNSUPPORTED: "There is no preview: this server can't open files of this kind.",
    Why.TOO_LARGE: "There is no preview: this picture is too large.",
    Why.BROKEN: "There is no preview: this picture can't be opened.",
    Why.DEADLY: "There is no preview: this picture can't be opened.",
}


class Previewing:
    """
    Sends previews.
    """

    def __init__(self, features: GalleryFeatures) -> None:
        self._features = features

    async def answer(self, request: Request, album: str, member: Member, size: int) -> bytes:
        """
        Answer with a preview, WebP for whoever names it, JPEG for the rest.

        :raise Refusal: 404, there is none; 503, it can't be made just now.
        """
        kind = "webp" if names_type(request, "image/webp") else "jpeg"
        version = version_of(member)
        etag = f'"{version}-{size}-{kind}"'.encode()
        right = request.query.get(b"v") == [version.encode()]
        body = b""
        # There is no date of the last change, and so no condition on one; nor, before it is made, on there
        # being one at all.
        wanted = conditions_of(request).if_none_match
        condition = Conditions(if_none_match=None if wanted == b"*" else wanted)
        if evaluate(condition, request.method, etag, 0) is Outcome.NOT_MODIFIED:
            request.setResponseCode(304)
        else:
            body = await self._made(album, member, size, kind)
            for name, value in safety_headers(b"image/" + kind.encode()).items():
                request.setHeader(name, value)
            sized(request, b"image/" + kind.encode(), body)
        # Weak: made together with a larger one, or once more by a newer decoder, it has other bytes.
        request.setHeader(b"ETag", b"W/" + etag)
        request.setHeader(b"Vary", b"Accept")
        request.setHeader(b"Cache-Control", _FOR_EVER if right else _ASK_AGAIN)
        return body

    async def _made(self, album: str, member: Member, size: int, kind: str) -> bytes:
        name = member.path.decode("utf-8", "replace")
        try:
            media_type = await self._features.contents.media_type(album, member, name)
            return await self._features.previews.get(album, member, media_type, size, kind)
        except NoPreview as none:
            raise Refusal(404, _NONE[none.why]) from None
        except Busy:
            raise Refusal(
                503, "Many previews are being made. Try again soon.", {b"Retry-After": b"2"}
            ) from None
        except (MemberChanged, NoSuchAlbum):
            raise Refusal(503, "The file changed just now. Try again.", {b"Retry-After": b"1"}) from None
