"""How Google-native documents are exported: which formats, under which MIME type.

Source of the tables: Drive API guide "Export MIME types for Google Workspace documents".
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from include.drive_backup.errors import ConfigError
from include.drive_backup.model import NATIVE_PREFIX, Item, Struct

#: What the formats setting means for a type that it does not name.
DEFAULT_FORMATS: Mapping[str, Sequence[str]] = {
    "document": ("docx",),
    "spreadsheet": ("xlsx",),
    "presentation": ("pptx",),
    "drawing": ("svg", "pdf"),
    "script": ("json",),
}

_OFFICE = "application/vnd.openxmlformats-officedocument."
_OASIS = "vnd.oasis.opendocument."

# Extension -> MIME types, the documented one first, then what live exportLinks offer in its place.
_MIME_TYPES: dict[str, tuple[str, ...]] = {
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
    "json": (f"{NATIVE_PREFIX}script+json",),
}

_FORMATS: dict[str, frozenset[str]] = {
    "document": frozenset({"docx", "odt", "rtf", "pdf", "txt", "zip", "epub", "md"}),
    "spreadsheet": frozenset({"xlsx", "ods", "pdf", "zip", "csv", "tsv"}),
    "presentation": frozenset({"pptx", "odp", "pdf", "txt", "jpg", "png", "svg"}),
    "drawing": frozenset({"pdf", "jpg", "png", "svg"}),
    "script": frozenset({"json"}),
}


class Export(Struct, frozen=True):
    """One export of a native: the format's extension, without a dot, and the MIME type to ask for."""

    format: str
    mime_type: str


class NoExport(Struct, frozen=True):
    """Why a native has no content in a backup."""

    reason: str
    message: str


def check_formats(formats: Mapping[str, Sequence[str]]) -> None:
    """Check the setting.

    :param formats: native type, such as ``document``, to extensions.
    :raises ConfigError: names the type or the extension, and what is allowed.
    """
    for native, extensions in formats.items():
        allowed = _FORMATS.get(native)
        if allowed is None:
            raise ConfigError(f"'{native}' is no type that Drive exports; allowed: {', '.join(sorted(_FORMATS))}.")
        for extension in extensions:
            if extension not in allowed:
                raise ConfigError(f"Drive cannot export a {native} as '{extension}'; allowed: {_list(allowed)}.")


def exports_of(item: Item, formats: Mapping[str, Sequence[str]]) -> tuple[Export, ...] | NoExport:
    """What to export of a native.

    :param formats: native type to extensions; a type that is not named has :data:`DEFAULT_FORMATS`.
    """
    native = item.mime_type.removeprefix(NATIVE_PREFIX)
    if native not in _FORMATS:
        return NoExport(
            reason="notExportable",
            message=f"Drive offers no export of the type '{native}'; only its metadata is saved.",
        )
    extensions = formats.get(native, DEFAULT_FORMATS[native])
    if not extensions:
        return NoExport(
            reason="exportNotConfigured",
            message=f"The setting export_formats names no format for the type '{native}'; only its metadata is saved.",
        )
    return tuple(
        Export(format=extension, mime_type=_mime_type(item, extension)) for extension in dict.fromkeys(extensions)
    )


def _mime_type(item: Item, extension: str) -> str:
    """The MIME type as the item's own ``exportLinks`` spell it, else the documented one."""
    variants = _MIME_TYPES[extension]
    return next((variant for variant in variants if variant in item.export_links), variants[0])


def _list(extensions: frozenset[str]) -> str:
    return ", ".join(sorted(extensions))
