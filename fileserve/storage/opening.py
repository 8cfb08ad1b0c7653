"""
Opening one member by itself, where nothing else of its album is read.
"""

from __future__ import annotations

from .interfaces import IFileStore, IOpenMember, Member


async def open_member(store: IFileStore, album: str, member: Member) -> IOpenMember:
    """
    Hold one version of a member open.

    :return: what the caller closes.
    :raise NoSuchAlbum: it is gone.
    :raise MemberChanged: meanwhile it is another version.
    :raise Unreadable: it can't be read.
    """
    reader = store.reader(album)
    try:
        return await reader.open(member)
    finally:
        reader.close()
