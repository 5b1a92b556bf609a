"""A restore into the local Drive, and somebody who edits it between the requests."""

import hashlib
from contextlib import asynccontextmanager

from include.drive_backup.drive.client import DriveSettings
from include.drive_backup.drive.source import GoogleDrive
from include.drive_backup.manifest.repository import SnapshotRepository
from include.drive_backup.model import Source
from include.drive_backup.pacing import QuotaLimiter
from include.drive_backup.restore.drive import DriveFolder
from include.drive_backup.restore.drive_target import open_target
from include.drive_backup.restore.run import restore
from include.drive_backup.restore.selection import Selection, select, twins_of
from include.local_cloud.drive import ANN, edits
from include.local_cloud.drive.content import BytesContent
from include.local_cloud.drive.faults import Rule
from tests.support.local_drive import OneToken, backup_of

SOURCE = Source.parse(f"user/{ANN}")
NATIVE = "application/vnd.google-apps."


def bytes_of(revision):
    content = revision.content
    return b"".join(bytes(content.read(a, b)) for a, b in content.pieces(0, content.size))


class World:
    def __init__(self, local, backup, drive):
        self.local, self.backup, self.drive, self.clock = local, backup, drive, backup.clock
        self.results = []

    async def bring_back(self, to=f"user/{ANN}", *, merge=False, conflict="copy", permissions=None, **selection):
        store = self.backup.store
        manifest = await SnapshotRepository(store).find(SOURCE)
        wanted = await select(store, manifest, Selection(**selection))
        target = await open_target(self.drive, manifest, Source.parse(to), store.url, merge=merge)
        twins = twins_of(wanted.values())
        destination = DriveFolder(
            self.drive.writer, store, target, self.clock, conflict=conflict, permissions=permissions, twins=twins
        )
        await destination.recall()
        results = self.results = []
        counts = await restore(store, manifest, wanted, destination, results.append, in_flight=4)
        return counts, results, target.folder_id

    def tree(self, folder):
        """Path → what is there, below a folder: bytes, or the type."""
        found = []
        for item in self.local.state.items.values():
            if folder in item.parents and not item.explicitly_trashed:
                if item.mime_type == f"{NATIVE}folder":
                    found += [(f"{item.name}/{path}", value) for path, value in self.tree(item.id)]
                value = bytes_of(item.revisions[-1]) if item.revisions and not item.native else item.mime_type
                found.append((item.name, value))
        return sorted(found, key=lambda each: (each[0], hashlib.sha256(repr(each[1]).encode()).digest()))

    def named(self, name, folder):
        [found] = [i for i in self.local.state.items.values() if i.name == name and folder in i.parents]
        return found

    def put(self, name, folder, content, **more):
        """Somebody puts a file there."""
        return edits.create(self.local.state, name, folder, BytesContent(content), by=ANN, **more)

    def save(self, item, content):
        """Somebody saves other content over a file."""
        edits.write(self.local.state, item, BytesContent(content), by=ANN)

    def thrown_away(self):
        return [item.name for item in self.local.state.items.values() if item.explicitly_trashed]

    def faults(self, *rules):
        self.local.server.service.faults.rules = [Rule(**rule) for rule in rules]

    def beside(self, monkeypatch, step, action):
        """Do something before a request of the restore, or after the last one; gives how many requests there were."""
        client, seen = self.drive._client, []
        follow = client._follow

        async def interrupted(method, url, headers, token, data):
            if len(seen) == step:
                action()
            seen.append(f"{method} {url.path}")
            return await follow(method, url, headers, token, data)

        monkeypatch.setattr(client, "_follow", interrupted)
        return seen


@asynccontextmanager
async def opened(local):
    async with backup_of(local, attempts=3) as backup:
        await backup.run("2026-03-01", formats={"document": ["docx"], "drawing": ["svg"]})
        drive = GoogleDrive(
            OneToken(local.server.token(ANN, "drive")),
            limiter=QuotaLimiter(backup.clock),
            clock=backup.clock,
            api_endpoint=local.server.url,
            settings=DriveSettings(attempts=3),
        )
        async with drive:
            yield World(local, backup, drive)
