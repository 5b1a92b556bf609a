"""The two parts of a multipart upload: metadata and bytes.

Google's Python client separates lines with LF alone, which general parsers refuse or repair; no byte of the second part
may change, so the separator is taken from the body itself.
"""

from __future__ import annotations

import re

from include.local_cloud.drive.errors import bad_request

_BOUNDARY = re.compile(r'boundary=("([^"]+)"|[^\s;]+)')


def split(content_type: str, body: bytes) -> list[tuple[str, bytes]]:
    """Cut a ``multipart/related`` body into (media type, bytes).

    :raises ApiError: 400 when it is not well-formed.
    """
    match = _BOUNDARY.search(content_type)
    if match is None:
        raise bad_request("Malformed multipart body: there is no boundary.")
    delimiter = b"--" + (match[2] or match[1]).encode()
    start = body.find(delimiter)
    opening = body[start + len(delimiter) :]
    newline = b"\r\n" if opening.startswith(b"\r\n") else b"\n"
    if start < 0 or not opening.startswith(newline):
        raise bad_request("Malformed multipart body.")
    pieces = (newline + body[start:]).split(newline + delimiter)[1:]
    if len(pieces) < 2 or not pieces[-1].startswith(b"--"):
        raise bad_request("Malformed multipart body: it does not end.")
    return [_part(piece, newline) for piece in pieces[:-1]]


def _part(piece: bytes, newline: bytes) -> tuple[str, bytes]:
    head, blank, data = piece.partition(newline * 2)
    if not blank:
        raise bad_request("Malformed multipart body: a part has no header.")
    media_type = ""
    for line in head.split(newline):
        name, _, value = line.decode("latin-1").partition(":")
        if name.strip().lower() == "content-type":
            media_type = value.partition(";")[0].strip()
    return media_type, data
