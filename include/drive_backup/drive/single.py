"""A single file as a source: what may be one, and what stands for the folder that it does not start at. Pure."""

from __future__ import annotations

from include.drive_backup.errors import SourceNotFoundError
from include.drive_backup.model import FOLDER, Item, Source
from include.drive_backup.values import read_object, read_text


def file_root(item: Item) -> Item:
    """A single file has no folder above it that is part of the source. This stands for one, with the file's state."""
    return Item(id="", name=item.name, mime_type=FOLDER, trashed=item.trashed)


def check_file(source: Source, item: Item) -> None:
    """Refuse what has no content of its own: a backup of it would hold nothing, and look like one that does.

    :raises SourceNotFoundError: it is a folder or a shortcut; with the source to write instead.
    """
    if item.kind == "folder":
        raise SourceNotFoundError(
            f"{source} is not a file but the folder '{item.name}'. Write folder/{item.id} to save all that it holds.",
            reason="notAFile",
        )
    if item.kind == "shortcut":
        target = read_text(read_object(item.resource.get("shortcutDetails")).get("targetId"))
        named = f"Name what it leads to: file/{target}." if target else "It has no content that Drive could give."
        raise SourceNotFoundError(
            f"{source} is not a file but the shortcut '{item.name}' ({item.mime_type}). {named}", reason="notAFile"
        )
