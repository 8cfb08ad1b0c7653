"""
The albums that are measured: trees of files that do not compress, made once in a work directory.
"""

from __future__ import annotations

import os
import shutil
import zipfile
from collections.abc import Callable, Iterator
from pathlib import Path

from attrs import field, frozen

from benchmarks import pictures

MEMBER_TIME = 1_600_000_000
"""The modification time of every member, seconds since 1970: old, so that none seems to be in the making."""

_GULP = 1 << 20


@frozen
class Scale:
    """
    How much of everything: the sizes that the targets speak of, or little ones for a quick look.
    """

    large_members: int = 200
    large_size: int = 5 << 20
    small_members: int = 10_000
    small_size: int = 10 << 10
    most_members: int = 100_000
    huge_size: int = 5 << 30
    stalled_clients: int = 1_000
    slow_clients: int = 100
    seconds: float = 10.0
    upload_size: int = 1 << 30
    upload_clients: int = 32
    stored_files: int = 100_000
    gallery_pictures: int = 10_000
    dropped_pictures: int = 2_000
    previewed_pictures: int = 200


QUICK = Scale(
    20, 5 << 20, 1_000, 10 << 10, 1_000, 512 << 20, 100, 20, 3.0, 64 << 20, 8, 1_000, 1_000, 200, 20
)


@frozen
class Albums:
    """
    A storage root below ``work``, and beside it the ready-made ZIPs.
    """

    work: Path
    scale: Scale
    storage: Path = field(init=False)
    zips: Path = field(init=False)

    @storage.default
    def _storage(self) -> Path:
        return self.work / "albums"

    @zips.default
    def _zips(self) -> Path:
        return self.work / "zips"

    def large(self) -> str:
        """
        Photos: few and large.
        """
        members, size = self.scale.large_members, self.scale.large_size
        return self._album(f"large-{members}", lambda to: fill(to, members, size))

    def small(self) -> str:
        """
        Previews: many and small.
        """
        members, size = self.scale.small_members, self.scale.small_size
        return self._album(f"small-{members}", lambda to: fill(to, members, size))

    def members(self, count: int) -> str:
        """
        So many members that hardly have any bytes.
        """
        return self._album(f"members-{count}", lambda to: fill(to, count, 64))

    def huge_member(self) -> str:
        """
        One member of ``huge_size`` bytes, all of it a hole: it costs no disk.
        """
        size = self.scale.huge_size
        return self._album(f"huge-member-{size >> 20}", lambda to: _sparse(to / "movie.mp4", size))

    def huge_album(self) -> str:
        """
        ``huge_size`` bytes in members like those of the large album, which they are links to.
        """
        sources = sorted((self.storage / self.large()).rglob("*.jpg"))
        count = self.scale.huge_size // self.scale.large_size
        return self._album(f"huge-album-{count}", lambda to: _link(to, sources, count))

    def gallery(self) -> str:
        """
        Many tiny pictures, with all that cameras write.
        """
        count = self.scale.gallery_pictures
        return self._album(f"gallery-{count}", lambda to: _pictures(to, count, pictures.TINY))

    def dropped(self) -> str:
        """
        Pictures as a site shows them.
        """
        count = self.scale.dropped_pictures
        return self._album(f"dropped-{count}", lambda to: _pictures(to, count, pictures.SMALL))

    def photos(self) -> str:
        """
        Pictures as cameras make them.
        """
        count = self.scale.previewed_pictures
        return self._album(f"photos-{count}", lambda to: _pictures(to, count, pictures.PHOTO))

    def upload(self) -> Path:
        """
        One file of ``upload_size`` random bytes, in the page cache: what large uploads send.
        """
        path = self.work / f"upload-{self.scale.upload_size >> 20}"
        if not path.exists() or path.stat().st_size != self.scale.upload_size:
            self.work.mkdir(parents=True, exist_ok=True)
            with path.open("wb") as target:
                for _ in range(self.scale.upload_size // _GULP):
                    target.write(os.urandom(_GULP))
            os.sync()
        _read(path)
        return path

    def _album(self, name: str, make: Callable[[Path], None]) -> str:
        finished = self.storage / name
        if not finished.exists():
            self.storage.mkdir(parents=True, exist_ok=True)
            unfinished = self.work / f"{name}.unfinished"
            shutil.rmtree(unfinished, ignore_errors=True)
            unfinished.mkdir()
            make(unfinished)
            os.sync()
            unfinished.rename(finished)
        return name

    def ready_zip(self, album: str) -> Path:
        """
        The album as a ZIP file, for a server that only sends what is there.
        """
        finished = self.zips / f"{album}.zip"
        if not finished.exists():
            self.zips.mkdir(parents=True, exist_ok=True)
            unfinished = finished.with_suffix(".unfinished")
            with zipfile.ZipFile(unfinished, "w") as archive:
                for path in self.files(album):
                    archive.write(path, path.relative_to(self.storage / album))
            os.sync()
            unfinished.rename(finished)
        return finished

    def files(self, album: str) -> Iterator[Path]:
        """
        Every member of an album.
        """
        return (path for path in sorted((self.storage / album).rglob("*")) if path.is_file())

    def into_cache(self, album: str) -> None:
        """
        Read the whole album, so that the kernel has it in memory.
        """
        for path in self.files(album):
            _read(path)

    def out_of_cache(self, album: str) -> None:
        """
        Have the kernel forget the album's bytes.  Needs them written to the disk, which ``_album`` saw to.
        """
        for path in self.files(album):
            descriptor = os.open(path, os.O_RDONLY)
            try:
                os.posix_fadvise(descriptor, 0, 0, os.POSIX_FADV_DONTNEED)
            finally:
                os.close(descriptor)


def _read(path: Path) -> None:
    with path.open("rb", buffering=0) as source:
        while source.read(_GULP):
            pass


def fill(folder: Path, members: int, size: int) -> None:
    """
    Make so many files of ``size`` random bytes, 1,000 to a sub-folder.
    """
    for number in range(members):
        path = folder / f"{number // 1000:03}" / f"IMG_{number:06}.jpg"
        path.parent.mkdir(exist_ok=True)
        path.write_bytes(os.urandom(size))
        os.utime(path, (MEMBER_TIME, MEMBER_TIME))


def _pictures(folder: Path, members: int, size: tuple[int, int]) -> None:
    pictures.fill(folder, members, size, MEMBER_TIME)


def _sparse(path: Path, size: int) -> None:
    path.touch()
    os.truncate(path, size)
    os.utime(path, (MEMBER_TIME, MEMBER_TIME))


def _link(folder: Path, sources: list[Path], count: int) -> None:
    for number in range(count):
        path = folder / f"IMG_{number:06}.jpg"
        path.hardlink_to(sources[number % len(sources)])
