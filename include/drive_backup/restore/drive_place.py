"""The places in Drive that a restore can go to."""

from __future__ import annotations

from include.drive_backup.errors import ConfigError
from include.drive_backup.model import Source


def parse_drive_place(text: str, said: str) -> Source:
    """Read ``user/…``, ``drive/…`` or ``folder/…``.

    :param said: how the person named the value, for the sentence.
    :raises ConfigError: it is no source, or one that nothing can be put into.
    """
    place = Source.parse(text)
    if place.rootless:
        what = "a single file" if place.kind == "file" else "what is shared with a user"
        raise ConfigError(f"{said}: nothing can be restored into {what}. Write user/…, drive/… or folder/… .")
    return place
