"""
What a transport can do beyond Twisted's own interfaces.
"""

from __future__ import annotations

from twisted.internet.defer import Deferred
from zope.interface import Interface


class ISendsFiles(Interface):
    """
    A transport that takes bytes straight from a file, and tells how many it can pass on.
    """

    def room() -> Deferred[int]:
        """
        Wait until the client takes more.

        To be called by a producer that is not paused and has nothing unsent
        with us. What it then writes goes to the kernel whole, as a rule, so a
        client that stalls costs no memory of this process.

        :return: fires in another turn of the reactor, so that clients take turns,
            with how many bytes will find room; may be cancelled.
        """

    def send_file(descriptor: int, offset: int, length: int) -> Deferred[None]:
        """
        Send a part of a file, after all that was written before.

        To be called by a producer that is not paused; nothing may be written
        until the part is sent.

        :param descriptor: stays the caller's, to be closed once the result has fired.
        :return: fires when the kernel has taken every byte; fails with
            ``EOFError`` where the file ends before, or ``OSError`` where it
            can't be read; after either, as after cancelling, the stream is
            broken and the connection has to be aborted.
        """
