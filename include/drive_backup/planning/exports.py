"""How one Google-native document is exported: which formats, under which MIME type."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from include.drive_backup.exports import DEFAULT_FORMATS, EXPORT_FORMATS, MIME_TYPES
from include.drive_backup.model import NATIVE_PREFIX, Item, Struct


class Export(Struct, frozen=True):
    """One export of a native: the format's extension, without a dot, and the MIME type to ask for."""

    format: str
    mime_type: str


class NoExport(Struct, frozen=True):
    """Why a native has no content in a backup."""

    reason: str
    message: str


def exports_of(item: Item, formats: Mapping[str, Sequence[str]]) -> tuple[Export, ...] | NoExport:
    """What to export of a native.

    :param formats: native type to extensions; a type that is not named has :data:`DEFAULT_FORMATS`.
    """
    native = item.mime_type.removeprefix(NATIVE_PREFIX)
    extensions = formats.get(native, DEFAULT_FORMATS.get(native))
    if extensions is None:
        return NoExport(reason="notExportable", message=_not_exportable(native))
    if not extensions:
        return NoExport(
            reason="exportNotConfigured",
            message=f"The setting export_formats names no format for the type '{native}'; only its metadata is saved.",
        )
    return tuple(
        Export(format=extension, mime_type=_mime_type(item, extension)) for extension in dict.fromkeys(extensions)
    )


def _not_exportable(native: str) -> str:
    said = f"Drive offers no export of the type '{native}'; only its metadata is saved."
    if native in EXPORT_FORMATS:
        choice = ", ".join(EXPORT_FORMATS[native])
        said += f" Google's guide names {choice}, untried: the setting export_formats.{native}: [{choice}] asks for it."
    return said


def _mime_type(item: Item, extension: str) -> str:
    """The MIME type as the item's own ``exportLinks`` spell it, else the documented one."""
    variants = MIME_TYPES[extension]
    return next((variant for variant in variants if variant in item.export_links), variants[0])
