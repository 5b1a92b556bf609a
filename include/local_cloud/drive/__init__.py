"""A Google Drive v3 on loopback, as strict as Google's, for the real clients.

``python -m include.local_cloud.drive`` starts it as a process; in a test::

    async with DriveServer(sample_state()) as server:
        session.get(f"{server.url}/drive/v3/files", headers={"Authorization": f"Bearer {server.token(ANN)}"})
"""

from __future__ import annotations

from include.local_cloud.drive.backends.folder import FolderBackend, folder_state
from include.local_cloud.drive.backends.generated import generated_state, organisation_state
from include.local_cloud.drive.backends.sample import ANN, BOB, sample_state
from include.local_cloud.drive.server import DriveServer
from include.local_cloud.drive.state import DriveState

__all__ = [
    "ANN",
    "BOB",
    "DriveServer",
    "DriveState",
    "FolderBackend",
    "folder_state",
    "generated_state",
    "organisation_state",
    "sample_state",
]
