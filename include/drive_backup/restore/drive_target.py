"""Where in Drive a restore goes to: a user, a shared drive or a folder; there a new folder, unless asked otherwise."""

from __future__ import annotations

import hashlib

from include.drive_backup.drive.source import GoogleDrive
from include.drive_backup.drive.writing import DriveWriter
from include.drive_backup.manifest.manifest import Manifest
from include.drive_backup.model import FOLDER, Source, Struct
from include.drive_backup.restore.drive_metadata import ITEM_KEY, RESTORE_KEY, mark

_TOP = "~top"


class DriveTarget(Struct, frozen=True):
    """The folder that a restore writes into.

    :param key: names the restore: the same snapshot into the same place is the same restore, so that it is completed
        when it is run again, and not made twice.
    :param drive_id: of the shared drive that the folder is in.
    :param merge: items go straight into a folder that is there already, and meet what is in it.
    """

    folder_id: str
    key: str
    drive_id: str | None = None
    merge: bool = False

    def marks(self, item_id: str, content_format: str = "") -> dict[str, str]:
        """The ``appProperties`` of what this restore makes."""
        return {RESTORE_KEY: self.key, ITEM_KEY: mark(item_id, content_format)}

    @property
    def query(self) -> str:
        """Finds all that this restore has made."""
        return f"appProperties has {{ key='{RESTORE_KEY}' and value='{self.key}' }} and trashed = false"

    def query_for(self, item_id: str, content_format: str) -> str:
        """Finds one thing that this restore has made."""
        value = mark(item_id, content_format)
        return f"{self.query} and appProperties has {{ key='{ITEM_KEY}' and value='{value}' }}"


def restore_key(where: str, manifest: Manifest, to: Source, *, merge: bool) -> str:
    """The name of a restore.

    :param where: the URL of the container.
    """
    text = "\0".join((where, manifest.name.manifest, str(to), "merge" if merge else ""))
    return hashlib.sha256(text.encode()).hexdigest()[:32]


def new_folder_name(manifest: Manifest) -> str:
    """What the new folder is called."""
    return f"Restored {manifest.source} as of {manifest.name.shown}"


async def open_target(
    drive: GoogleDrive, manifest: Manifest, to: Source, where: str, *, merge: bool = False
) -> DriveTarget:
    """Find the place, and make the new folder in it unless an earlier try did.

    :param to: ``user/…``, ``drive/…`` or ``folder/…``.
    :param where: the URL of the container.
    :param merge: restore straight into the place.
    :raises SourceNotFoundError: the place is not there, or out of reach.
    """
    root = await drive.root(to)
    key = restore_key(where, manifest, to, merge=merge)
    drive_id = root.id if to.kind == "drive" else root.drive_id
    target = DriveTarget(folder_id=root.id, key=key, drive_id=drive_id, merge=merge)
    if merge:
        return target
    return DriveTarget(folder_id=await _new_folder(drive.writer, target, manifest), key=key, drive_id=drive_id)


async def _new_folder(writer: DriveWriter, target: DriveTarget, manifest: Manifest) -> str:
    async for found in writer.find(target.query_for(_TOP, ""), target.drive_id, "an earlier try of this restore"):
        return str(found["id"])
    [file_id] = await writer.generate_ids(1)
    metadata = {
        "name": new_folder_name(manifest),
        "mimeType": FOLDER,
        "parents": [target.folder_id],
        "appProperties": target.marks(_TOP),
    }
    return str((await writer.create(metadata, file_id))["id"])
