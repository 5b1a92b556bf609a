"""What Drive exports Google editor files as. Part of the vocabulary: settings and planning read one table.

Sources: Drive's guides "Export MIME types for Google Workspace documents", for ``files.export``, and "Download and
export files", for the types that only ``files.download`` converts (``vid``, ``form``, ``site``, ``jam``).
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from include.drive_backup.errors import ConfigError

_APPS = "application/vnd.google-apps."
_OFFICE = "application/vnd.openxmlformats-officedocument."
_OASIS = "vnd.oasis.opendocument."

#: Extension → MIME types, the documented one first, then what live ``exportLinks`` offer in its place.
MIME_TYPES: Mapping[str, tuple[str, ...]] = {
    "docx": (f"{_OFFICE}wordprocessingml.document",),
    "xlsx": (f"{_OFFICE}spreadsheetml.sheet",),
    "pptx": (f"{_OFFICE}presentationml.presentation",),
    "odt": (f"application/{_OASIS}text", f"application/x-{_OASIS}text"),
    "ods": (f"application/{_OASIS}spreadsheet", f"application/x-{_OASIS}spreadsheet"),
    "odp": (f"application/{_OASIS}presentation", f"application/x-{_OASIS}presentation"),
    "rtf": ("application/rtf", "text/rtf"),
    "pdf": ("application/pdf",),
    "txt": ("text/plain",),
    "zip": ("application/zip",),
    "epub": ("application/epub+zip",),
    "md": ("text/markdown", "text/x-markdown"),
    "csv": ("text/csv",),
    "tsv": ("text/tab-separated-values",),
    "jpg": ("image/jpeg",),
    "png": ("image/png",),
    "svg": ("image/svg+xml",),
    "json": (f"{_APPS}script+json",),
    "mp4": ("video/mp4",),
}

#: Native type, without its prefix → the formats that may be asked of it, as extensions.
EXPORT_FORMATS: Mapping[str, tuple[str, ...]] = {
    "document": ("docx", "odt", "rtf", "pdf", "txt", "zip", "epub", "md"),
    "spreadsheet": ("xlsx", "ods", "pdf", "zip", "csv", "tsv"),
    "presentation": ("pptx", "odp", "pdf", "txt", "jpg", "png", "svg"),
    "drawing": ("pdf", "jpg", "png", "svg"),
    "script": ("json",),
    "vid": ("mp4",),
    "form": ("zip",),
    "site": ("txt",),
    "jam": ("pdf",),
}

#: What is exported of a type that the setting does not name. Forms, sites and Jamboards are not: Google's guide lists
#: a format of each, but no one has told yet what it holds.
DEFAULT_FORMATS: Mapping[str, tuple[str, ...]] = {
    "document": ("docx",),
    "spreadsheet": ("xlsx",),
    "presentation": ("pptx",),
    "drawing": ("svg", "pdf"),
    "script": ("json",),
    "vid": ("mp4",),
}


def check_formats(formats: Mapping[str, Sequence[str]]) -> None:
    """Check the setting.

    :param formats: native type, such as ``document``, to extensions.
    :raises ConfigError: names the type or the extension, and what is allowed.
    """
    for native, extensions in formats.items():
        allowed = EXPORT_FORMATS.get(native)
        if allowed is None:
            raise ConfigError(f"'{native}' is no type that Drive exports; allowed: {', '.join(EXPORT_FORMATS)}.")
        for extension in extensions:
            if extension not in allowed:
                raise ConfigError(f"Drive cannot export a {native} as '{extension}'; allowed: {', '.join(allowed)}.")
