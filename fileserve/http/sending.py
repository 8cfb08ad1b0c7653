"""
Sending a body to its end, or cutting the connection: the rules for failures under way.
"""

from __future__ import annotations

from typing import Protocol

from twisted.internet.defer import CancelledError, Deferred
from twisted.logger import Logger

from fileserve.storage.errors import MemberChanged, Unreadable

from .request import Request

_log = Logger(namespace="fileserve.http")


class BodyProducer(Protocol):
    """
    Produces a body into a request.
    """

    def produce_to(self, request: Request) -> Deferred[None]:
        """
        :return: fires when every byte was handed on; may be cancelled.
        """


async def send(request: Request, body: BodyProducer) -> None:
    """
    Send a body; Klein finishes the request when this returns.

    A failure before the first byte is raised, so that a route can still answer
    with an error. After it the connection is cut: the client has to see that
    something is missing, and an error page would only look like its end.
    """
    try:
        await body.produce_to(request)
    except CancelledError:
        if request.channel is not None:
            # The transport stops the producer before Klein hears that the
            # client is gone. Nobody is left to answer, so Klein may not try.
            await _the_end()
        raise
    except (MemberChanged, Unreadable) as error:
        if not request.startedWriting:
            raise
        _log.error("The connection is cut: {error}", error=error)
        cut(request)
        await _the_end()
    except Exception:
        if not request.startedWriting:
            raise
        _log.failure("The connection is cut: its response can't be completed")
        cut(request)
        await _the_end()


def cut(request: Request) -> None:
    """
    End a response in a way that no client can take for its end.
    """
    if request.channel is not None:
        request.channel.abort()


async def _the_end() -> None:
    """
    Wait to be cancelled, as Klein does when a connection is lost.
    """
    await Deferred()
