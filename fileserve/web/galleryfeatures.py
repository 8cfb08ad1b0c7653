"""
What the pages of galleries and of their uploads are made over.
"""

from __future__ import annotations

from attrs import frozen

from fileserve.files.contents import Contents
from fileserve.files.downloads import Downloads
from fileserve.gallery.noticing import Noticing
from fileserve.gallery.order import Order
from fileserve.gallery.previews import Previews
from fileserve.gallery.removal import Removal
from fileserve.gallery.uploading import PictureUploads, UploadRules
from fileserve.storage.interfaces import IFileStore


@frozen
class GalleryFeatures:
    """
    What the routes of galleries need.
    """

    store: IFileStore
    contents: Contents
    order: Order
    noticing: Noticing
    previews: Previews
    uploads: PictureUploads
    removal: Removal
    downloads: Downloads
    #: Those over the view of the store in which no picture says where it was taken.
    stripped: Downloads
    #: The album that everybody may see; ``None`` for none.
    album: str | None
    #: Bytes of the largest file that is taken.
    max_upload: int
    #: What is told of them before pictures are chosen.
    rules: UploadRules
