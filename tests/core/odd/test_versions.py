"""A row whose contents are of several versions of the item never calls itself exact, and says which is of when."""

from datetime import UTC, datetime

import pytest
from msgspec.structs import replace

from include.drive_backup.manifest.schema import merge
from include.drive_backup.model import Item, PlanRow, Revision
from tests.core.manifest.plans import content, copied, refused
from tests.support.fake_drive import FakeDrive
from tests.support.flow import Backup
from tests.support.trees import native

DOC = "application/vnd.google-apps.document"
FORMATS = {"document": ["docx", "pdf"]}


def doc(day, version="1"):
    resource = {"id": "d", "name": "Plan", "mimeType": DOC, "modifiedTime": f"2026-11-{day}T10:00:00Z"}
    return Item.from_resource({**resource, "version": version})


OLD, NEW, NEWER = doc("01"), doc("20", "2"), doc("21", "3")
DOCX, PDF = content("d", b"d", "docx"), content("d", b"p", "pdf")
EARLIER = Revision(id="r1", modified=datetime(2026, 10, 1, tzinfo=UTC))


def row(**changes):
    return PlanRow(**({"item": OLD, "path": "Plan", "copies": 2} | changes))


def later(stored, item, **more):
    return copied(stored, "d", resource=item.resource, **more)


@pytest.mark.parametrize(
    ("planned", "results"),
    [
        (row(), [copied(DOCX, "d"), later(PDF, NEW)]),
        (row(), [later(DOCX, NEW), copied(PDF, "d")]),
        (row(), [later(DOCX, NEW), later(PDF, NEWER)]),
        (row(contents=(DOCX,), copies=1), [later(PDF, NEW)]),
        (row(fidelity="head-later"), [copied(DOCX, "d", revision=EARLIER, fidelity="revision"), copied(PDF, "d")]),
        (
            row(),
            [
                copied(DOCX, "d", revision=EARLIER, fidelity="revision"),
                copied(PDF, "d", revision=replace(EARLIER, id="r2", modified=OLD.modified), fidelity="revision"),
            ],
        ),
    ],
)
def test_contents_of_several_versions_are_never_exact(planned, results):
    merged = merge(planned, results, set(), "20261123T000000.000Z")
    assert merged.fidelity == "head-later"
    assert {each.format for each in merged.contents} == {"docx", "pdf"}
    assert "docx of 2026-" in merged.message
    assert "pdf of 2026-" in merged.message


@pytest.mark.parametrize(
    ("planned", "results", "fidelity", "modified"),
    [
        (row(), [copied(DOCX, "d"), copied(PDF, "d")], "exact", OLD.modified),
        (row(), [later(DOCX, NEW), later(PDF, NEW)], "exact", NEW.modified),
        (row(contents=(DOCX,), copies=1), [copied(PDF, "d")], "exact", OLD.modified),
        (row(contents=(DOCX,), copies=1), [refused("d", "unavailable", "tooLarge", "pdf")], "exact", OLD.modified),
        # Refused in its new version; what there is is of the old one.
        (
            row(),
            [copied(DOCX, "d"), replace(refused("d", "unavailable", "tooLarge", "pdf"), resource=NEW.resource)],
            "exact",
            OLD.modified,
        ),
        (
            row(),
            [
                copied(DOCX, "d", revision=EARLIER, fidelity="revision"),
                replace(refused("d", "unavailable", "tooLarge", "pdf"), fidelity="unavailable"),
            ],
            "revision",
            EARLIER.modified,
        ),
    ],
)
def test_contents_of_one_version_are_described_as_that(planned, results, fidelity, modified):
    merged = merge(planned, results, set(), "20261123T000000.000Z")
    assert (merged.fidelity, merged.item.modified) == (fidelity, modified)


def test_what_is_missing_in_the_container_does_not_count():
    merged = merge(row(), [copied(DOCX, "d"), later(PDF, NEW)], {DOCX.blob}, "20261123T000000.000Z")
    assert (merged.outcome, merged.fidelity, merged.item.modified) == ("failed", "exact", NEW.modified)


def test_why_one_format_is_refused_is_said_beside_it():
    html = content("d", b"h", "html")
    results = [copied(DOCX, "d"), later(html, NEW), refused("d", "unavailable", "tooLarge", "pdf")]
    merged = merge(row(copies=3), results, set(), "20261123T000000.000Z")
    assert (merged.fidelity, merged.reason) == ("head-later", "tooLarge")
    assert "It is tooLarge." in merged.message
    assert "docx of" in merged.message


async def test_a_document_that_changes_between_its_two_exports():
    drive = FakeDrive(native("Plan", content=b"v1", id="plan"))
    backup = Backup(drive)

    def change(ident):
        if drive.reads[ident] == 2:
            drive.write("plan", b"v2", "2026-02-28T00:00:00.000Z")

    drive.before_read = change
    plan, batches = await backup.plan(formats=FORMATS)
    for batch in batches:
        await backup.copy(batch, in_flight=1)
    mixed = (await backup.rows(await backup.commit(plan)))["plan"]
    assert len({each["sha256"] for each in mixed["contents"]}) == 2
    assert mixed["fidelity"] == "head-later"
    drive.before_read = None
    healed = (await backup.rows(await backup.run("2026-03-02", formats=FORMATS)))["plan"]
    assert healed["fidelity"] == "exact"
    assert len({each["sha256"] for each in healed["contents"]}) == 1
