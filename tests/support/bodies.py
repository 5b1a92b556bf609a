"""Small whole files of the formats that Drive exports, made by other means than the program's own."""

from __future__ import annotations

import io
import json
import struct
import zipfile
import zlib

from include.drive_backup.exports import MIME_TYPES

OFFICE = {"docx": "word/document.xml", "xlsx": "xl/workbook.xml", "pptx": "ppt/presentation.xml"}
XML = '<?xml version="1.0" encoding="UTF-8"?>\n'


def zipped(
    parts: dict[str, bytes | str], *, comment: bytes = b"", stored: bool = False, streamed: bool = False
) -> bytes:
    """A zip.

    :param stored: entries are not compressed.
    :param streamed: lengths and CRCs follow the entries, as where the writer cannot seek.
    """
    buffer = io.BytesIO()
    with zipfile.ZipFile(OneWay(buffer) if streamed else buffer, "w") as archive:
        for name, data in parts.items():
            plain = stored or name == "mimetype"
            archive.writestr(name, data, zipfile.ZIP_STORED if plain else zipfile.ZIP_DEFLATED)
        archive.comment = comment
    return buffer.getvalue()


class OneWay(io.RawIOBase):
    """A file that can only be written forward."""

    def __init__(self, target: io.BytesIO) -> None:
        self._target = target

    def writable(self) -> bool:
        return True

    def write(self, data: bytes) -> int:  # type: ignore[override]
        return self._target.write(data)


def office(kind: str, text: str = "text", **how: bool) -> bytes:
    """A docx, xlsx or pptx."""
    parts = {"[Content_Types].xml": f"{XML}<Types/>", "_rels/.rels": f"{XML}<R/>", OFFICE[kind]: f"{XML}<w>{text}</w>"}
    return zipped(parts, **how)


def open_document(kind: str) -> bytes:
    """An odt, ods or odp."""
    parts = {"mimetype": MIME_TYPES[kind][0], "content.xml": f"{XML}<o/>", "META-INF/manifest.xml": f"{XML}<m/>"}
    return zipped(parts)


def epub() -> bytes:
    return zipped({"mimetype": MIME_TYPES["epub"][0], "META-INF/container.xml": f"{XML}<c/>", "a.xhtml": "<html/>"})


def pdf(text: bytes = b"text", after: bytes = b"") -> bytes:
    objects = b"%PDF-1.7\n1 0 obj\n<< /Type /Catalog >>\nendobj\n2 0 obj\n(" + text + b")\nendobj\n"
    table = b"xref\n0 3\n0000000000 65535 f \n0000000009 00000 n \n0000000046 00000 n \n"
    trailer = b"trailer\n<< /Size 3 /Root 1 0 R >>\nstartxref\n%d\n%%%%EOF\n" % len(objects)
    return objects + table + trailer + after


def png(rows: int = 3) -> bytes:
    def chunk(kind: bytes, data: bytes) -> bytes:
        return struct.pack(">I", len(data)) + kind + data + struct.pack(">I", zlib.crc32(kind + data))

    pixels = zlib.compress(
        b"".join(b"\0" + bytes((row * 7 + column) % 256 for column in range(16)) for row in range(rows))
    )
    header = struct.pack(">IIBBBBB", 16, rows, 8, 0, 0, 0, 0)
    return b"\x89PNG\r\n\x1a\n" + chunk(b"IHDR", header) + chunk(b"IDAT", pixels) + chunk(b"IEND", b"")


def jpeg(thumbnail: bytes = b"") -> bytes:
    """A picture whose Exif part may hold another one, with an end of its own."""
    exif = b"Exif\0\0" + thumbnail
    scan = b"\xff\xda" + struct.pack(">H", 8) + b"\1\1\0\0\x3f\0" + b"data\xff\0more\xff\xd0again" * 30
    return b"\xff\xd8\xff\xe1" + struct.pack(">H", 2 + len(exif)) + exif + scan + b"\xff\xd9"


def mp4(data: bytes = b"pictures") -> bytes:
    boxes = ((b"ftyp", b"isom\0\0\2\0isom"), (b"mdat", data), (b"moov", b"\0\0\0\x08free"))
    return b"".join(struct.pack(">I", 8 + len(body)) + kind + body for kind, body in boxes)


def script(source: str = "function a() {}") -> bytes:
    return json.dumps({"files": [{"id": "1", "name": "Ä", "type": "server_js", "source": source}]}).encode()


SVG = (XML + '<svg xmlns="http://www.w3.org/2000/svg">' + "<g/>" * 30 + "</svg>").encode()

#: One of each; the texts have nothing that says where they end.
WHOLE: dict[str, bytes] = {
    **{kind: office(kind) for kind in OFFICE},
    **{kind: open_document(kind) for kind in ("odt", "ods", "odp")},
    "epub": epub(),
    "zip": zipped({"Doc.html": "<html/>"}),
    "pdf": pdf(),
    "png": png(),
    "jpg": jpeg(),
    "svg": SVG,
    "mp4": mp4(),
    "json": script(),
    "rtf": b"{\\rtf1\\ansi {\\b bold \\{ \\\\} text}",
}
TEXTS = ("txt", "md", "csv", "tsv")
