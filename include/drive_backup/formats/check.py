"""Which format is checked how."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from functools import partial
from typing import Protocol

from include.drive_backup.exports import MIME_TYPES
from include.drive_backup.formats.pdf import Pdf
from include.drive_backup.formats.pictures import Jpeg, Mp4, Png
from include.drive_backup.formats.texts import Rtf, ScriptJson, Svg
from include.drive_backup.formats.zips import Zip
from include.drive_backup.model import Checked


class Check(Protocol):
    """Sees all bytes of an export go by."""

    def see(self, piece: bytes) -> None:
        """Take the next bytes.

        :raises FlawError: they cannot be of such a file.
        """

    def end(self) -> Checked:
        """All bytes have come: what the check was worth.

        :raises FlawError: it is no whole file.
        """


class NoCheck:
    """Of a text, which may begin and end with anything."""

    def see(self, piece: bytes) -> None:
        """Anything will do."""

    def end(self) -> Checked:
        """Nothing could be checked."""
        return "nothing"


def _office(folder: str) -> Callable[[], Check]:
    return partial(Zip, wanted=(folder,))


def _open_document(extension: str) -> Callable[[], Check]:
    return partial(Zip, wanted=("content.xml",), types=MIME_TYPES[extension])


_CHECKS: Mapping[str, Callable[[], Check]] = {
    "docx": _office("word/"),
    "xlsx": _office("xl/"),
    "pptx": _office("ppt/"),
    "odt": _open_document("odt"),
    "ods": _open_document("ods"),
    "odp": _open_document("odp"),
    "epub": partial(Zip, wanted=("META-INF/container.xml",), types=MIME_TYPES["epub"]),
    "zip": Zip,
    "pdf": Pdf,
    "png": Png,
    "jpg": Jpeg,
    "svg": Svg,
    "json": ScriptJson,
    "rtf": Rtf,
    "mp4": Mp4,
}
_BY_TYPE = {name: _CHECKS[extension] for extension in _CHECKS for name in MIME_TYPES[extension]}


def check_of(mime_type: str) -> Check:
    """The check for an export as a MIME type."""
    return _BY_TYPE.get(mime_type, NoCheck)()


def is_checked(mime_type: str) -> bool:
    """Whether the bytes of an export as a MIME type tell by themselves that they are one."""
    return mime_type in _BY_TYPE
