"""
What was opened for the server, and it stands on.
"""

from __future__ import annotations

import os
from typing import Any

from attrs import frozen

from fileserve.catalogue.database import Catalogue
from fileserve.identity import Identity
from fileserve.settings import Settings
from fileserve.storage.interfaces import IFileStore
from fileserve.threads import Threads
from fileserve.web.keys import Keys


@frozen
class Ground:
    """
    All of it; `fileserve.tap` opens it.
    """

    reactor: Any
    settings: Settings
    disk: Threads
    database: Threads
    store: IFileStore
    catalogue: Catalogue
    identity: Identity
    keys: Keys
    #: The upload key, if it was made just now.
    first_key: str | None

    @property
    def now(self) -> Any:
        """
        Tells seconds since 1970 UTC.
        """
        return self.reactor.seconds

    def now_us(self) -> int:
        """
        Tells microseconds since 1970 UTC.
        """
        return int(self.reactor.seconds() * 1_000_000)

    def below_state(self, name: str) -> str:
        """
        The name of something in the state directory.
        """
        return os.path.join(self.settings.state, name)
