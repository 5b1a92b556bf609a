"""What Drive's refusals of a write mean, and what a person can do. Only a restore writes.

The reasons are those of Drive's guide "Resolve errors", the numbers those of "Usage limits" and of the guides on
folders and shared drives. Pure.
"""

from __future__ import annotations

WRITE_SCOPE = "https://www.googleapis.com/auth/drive"

#: Drive takes no more of something. Other items may still fit.
LIMITS = {
    "storageQuotaExceeded": "The storage of the account that would own it is full, or it is a service account, which "
    "has none. Free or buy storage, or restore into a shared drive or to another user; then run the restore again.",
    "teamDriveFileLimitExceeded": "A shared drive holds 500,000 items, those in its trash included. Empty its trash, "
    "or restore the rest into another shared drive.",
    "activeItemCreationLimitExceeded": "This account has made as many items as Drive allows (500 million). Restore "
    "with another user.",
    "numChildrenInNonRootLimitExceeded": "A folder holds 500,000 items. Restore what it holds in parts, with --path or "
    "--id, into several folders.",
    "myDriveHierarchyDepthLimitExceeded": "A My Drive has 100 levels of folders. Restore this folder by itself, with "
    "--path or --id, into a place that is less deep.",
    "teamDriveHierarchyTooDeep": "A shared drive has 100 levels of folders. Restore this folder by itself, with --path "
    "or --id, into a place that is less deep.",
    "teamDrivesParentLimit": "An item of a shared drive has one folder only. Restore it into a folder of its own.",
}

#: Drive uses these for too many requests, and for more bytes than one user may upload in a day.
RATE = frozenset({"userRateLimitExceeded", "rateLimitExceeded", "quotaExceeded"})

#: One item, or one kind of change, is refused for good.
REFUSALS = {
    "notFound": "It, or the folder it goes into, was deleted meanwhile, or the account cannot reach it.",
    "insufficientFilePermissions": "Give the account that restores the role Editor there (in a shared drive: Content "
    "manager).",
    "insufficientParentPermissions": "Give the account that restores the role Editor in that folder.",
    "forbidden": "Check that the account that restores may write there.",
    "PERMISSION_DENIED": "Check that the account that restores may write there.",
    "appNotAuthorizedToFile": f"Use a credential with the scope {WRITE_SCOPE}: drive.file reaches too little.",
    "teamDriveMembershipRequired": "Add the account to the shared drive as a Content manager.",
    "fileOwnerNotMemberOfTeamDrive": "Add the owner of the item to the shared drive.",
    "fileWriterTeamDriveMoveInDisabled": "An administrator has to allow moving items into shared drives.",
    "teamDrivesFolderMoveInNotSupported": "Drive does not move folders into a shared drive this way.",
    "cannotAddParent": "Drive does not put it into that folder.",
    "parentNotAFolder": "What it would go into is no folder any more.",
    "fieldNotWritable": "Drive does not let this account set one of its properties.",
    "cannotModifyInheritedTeamDrivePermission": "Access that comes with a shared drive is changed in the shared drive.",
    "invalidSharingRequest": "Drive does not share with this address; it may be gone, or out of the domain.",
    "shareOutNotPermitted": "The domain's rules forbid to share it outside.",
    "publishOutNotPermitted": "The domain's rules forbid to share it with everybody.",
    "illegalKeepForeverModification": "Drive keeps no more versions of this file; it keeps 200.",
    "contentRestricted": "It is locked; whoever locked it has to unlock it first.",
    "fileContentRestrictionReadOnly": "It is locked; whoever locked it has to unlock it first.",
    "uploadTooLarge": "It is larger than Drive takes.",
}

_SCOPE = f"Grant the scope {WRITE_SCOPE} (service account: in the Admin console's domain-wide delegation too)."
#: The credential may not write at all.
CREDENTIALS = dict.fromkeys(
    ("insufficientPermissions", "insufficientScopes", "ACCESS_TOKEN_SCOPE_INSUFFICIENT"), _SCOPE
)
