"""What is asked of Drive for each file: everything worth keeping that does not make pages smaller.

``permissions`` is left out: with it in the mask Drive gives pages of 100 instead of some 460 (field evidence in
googleapis/google-api-nodejs-client#722). So are values that expire (``thumbnailLink``), that are derived from the id
(``webViewLink``), and that cannot be had without further parameters (``labelInfo``).
"""

from __future__ import annotations

#: Of each user resource.
FILE_USER = "displayName,emailAddress,permissionId,me"

#: Rights that decisions need. ``canDelete`` of a file in a shared drive belongs to its organizers alone.
_CAPABILITIES = "canDownload,canListChildren,canReadRevisions,canCopy,canReadLabels,canShare,canDelete"

_FILE = (
    "id",
    "name",
    "mimeType",
    "description",
    "parents",
    "driveId",
    "createdTime",
    "modifiedTime",
    "modifiedByMeTime",
    "viewedByMeTime",
    "sharedWithMeTime",
    "version",
    "size",
    "quotaBytesUsed",
    "md5Checksum",
    "sha1Checksum",
    "sha256Checksum",
    "headRevisionId",
    "originalFilename",
    "fullFileExtension",
    "exportLinks",
    "trashed",
    "explicitlyTrashed",
    "trashedTime",
    f"trashingUser({FILE_USER})",
    f"owners({FILE_USER})",
    "ownedByMe",
    "hasAugmentedPermissions",
    "inheritedPermissionsDisabled",
    "shared",
    "writersCanShare",
    "copyRequiresWriterPermission",
    "downloadRestrictions",
    "contentRestrictions",
    "linkShareMetadata",
    "resourceKey",
    "shortcutDetails",
    "properties",
    "appProperties",
    "starred",
    "folderColorRgb",
    "imageMediaMetadata",
    "videoMediaMetadata",
    f"lastModifyingUser({FILE_USER})",
    f"sharingUser({FILE_USER})",
    "clientEncryptionDetails",
    f"capabilities({_CAPABILITIES})",
)

FILE_FIELDS = ",".join(_FILE)

#: Without ``nextPageToken`` in the mask Drive ends a listing silently after its first page.
LIST_FIELDS = f"kind,nextPageToken,incompleteSearch,files({FILE_FIELDS})"

#: Of a shared drive: what its settings are. What the caller may do, and links that expire, are left out.
DRIVE_FIELDS = "id,name,createdTime,hidden,colorRgb,themeId,orgUnitId,restrictions"
