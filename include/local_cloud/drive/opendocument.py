"""The parts of minimal OpenDocument packages (ISO/IEC 26300)."""

from __future__ import annotations

from html import escape

from include.local_cloud.drive.clock import to_text

_OASIS = "urn:oasis:names:tc:opendocument:xmlns:"
_SPACES = " ".join(
    f'xmlns:{prefix}="{_OASIS}{name}:1.0"'
    for prefix, name in (
        ("office", "office"),
        ("text", "text"),
        ("table", "table"),
        ("draw", "drawing"),
        ("meta", "meta"),
        ("svg", "svg-compatible"),
    )
)
_XML = '<?xml version="1.0" encoding="UTF-8"?>\n'


def package(title: str, lines: list[str], mime_type: str, moment: int) -> dict[str, str | bytes]:
    """Text, sheet or slides, by MIME type."""
    mime_type = mime_type.replace("x-vnd", "vnd")
    kind = mime_type.rpartition(".")[2]
    content = (
        f'{_XML}<office:document-content {_SPACES} office:version="1.2"><office:body><office:{kind}>'
        f"{_BODIES[kind](title, lines)}</office:{kind}></office:body></office:document-content>"
    )
    meta = (
        f'{_XML}<office:document-meta {_SPACES} office:version="1.2"><office:meta>'
        f"<meta:creation-date>{to_text(moment)[:19]}</meta:creation-date></office:meta></office:document-meta>"
    )
    entries = (("/", mime_type), ("content.xml", "text/xml"), ("meta.xml", "text/xml"))
    rows = "".join(f'<m:file-entry m:full-path="{p}" m:media-type="{t}"/>' for p, t in entries)
    manifest = f'{_XML}<m:manifest xmlns:m="{_OASIS}manifest:1.0" m:version="1.2">{rows}</m:manifest>'
    return {"mimetype": mime_type, "content.xml": content, "meta.xml": meta, "META-INF/manifest.xml": manifest}


def _text(_title: str, lines: list[str]) -> str:
    return "".join(f"<text:p>{escape(line)}</text:p>" for line in lines)


def _spreadsheet(_title: str, lines: list[str]) -> str:
    rows = "".join(
        "<table:table-row>"
        + "".join(
            f'<table:table-cell office:value-type="string"><text:p>{escape(value)}</text:p></table:table-cell>'
            for value in line.split("\t")
        )
        + "</table:table-row>"
        for line in lines
    )
    return f'<table:table table:name="Sheet1">{rows}</table:table>'


def _presentation(title: str, lines: list[str]) -> str:
    box = '<draw:frame svg:width="20cm" svg:height="15cm" svg:x="1cm" svg:y="1cm"><draw:text-box>'
    return f'<draw:page draw:name="{escape(title)}">{box}{_text(title, lines)}</draw:text-box></draw:frame></draw:page>'


_BODIES = {"text": _text, "spreadsheet": _spreadsheet, "presentation": _presentation}
