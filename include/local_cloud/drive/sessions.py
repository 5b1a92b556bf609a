"""Where uploaded bytes wait until they become a revision."""

from __future__ import annotations

import secrets
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, BinaryIO

from include.local_cloud.drive.content import INLINE, BytesContent, Content, FileContent

SESSION_MS = 7 * 24 * 3600 * 1000


@dataclass
class Session:
    """One resumable upload. ``expires`` is in milliseconds since 1970; ``item_id`` is None for a new file."""

    id: str
    email: str
    expires: int
    metadata: dict[str, Any]
    params: dict[str, Any]
    item_id: str | None
    content_type: str | None
    path: Path
    file: BinaryIO
    received: int = 0
    finished: bool = field(default=False)

    def write(self, data: bytes) -> None:
        """Take the next bytes."""
        self.file.write(data)
        self.received += len(data)

    def content(self) -> Content:
        """All that came; small bodies move to memory."""
        self.file.close()
        if self.received > INLINE:
            return FileContent(self.path, self.received)
        data = self.path.read_bytes()
        self.path.unlink()
        return BytesContent(data)


class Sessions:
    """The uploads under way.

    :param folder: where bodies are kept.
    """

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self._open: dict[str, Session] = {}

    def start(self, email: str, now: int, metadata: dict[str, Any], params: dict[str, Any], **more: Any) -> Session:
        """A new session."""
        ident = secrets.token_urlsafe(24)
        self.folder.mkdir(parents=True, exist_ok=True)
        path = self.folder / ident
        handle = path.open("wb")
        session = Session(ident, email, now + SESSION_MS, metadata, params, path=path, file=handle, **more)
        self._open[ident] = session
        return session

    def find(self, ident: str, now: int) -> Session | None:
        """An open session, or None when it is unknown, done or older than a week."""
        session = self._open.get(ident)
        return session if session is not None and session.expires > now else None

    def end(self, session: Session) -> None:
        """Forget a session; its content may stay in use."""
        session.file.close()
        self._open.pop(session.id, None)

    def close(self) -> None:
        """Forget all of them."""
        for session in list(self._open.values()):
            self.end(session)
            session.path.unlink(missing_ok=True)
