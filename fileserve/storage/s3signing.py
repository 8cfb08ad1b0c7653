"""
Requests to S3 signed by botocore, with credentials found as every AWS tool finds them.

Importing this imports botocore, which is an extra.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

from botocore.auth import S3SigV4Auth, S3SigV4QueryAuth
from botocore.awsrequest import AWSRequest
from botocore.exceptions import BotoCoreError
from botocore.session import get_session

from .errors import StoreUnavailable
from .held import InThread
from .s3location import DEFAULT_REGION

#: The longest that a signed link may live (Amazon S3 API Reference, "Authenticating Requests: Using Query
#: Parameters").
_LONGEST = 7 * 24 * 60 * 60


def find_credentials() -> Any:
    """
    Look where AWS tools look: the environment, the files below ``~/.aws``, the machine's role.

    May wait for files and for other servers.

    :raise StoreUnavailable: there are none.
    """
    try:
        credentials = get_session().get_credentials()
    except BotoCoreError as error:
        raise StoreUnavailable(f"S3 credentials can't be read: {error}") from None
    if credentials is None:
        raise StoreUnavailable("there are no S3 credentials, such as AWS_ACCESS_KEY_ID in the environment")
    return credentials


def find_region() -> str:
    """
    The region that AWS tools would take here. Reads files.
    """
    return get_session().get_config_variable("region") or DEFAULT_REGION


class _Signature(S3SigV4Auth):  # type: ignore[misc] # botocore has no hints
    """
    A signature over a body whose digest is known: botocore would read the body itself.
    """

    def payload(self, request: Any) -> str:
        return str(request.context["digest"])


class Signer:
    """
    Signs what is asked of one region.

    :param in_thread: runs what may wait: finding credentials, and getting new
        ones before temporary ones end.
    :param find: gives botocore's credentials.
    """

    def __init__(self, region: str, in_thread: InThread, find: Callable[[], Any] = find_credentials) -> None:
        self.region = region
        self._in_thread = in_thread
        self._find = find
        self._credentials: Any = None

    async def sign(self, method: str, url: str, headers: Mapping[str, str], digest: str) -> dict[str, str]:
        """
        Add to a request's headers what proves that it is ours.

        :param digest: the SHA-256 of the body in hexadecimal digits, or `s3client.UNSIGNED`.
        :raise StoreUnavailable: there are no credentials.
        """
        request = AWSRequest(method, url, headers=dict(headers))
        request.context["digest"] = digest
        _Signature(await self._frozen(), "s3", self.region).add_auth(request)
        return {str(name): str(value) for name, value in request.headers.items()}

    async def _frozen(self) -> Any:
        if self._credentials is None:
            self._credentials = await self._in_thread(self._find)
        if self._must_wait():
            return await self._in_thread(_freeze, self._credentials)
        return _freeze(self._credentials)

    def _must_wait(self) -> bool:
        """
        Whether the credentials are temporary and have to be renewed now.
        """
        needed = getattr(self._credentials, "refresh_needed", None)
        return needed is not None and bool(needed())

    def link(self, url: str, expires: int) -> str:
        """
        Sign a URL, with which anybody may read until it expires; one that was signed with temporary
        credentials ends with these.

        :param expires: seconds from now, of which S3 gives at most a week.
        """
        if self._credentials is None:
            self._credentials = self._find()
        request = AWSRequest("GET", url)
        seconds = max(1, min(expires, _LONGEST))
        S3SigV4QueryAuth(_freeze(self._credentials), "s3", self.region, seconds).add_auth(request)
        return str(request.url)


def _freeze(credentials: Any) -> Any:
    try:
        return credentials.get_frozen_credentials()
    except BotoCoreError as error:
        raise StoreUnavailable(f"S3 credentials can't be renewed: {error}") from None
