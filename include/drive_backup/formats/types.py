"""What the Content-Type of an answer says about the bytes in it."""

from __future__ import annotations

import mimetypes

from include.drive_backup.exports import MIME_TYPES
from include.drive_backup.formats.check import is_checked

PAGES = frozenset({"text/html", "application/xhtml+xml"})
_JSON = "application/json"
#: Types that say nothing.
_ANY = frozenset({"", "application/octet-stream", "application/binary", "binary/octet-stream"})


def may_be_export(asked: str, answered: str) -> bool:
    """Whether an answer may be an export as a MIME type.

    Where the bytes themselves tell, only a type of what Google's errors and sign-in pages are is refused. A text has
    nothing but its type, and kinds of plain text have several names: any of a text will do that is no page and no XML.
    """
    names = next((names for names in MIME_TYPES.values() if asked in names), (asked,))
    if answered in _ANY or answered in names:
        return True
    if not is_checked(asked):
        return answered.startswith("text/") and answered not in {*PAGES, "text/xml"}
    return answered not in PAGES and (answered != _JSON or "json" in asked)


def may_be_file(mime_type: str, name: str, answered: str) -> bool:
    """Whether an answer may be a file's own bytes: no page and no error in the place of something else.

    :param mime_type: what Drive says of the file.
    :param name: its name in Drive.
    """
    if answered not in {*PAGES, _JSON}:
        return True
    own = {mime_type.partition(";")[0].strip().lower(), mimetypes.guess_type(name.lower())[0]}
    return answered in own or (answered in PAGES and not own.isdisjoint(PAGES))
