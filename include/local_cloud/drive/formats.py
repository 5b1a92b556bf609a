"""Google's editor types, what they export to, and where their export links point.

Sources: guide "Export MIME types" for the formats; the variants that live ``exportLinks`` offer beside them
(``x-vnd.oasis…``, ``text/x-markdown``, plain HTML) are from experience with the live API.
"""

from __future__ import annotations

from urllib.parse import urlencode

from include.local_cloud.drive.model import NATIVE

DOCUMENT = NATIVE + "document"
SPREADSHEET = NATIVE + "spreadsheet"
PRESENTATION = NATIVE + "presentation"
DRAWING = NATIVE + "drawing"
SCRIPT = NATIVE + "script"
FORM = NATIVE + "form"
SITE = NATIVE + "site"
VID = NATIVE + "vid"
JAM = NATIVE + "jam"

OOXML = "application/vnd.openxmlformats-officedocument."
ODF = "application/vnd.oasis.opendocument."
EXTENSIONS = {
    OOXML + "wordprocessingml.document": "docx",
    OOXML + "spreadsheetml.sheet": "xlsx",
    OOXML + "presentationml.presentation": "pptx",
    ODF + "text": "odt",
    ODF + "spreadsheet": "ods",
    "application/x-vnd.oasis.opendocument.spreadsheet": "ods",
    ODF + "presentation": "odp",
    "application/rtf": "rtf",
    "application/pdf": "pdf",
    "text/plain": "txt",
    "text/html": "html",
    "text/markdown": "md",
    "text/x-markdown": "md",
    "application/zip": "zip",
    "application/epub+zip": "epub",
    "text/csv": "csv",
    "text/tab-separated-values": "tsv",
    "image/jpeg": "jpg",
    "image/png": "png",
    "image/svg+xml": "svg",
    "application/vnd.google-apps.script+json": "json",
    "video/mp4": "mp4",
}

_TEXTS = ["application/rtf", ODF + "text", "text/html", "application/pdf", "text/x-markdown", "text/markdown"]
_PICTURES = ["image/svg+xml", "image/png", "application/pdf", "image/jpeg"]
EXPORT_FORMATS: dict[str, list[str]] = {
    DOCUMENT: [
        *_TEXTS,
        "application/epub+zip",
        "application/zip",
        OOXML + "wordprocessingml.document",
        "text/plain",
    ],
    SPREADSHEET: [
        "application/x-vnd.oasis.opendocument.spreadsheet",
        "text/tab-separated-values",
        "application/pdf",
        OOXML + "spreadsheetml.sheet",
        "text/csv",
        "application/zip",
        ODF + "spreadsheet",
    ],
    PRESENTATION: [ODF + "presentation", OOXML + "presentationml.presentation", "text/plain", *_PICTURES],
    DRAWING: _PICTURES,
    SCRIPT: ["application/vnd.google-apps.script+json"],
}
# What files.download gives when it is not told a format (guide: Download and export files).
DEFAULT_EXPORT = {
    DOCUMENT: OOXML + "wordprocessingml.document",
    SPREADSHEET: OOXML + "spreadsheetml.sheet",
    PRESENTATION: OOXML + "presentationml.presentation",
    DRAWING: "image/png",
    SCRIPT: "application/vnd.google-apps.script+json",
    FORM: "application/zip",
    SITE: "text/plain",
    VID: "video/mp4",
    JAM: "application/pdf",
}
IMPORT_FORMATS: dict[str, list[str]] = {
    OOXML + "wordprocessingml.document": [DOCUMENT],
    ODF + "text": [DOCUMENT],
    "application/rtf": [DOCUMENT],
    "text/html": [DOCUMENT],
    "text/markdown": [DOCUMENT],
    "text/plain": [DOCUMENT],
    "application/pdf": [DOCUMENT],
    "image/png": [DOCUMENT],
    "image/jpeg": [DOCUMENT],
    OOXML + "spreadsheetml.sheet": [SPREADSHEET],
    ODF + "spreadsheet": [SPREADSHEET],
    "text/csv": [SPREADSHEET],
    "text/tab-separated-values": [SPREADSHEET],
    OOXML + "presentationml.presentation": [PRESENTATION],
    ODF + "presentation": [PRESENTATION],
    "application/vnd.google-apps.script+json": [SCRIPT],
}
# Path → the type it exports, the parameter that names the file, the parameter that names the format.
EXPORT_PATHS = {
    DOCUMENT: ("/feeds/download/documents/export/Export", "exportFormat"),
    SPREADSHEET: ("/spreadsheets/export", "exportFormat"),
    PRESENTATION: ("/feeds/download/presentations/Export", "exportFormat"),
    DRAWING: ("/feeds/download/drawings/Export", "exportFormat"),
    SCRIPT: ("/feeds/download/export/Export", "format"),
}


def export_links(
    url: str, mime_type: str, file_id: str, *, key: str | None = None, revision: str | None = None
) -> dict[str, str] | None:
    """The links of one file or revision by MIME type; None for types that cannot be exported.

    :param url: this server's, where Drive has docs.google.com.
    :param key: the file's resource key, which the links then carry.
    """
    if mime_type not in EXPORT_PATHS:
        return None
    path, parameter = EXPORT_PATHS[mime_type]
    fixed = {"id": file_id} | ({"resourcekey": key} if key else {}) | ({"revision": revision} if revision else {})
    return {
        target: f"{url}{path}?{urlencode(fixed | {parameter: _link_format(target)})}"
        for target in EXPORT_FORMATS[mime_type]
    }


def _link_format(target: str) -> str:
    if target.startswith("text/x-"):
        return "markdown"
    return "x-ods" if target.startswith("application/x-vnd") else EXTENSIONS[target]


def target_of(mime_type: str, link_format: str) -> str | None:
    """The export MIME type that a link's format stands for."""
    return next((t for t in EXPORT_FORMATS.get(mime_type, ()) if _link_format(t) == link_format), None)
