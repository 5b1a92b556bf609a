"""Exports that programs can open: minimal but valid documents made of a native's text.

Archives carry the time of the export, so that two exports of one document differ in bytes, as Drive's do.
"""

from __future__ import annotations

import base64
import csv
import io
import random
import struct
import zipfile
import zlib
from datetime import UTC, datetime
from html import escape

import msgspec

from include.local_cloud.drive import ooxml, opendocument
from include.local_cloud.drive.clock import to_text
from include.local_cloud.drive.formats import EXTENSIONS

# A grey pixel; JPEG has no form that is worth writing by hand.
_JPEG = base64.b64decode(
    "/9j/4AAQSkZJRgABAQAAAQABAAD/2wBDAP//////////////////////////////////////////////////////////////////////////////////"
    "////wAALCAABAAEBAREA/8QAFAABAAAAAAAAAAAAAAAAAAAAAP/EABQQAQAAAAAAAAAAAAAAAAAAAAD/2gAIAQEAAD8AP//Z"
)
_PDF_PAGE = (
    b"<< /Type /Page /Parent 2 0 R /MediaBox [0 0 595 842] /Contents 4 0 R "
    b"/Resources << /Font << /F1 << /Type /Font /Subtype /Type1 /BaseFont /Helvetica "
    b"/Encoding /WinAnsiEncoding >> >> >> >>"
)
_EPUB_CONTAINER = (
    '<?xml version="1.0"?><container version="1.0" xmlns="urn:oasis:names:tc:opendocument:xmlns:container"><rootfiles>'
    '<rootfile full-path="book.opf" media-type="application/oebps-package+xml"/></rootfiles></container>'
)


def render(mime_type: str, title: str, text: str, moment: int, padding: int = 0) -> bytes:
    """Export a document.

    :param mime_type: one of :data:`formats.EXTENSIONS`.
    :param text: paragraphs by lines; a sheet's cells by tabs.
    :param moment: the time of the export, ms since 1970; archives show it.
    :param padding: incompressible bytes that archives and PDFs carry on top.
    """
    kind = EXTENSIONS[mime_type]
    noise = random.Random(title).randbytes(padding)
    lines = text.splitlines()
    if kind in {"txt", "md", "tsv"}:
        return text.encode()
    if kind in _PLAIN:
        return _PLAIN[kind](title, lines)
    if kind == "pdf":
        return _pdf(lines, moment, noise)
    parts = _ARCHIVES[kind](title, lines, mime_type, moment)
    return archive(parts | ({"padding.bin": noise} if padding and kind == "zip" else {}), moment, noise)


def archive(parts: dict[str, str | bytes], moment: int, noise: bytes = b"") -> bytes:
    """A zip whose entries show a time; ``mimetype`` is stored first and plain, as OpenDocument and EPUB demand."""
    # DOS time counts in steps of two seconds from 1980.
    stamp = datetime.fromtimestamp(max(moment // 1000, 315_619_200), UTC).timetuple()[:6]
    target = io.BytesIO()
    with zipfile.ZipFile(target, "w", zipfile.ZIP_DEFLATED) as bundle:
        for name, data in parts.items():
            entry = zipfile.ZipInfo(name, stamp)
            entry.compress_type = zipfile.ZIP_STORED if name == "mimetype" else zipfile.ZIP_DEFLATED
            bundle.writestr(entry, data)
        # A comment of the archive holds at most 64 KiB: padding is an entry of its own that readers ignore.
        if noise and "padding.bin" not in parts:
            bundle.writestr(zipfile.ZipInfo("docProps/thumbnail.jpeg", stamp), noise)
    return target.getvalue()


def _rtf(_title: str, lines: list[str]) -> bytes:
    def encode(line: str) -> str:
        safe = line.replace("\\", "\\\\").replace("{", "\\{").replace("}", "\\}")
        units = struct.unpack(f"<{len(safe.encode('utf-16-le')) // 2}h", safe.encode("utf-16-le"))
        return "".join(chr(unit) if 0 < unit < 128 else f"\\u{unit}?" for unit in units)

    return ("{\\rtf1\\ansi\\deff0 " + "\\par\n".join(map(encode, lines)) + "}").encode("ascii")


def _html(title: str, lines: list[str]) -> bytes:
    body = "".join(f"<p>{escape(line)}</p>" for line in lines)
    head = f'<head><meta charset="utf-8"/><title>{escape(title)}</title></head>'
    return f'<!DOCTYPE html><html xmlns="http://www.w3.org/1999/xhtml">{head}<body>{body}</body></html>'.encode()


def _csv(_title: str, lines: list[str]) -> bytes:
    target = io.StringIO()
    csv.writer(target, lineterminator="\r\n").writerows(line.split("\t") for line in lines)
    return target.getvalue().encode()


def _svg(title: str, lines: list[str]) -> bytes:
    rows = "".join(f'<text x="10" y="{20 * n + 20}">{escape(line)}</text>' for n, line in enumerate(lines))
    root = '<svg xmlns="http://www.w3.org/2000/svg" width="640" height="480">'
    return f'<?xml version="1.0" encoding="UTF-8"?>{root}<title>{escape(title)}</title>{rows}</svg>'.encode()


def _png(_title: str, lines: list[str]) -> bytes:
    """A picture that depends on the text: one row of grey pixels a line."""
    width, rows = 16, lines or [""]
    pixels = b"".join(b"\0" + line.encode()[:width].ljust(width, b"\0") for line in rows)

    def chunk(kind: bytes, data: bytes) -> bytes:
        return struct.pack(">I", len(data)) + kind + data + struct.pack(">I", zlib.crc32(kind + data))

    header = struct.pack(">IIBBBBB", width, len(rows), 8, 0, 0, 0, 0)
    chunks = chunk(b"IHDR", header) + chunk(b"IDAT", zlib.compress(pixels)) + chunk(b"IEND", b"")
    return b"\x89PNG\r\n\x1a\n" + chunks


def _script(title: str, lines: list[str]) -> bytes:
    files = [{"id": "1", "name": title, "type": "server_js", "source": "\n".join(lines)}]
    return msgspec.json.encode({"files": files})


def _pdf(lines: list[str], moment: int, noise: bytes) -> bytes:
    """One page; the text in Windows-1252, the padding as an object that nothing refers to."""

    def line(text: str) -> bytes:
        safe = text.replace("\\", "\\\\").replace("(", "\\(").replace(")", "\\)")
        return b"(" + safe.encode("cp1252", "replace") + b") Tj T*"

    drawing = b"BT /F1 12 Tf 14 TL 50 780 Td " + b" ".join(map(line, lines)) + b" ET"
    created = f"{datetime.fromtimestamp(moment / 1000, UTC):%Y%m%d%H%M%S}"
    objects = [
        b"<< /Type /Catalog /Pages 2 0 R >>",
        b"<< /Type /Pages /Kids [3 0 R] /Count 1 >>",
        _PDF_PAGE,
        b"<< /Length %d >>\nstream\n%b\nendstream" % (len(drawing), drawing),
        b"<< /CreationDate (D:%bZ) /ID (%d) >>" % (created.encode(), moment),
        *([b"<< /Length %d >>\nstream\n%b\nendstream" % (len(noise), noise)] if noise else []),
    ]
    parts, offsets, position = [b"%PDF-1.4\n%\xe2\xe3\xcf\xd3\n"], [], 15
    for number, data in enumerate(objects, 1):
        offsets.append(position)
        parts.append(b"%d 0 obj\n%b\nendobj\n" % (number, data))
        position += len(parts[-1])
    table = b"".join(b"%010d 00000 n \n" % offset for offset in offsets)
    parts.append(b"xref\n0 %d\n0000000000 65535 f \n%b" % (len(objects) + 1, table))
    parts.append(b"trailer\n<< /Size %d /Root 1 0 R /Info 5 0 R >>\n" % (len(objects) + 1))
    parts.append(b"startxref\n%d\n%%%%EOF\n" % position)
    return b"".join(parts)


def _web_archive(title: str, lines: list[str], _mime_type: str, _moment: int) -> dict[str, str | bytes]:
    return {f"{title.replace('/', '_')[:80]}.html": _html(title, lines)}


def _epub(title: str, lines: list[str], mime_type: str, moment: int) -> dict[str, str | bytes]:
    package = (
        '<?xml version="1.0"?><package xmlns="http://www.idpf.org/2007/opf" version="3.0" unique-identifier="id">'
        '<metadata xmlns:dc="http://purl.org/dc/elements/1.1/"><dc:identifier id="id">local</dc:identifier>'
        f"<dc:title>{escape(title)}</dc:title><dc:language>en</dc:language>"
        f'<meta property="dcterms:modified">{to_text(moment)[:19]}Z</meta></metadata><manifest>'
        '<item id="t" href="text.xhtml" media-type="application/xhtml+xml"/>'
        '<item id="n" href="nav.xhtml" media-type="application/xhtml+xml" properties="nav"/></manifest>'
        '<spine><itemref idref="t"/></spine></package>'
    )
    contents = (
        '<html xmlns="http://www.w3.org/1999/xhtml" xmlns:epub="http://www.idpf.org/2007/ops"><head><title>Contents'
        '</title></head><body><nav epub:type="toc"><ol><li><a href="text.xhtml">'
        f"{escape(title)}</a></li></ol></nav></body></html>"
    )
    return {
        "mimetype": mime_type,
        "META-INF/container.xml": _EPUB_CONTAINER,
        "book.opf": package,
        "nav.xhtml": contents,
        "text.xhtml": _html(title, lines),
    }


def _mp4(_title: str, lines: list[str]) -> bytes:
    """The boxes of an MP4 without a track: what it is, the text where pictures would be, and a header of 100 zeros."""
    header = struct.pack(">I4s", 108, b"mvhd") + bytes(100)
    boxes = ((b"ftyp", b"isom\0\0\2\0isom"), (b"mdat", "\n".join(lines).encode()), (b"moov", header))
    return b"".join(struct.pack(">I", 8 + len(body)) + kind + body for kind, body in boxes)


_PLAIN = {
    "rtf": _rtf,
    "html": _html,
    "csv": _csv,
    "svg": _svg,
    "png": _png,
    "jpg": lambda _title, _lines: _JPEG,
    "json": _script,
    "mp4": _mp4,
}
_ARCHIVES = {
    "docx": ooxml.document,
    "xlsx": ooxml.workbook,
    "pptx": ooxml.presentation,
    "odt": opendocument.package,
    "ods": opendocument.package,
    "odp": opendocument.package,
    "zip": _web_archive,
    "epub": _epub,
}
