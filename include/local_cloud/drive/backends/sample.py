"""A Drive in memory that holds the hard cases, each of which some backup got wrong once."""

from __future__ import annotations

from dataclasses import dataclass

from include.local_cloud.drive import edits, formats
from include.local_cloud.drive.clock import to_text
from include.local_cloud.drive.content import BytesContent, Content, NativeContent, SeededContent
from include.local_cloud.drive.model import Item, Permission
from include.local_cloud.drive.state import DriveState

ANN = "ann@example.com"
BOB = "bob@example.com"
START_MS = 1_767_225_600_000  # 2026-01-01
HOUR_MS = 3_600_000
PNG_PIXEL = bytes.fromhex(
    "89504e470d0a1a0a0000000d49484452000000010000000108000000003a7e9b550000000a49444154789c63600000000200014873"
    "75cc0000000049454e44ae426082"
)

# Names that are legal in Drive and nowhere else. Two may be equal but for Unicode normalisation, or quite equal.
ODD_NAMES = (
    "a/b.txt",
    "a\\b.txt",
    "../up.txt",
    ".",
    "..",
    "CON",
    "a:b?.txt",
    "trailing dot.",
    "trailing blank ",
    "  leading blanks.txt",
    "tab\tand\nnewline.txt",
    "bell\x07.txt",
    "caf\u00e9.txt",
    "cafe\u0301.txt",
    "\U0001f600 smile \U0001f469\u200d\U0001f680.txt",
    'quote\'s "double" `back`.txt',
    "100%25 of it %2F.txt",
    "semi;colon&and=equals#hash.txt",
    "\u202eright to left.txt",
    "x" * 296 + ".txt",
    "",
)


@dataclass
class Builder:
    """Puts things into one user's reach, an hour apart."""

    state: DriveState
    by: str
    moment: int = START_MS

    def tick(self) -> int:
        """The next moment."""
        self.moment += HOUR_MS
        return self.moment

    def folder(self, name: str, parent: str) -> str:
        """A folder; its id."""
        return edits.folder(self.state, name, parent, by=self.by, at=self.tick()).id

    def file(self, name: str, parent: str | None, content: Content | bytes, mime_type: str | None = None) -> Item:
        """A file or native."""
        data = BytesContent(content) if isinstance(content, bytes) else content
        at = self.tick()
        return edits.create(self.state, name, parent, data, by=self.by, mime_type=mime_type, at=at)


def sample_state(*, seed: int = 1) -> DriveState:
    """Ann's My Drive, Bob's, and a shared drive that both are members of."""
    state = DriveState(seed=seed)
    state.clock.freeze(START_MS)
    state.add_user(ANN, "Ann Example", admin=True)
    state.add_user(BOB, "Bob Example")
    ann, bob = Builder(state, ANN), Builder(state, BOB)
    root = state.users[ANN].root_id
    _plain(ann, root)
    _natives(ann, root)
    _names(ann, root)
    _refused(ann, root)
    _trash(ann, root)
    _from_bob(ann, bob, root)
    _shared_drive(state, ann)
    state.clock.move(0)
    return state


def _plain(ann: Builder, root: str) -> None:
    documents = ann.folder("Documents", root)
    for year in ("2024", "2025"):
        place = ann.folder(year, documents)
        for month in range(1, 13):
            inside = ann.folder(f"{month:02d}", place)
            for number in range(1, 11):
                name = f"note {year}-{month:02d}-{number:02d}"
                text = f"{name}\n" * number
                if number % 5:
                    ann.file(f"{name}.txt", inside, text.encode())
                else:
                    ann.file(f"{name}.bin", inside, SeededContent(name, 3_000 * number))
    ann.folder("Empty folder", root)
    ann.file("empty.txt", root, b"")
    ann.file("pixel.png", root, PNG_PIXEL)
    ann.file("several megabytes.zip", root, SeededContent("several", 5_500_000))
    ann.file("forty megabytes.bin", root, SeededContent("forty", 40_000_000))
    edited = ann.file("edited often.txt", root, b"first\n")
    edits.write(ann.state, edited, BytesContent(b"second\n"), by=ANN, at=ann.tick(), keep=True)
    edits.write(ann.state, edited, BytesContent(b"third\n"), by=ANN, at=ann.tick())
    edited.fields |= {"description": "Edited three times.", "properties": {"project": "alpha"}}
    ann.file("old.dat", root, b"from before checksums").checksums = ("md5",)


def _natives(ann: Builder, root: str) -> None:
    place = ann.folder("Google files", root)
    letter = "Dear reader,\nthis is a Google Doc with \u00fcmlauts & <angles>.\nYours"
    document = ann.file("Letter", place, NativeContent(letter), formats.DOCUMENT)
    edits.write(ann.state, document, NativeContent(letter + "\nAnn"), by=ANN, at=ann.tick())
    _discuss(document)
    ann.file("Numbers", place, NativeContent("Item\tPrice\nPen\t1.50\nPaper, A4\t4.20"), formats.SPREADSHEET)
    ann.file("Talk", place, NativeContent("Title\nFirst point\nSecond point"), formats.PRESENTATION)
    ann.file("Sketch", place, NativeContent("A box"), formats.DRAWING)
    ann.file("Macro", place, NativeContent("function main() {\n  Logger.log('hello');\n}"), formats.SCRIPT)
    ann.file("Survey", place, NativeContent("How are you?"), formats.FORM)
    ann.file("Huge document", place, NativeContent("Many pictures", padding=12_000_000), formats.DOCUMENT)


def _discuss(document: Item) -> None:
    """A comment with a reply, and a label, as the API shows them."""
    ann, bob = ({"kind": "drive#user", "displayName": n, "emailAddress": e} for n, e in (("Ann", ANN), ("Bob", BOB)))
    moment = to_text(document.modified)
    times = {"createdTime": moment, "modifiedTime": moment}
    reply = {"kind": "drive#reply", "id": "R1", "content": "Done.", "action": "resolve", "author": ann, **times}
    comment = {"kind": "drive#comment", "id": "C1", "content": "Who is the reader?", "author": bob, "resolved": True}
    document.comments = [{**comment, **times, "replies": [reply]}]
    choice = {"kind": "drive#labelField", "id": "F1", "valueType": "selection", "selection": ["internal"]}
    document.labels = [{"kind": "drive#label", "id": "L1", "revisionId": "1", "fields": {"F1": choice}}]


def _names(ann: Builder, root: str) -> None:
    place = ann.folder("Odd names", root)
    for number, name in enumerate(ODD_NAMES):
        ann.file(name, place, f"content {number}".encode(), "text/plain")
    for number in range(3):
        ann.file("same name.txt", place, f"one of three: {number}".encode())
    ann.file("both", place, b"a file", "text/plain")
    inside = ann.folder("both", place)
    ann.file("inside.txt", inside, b"in the folder of the same name")
    ann.file("inside slash.txt", ann.folder("folder/with/slashes", place), b"deep")


def _refused(ann: Builder, root: str) -> None:
    place = ann.folder("Refused", root)
    ann.file("flagged.exe", place, b"MZ not really malware").abusive = True
    ann.file("no download.pdf", place, b"%PDF-1.4 not for you").downloadable = False
    ann.file("Orphan.txt", None, b"nobody's child")
    target = ann.file("target.txt", place, b"the target")
    edits.shortcut(ann.state, "Shortcut to target", place, target.id, by=ANN, at=ann.tick())
    edits.shortcut(ann.state, "Dangling shortcut", place, ann.state.new_id(), by=ANN, at=ann.tick())


def _trash(ann: Builder, root: str) -> None:
    edits.trash(ann.state, ann.file("trashed.txt", root, b"thrown away"), by=ANN, at=ann.tick())
    place = ann.folder("Trashed folder", root)
    ann.file("inside the trashed folder.txt", place, b"gone with it")
    edits.trash(ann.state, ann.state.items[place], by=ANN, at=ann.tick())


def _from_bob(ann: Builder, bob: Builder, root: str) -> None:
    state, home = ann.state, bob.state.users[BOB].root_id
    shared = bob.file("From Bob.txt", home, b"shared with Ann")
    edits.share(state, shared, state.user_permission(ANN, "reader"), at=bob.tick())
    bob.file("Bob's own.txt", home, b"private")
    together = ann.folder("Together", root)
    edits.share(state, state.items[together], state.user_permission(BOB, "writer"), at=ann.tick())
    bob.file("Bob was here.txt", together, b"owned by Bob in Ann's folder")
    keyed = bob.file("Keyed.txt", home, b"needs a resource key")
    keyed.resource_key, keyed.viewed = "0-resourceKeyOfKeyed", {ANN: bob.moment}
    edits.share(state, keyed, Permission("anyoneWithLink", "anyone", "reader"), at=bob.tick())
    limited = bob.folder("Limited", together)
    state.items[limited].limited = True
    bob.file("Only Bob.txt", limited, b"Ann sees the folder, not this")


def _shared_drive(state: DriveState, ann: Builder) -> None:
    drive = state.add_drive("Team", {ANN: "organizer", BOB: "reader"})
    place = ann.folder("Plans", drive.id)
    ann.file("team.txt", drive.id, b"in the shared drive")
    ann.file("plan.txt", place, b"in a folder of the shared drive")
    ann.file("Plan", place, NativeContent("A plan"), formats.DOCUMENT)
    ann.file("team.bin", place, SeededContent("team", 300_000))
    edits.trash(state, ann.file("old plan.txt", place, b"thrown away"), by=ANN, at=ann.tick())
