"""A restore into a Drive that others use: what they have there stays, whatever they do at whatever moment."""

import pytest

from include.drive_backup.drive.writing import DriveWriter
from include.local_cloud.drive import edits
from include.local_cloud.drive.content import NativeContent
from include.local_cloud.drive.model import FOLDER
from tests.core.restore.drive_world import ANN, NATIVE, bytes_of, opened
from tests.support.local_drive import START_MS, LocalDrive

LATER = START_MS + 5_000
BIG = bytes(range(256)) * 20_000  # 5 MB: sent by resumable upload


@pytest.fixture
def local():
    return LocalDrive()


def heads(world, folder):
    return sorted(value for _, value in world.tree(folder) if isinstance(value, bytes))


def safe(world):
    """All bytes that somebody can still have: the newest of each file, and those that are kept for ever."""
    items = [item for item in world.local.state.items.values() if not item.explicitly_trashed and not item.native]
    revisions = [r for item in items for r in item.revisions if r.keep or r is item.revisions[-1]]
    return {bytes_of(revision) for revision in revisions}


async def merge(world, target, conflict="replace", **selection):
    return await world.bring_back(f"folder/{target.id}", merge=True, conflict=conflict, **selection)


@pytest.mark.parametrize("conflict", ["copy", "skip", "replace"])
async def test_two_files_of_one_name_do_not_take_each_others_place(local, conflict):
    local.file("a.txt", content=b"first")
    local.file("a.txt", content=b"second")
    async with opened(local) as world:
        target = local.folder("Target")
        world.put("a.txt", target.id, b"mine")
        for _ in range(2):
            counts, _, _ = await merge(world, target, conflict, paths=("/a.txt",))
            assert counts["failed"] == 0
            assert heads(world, target.id) == [b"first", b"mine", b"second"]


async def test_two_files_of_one_name_find_those_that_they_were(local):
    """In the place that they came from, the id says which is which."""
    first, second = local.file("a.txt", content=b"first"), local.file("a.txt", content=b"second")
    async with opened(local) as world:
        world.save(first, b"spoilt 1")
        world.save(second, b"spoilt 2")
        counts, results, _ = await world.bring_back(merge=True, conflict="replace", paths=("/a.txt",))
        assert counts["restored"] == 2
        assert {each.target for each in results} == {first.id, second.id}
        assert (bytes_of(first.revisions[-1]), bytes_of(second.revisions[-1])) == (b"first", b"second")


async def test_a_file_that_is_called_like_an_export_keeps_its_own(local):
    local.native("Sketch", "drawing")
    local.file("Sketch.svg", content=b"a file")
    async with opened(local) as world:
        target = local.folder("Target")
        world.put("Sketch.svg", target.id, b"mine")
        counts, _, _ = await merge(world, target)
        assert counts["failed"] == 0
        assert {b"mine", b"a file"} <= set(heads(world, target.id))
        assert len(heads(world, target.id)) == 3


async def test_two_folders_of_one_name_are_not_poured_into_one(local):
    for content in (b"first", b"second"):
        made = local.folder("Docs")
        local.file("a.txt", made.id, content=content)
    async with opened(local) as world:
        target = local.folder("Target")
        mine = edits.folder(local.state, "Docs", target.id, by=ANN)
        world.put("a.txt", mine.id, b"mine")
        for _ in range(2):
            counts, _, _ = await merge(world, target, paths=("/Docs/",))
            assert counts["failed"] == 0
            assert heads(world, target.id) == [b"first", b"mine", b"second"]


async def test_of_several_files_of_its_name_none_is_replaced_by_guess(local):
    local.file("a.txt", content=b"saved")
    async with opened(local) as world:
        target = local.folder("Target")
        world.put("a.txt", target.id, b"mine 1")
        world.put("a.txt", target.id, b"mine 2")
        _, [result], _ = await merge(world, target, paths=("/a.txt",))
        assert heads(world, target.id) == [b"mine 1", b"mine 2", b"saved"]
        assert result.outcome == "restored"
        assert "beside" in result.message


async def test_what_is_replaced_is_kept_for_ever(local):
    local.file("a.txt", content=b"saved")
    async with opened(local) as world:
        target = local.folder("Target")
        item = world.put("a.txt", target.id, b"mine")
        await merge(world, target, paths=("/a.txt",))
        assert heads(world, target.id) == [b"saved"]
        assert [(bytes_of(each), each.keep) for each in item.revisions[:-1]] == [(b"mine", True)]


async def test_where_the_old_version_cannot_be_kept_both_are_there(local):
    local.file("a.txt", content=b"saved")
    async with opened(local) as world:
        target = local.folder("Target")
        world.put("a.txt", target.id, b"mine")
        reason = "illegalKeepForeverModification"
        world.faults({"kind": "error", "routes": ["revisions.update"], "status": 400, "reason": reason})
        _, [result], _ = await merge(world, target, paths=("/a.txt",))
        assert heads(world, target.id) == [b"mine", b"saved"]
        assert result.message


@pytest.mark.parametrize("content", [b"saved", BIG], ids=["small", "large"])
@pytest.mark.parametrize("conflict", ["copy", "skip", "replace"])
async def test_whoever_saves_at_whatever_moment_loses_nothing(local, monkeypatch, conflict, content):
    local.file("a.txt", content=content)
    async with opened(local) as world:
        step, seen = 0, [None]
        while step <= len(seen):
            target = local.folder(f"Target {step}")
            item = world.put("a.txt", target.id, b"mine")
            with monkeypatch.context() as patched:
                seen = world.beside(patched, step, lambda item=item: world.save(item, b"newest"))
                counts, results, _ = await merge(world, target, conflict, paths=("/a.txt",))
            said = (step, seen, results, heads(world, target.id))
            assert world.thrown_away() == [], said
            assert item.revisions[0].keep or bytes_of(item.revisions[-1]) == b"mine" or step < len(seen), said
            if step < len(seen):
                assert b"newest" in {bytes_of(r) for r in item.revisions if r.keep or r is item.revisions[-1]}, said
                if conflict != "skip":
                    assert counts["failed"] or content in heads(world, target.id), said
            step += 1
        assert step >= 4


@pytest.mark.parametrize("content", [b"saved", BIG], ids=["small", "large"])
async def test_whoever_edits_what_was_just_restored_loses_nothing(local, monkeypatch, content):
    """The new file can be seen before its restore has looked at it again."""
    local.file("a.txt", content=content)
    async with opened(local) as world:
        step, seen = 0, [None]
        while step <= len(seen):
            target = local.folder(f"Target {step}")
            there = []

            def edit(target=target, there=there):
                there += [i for i in local.state.items.values() if target.id in i.parents]
                for item in there:
                    world.save(item, b"newest")

            with monkeypatch.context() as patched:
                seen = world.beside(patched, step, edit)
                await merge(world, target, paths=("/a.txt",))
            assert world.thrown_away() == []
            if there:
                assert b"newest" in heads(world, target.id)
            step += 1


async def test_the_answer_to_an_upload_may_show_what_somebody_saved(local, monkeypatch):
    """The very case: a colleague saves between Drive's taking the content and its answer."""
    local.file("a.txt", content=b"saved")
    async with opened(local) as world:
        target = local.folder("Target")
        item = world.put("a.txt", target.id, b"mine")
        upload = DriveWriter.upload

        async def slow(writer, *arguments, **named):
            made = await upload(writer, *arguments, **named)
            if named.get("over"):
                world.save(item, b"newest")
                return await writer.get(made["id"])
            return made

        monkeypatch.setattr(DriveWriter, "upload", slow)
        counts, [result], _ = await merge(world, target, paths=("/a.txt",))
        assert world.thrown_away() == []
        assert heads(world, target.id) == [b"newest", b"saved"]
        assert counts["restored"] == 1
        assert "saved" in result.message


async def test_a_new_file_with_other_bytes_is_left_and_made_anew(local, monkeypatch):
    local.file("a.txt", content=b"saved")
    async with opened(local) as world:
        target = local.folder("Target")
        upload = DriveWriter.upload

        async def changed(writer, *arguments, **named):
            made = await upload(writer, *arguments, **named)
            world.save(local.state.items[made["id"]], b"newest")
            return await writer.get(made["id"])

        with monkeypatch.context() as patched:
            patched.setattr(DriveWriter, "upload", changed)
            counts, [result], _ = await merge(world, target, "copy", paths=("/a.txt",))
        assert (counts["failed"], result.reason, world.thrown_away()) == (1, "checksum", [])
        await merge(world, target, "copy", paths=("/a.txt",))
        assert heads(world, target.id) == [b"newest", b"saved"]


@pytest.mark.parametrize(
    ("conflict", "after", "outcome"),
    [
        ("copy", [b"changed", b"saved"], "restored"),
        ("replace", [b"saved"], "restored"),
        ("skip", [b"changed"], "skipped"),
    ],
)
@pytest.mark.parametrize("merged", [True, False])
async def test_repeated_after_a_change_it_brings_the_content_back(local, merged, conflict, after, outcome):
    local.file("a.txt", content=b"saved")
    async with opened(local) as world:
        target = local.folder("Target")

        async def again():
            return await world.bring_back(f"folder/{target.id}", merge=merged, conflict=conflict, paths=("/a.txt",))

        _, [first], folder = await again()
        world.save(local.state.items[first.target], b"changed")
        for expected in (outcome, "skipped" if conflict == "skip" else "same"):
            counts, _, _ = await again()
            assert counts[expected] == 1
            assert heads(world, folder) == after
        assert b"changed" in safe(world)


@pytest.mark.parametrize("conflict", ["copy", "replace"])
async def test_a_document_that_was_changed_since_is_not_called_the_same(local, conflict):
    local.native("Plan", "document", text="the plan")
    async with opened(local) as world:
        _, [first], folder = await world.bring_back(conflict=conflict, paths=("/Plan",))
        counts, _, _ = await world.bring_back(conflict=conflict, paths=("/Plan",))
        assert counts["same"] == 1
        made = local.state.items[first.target]
        edits.write(local.state, made, NativeContent("spoilt"), by=ANN, at=LATER)
        counts, _, _ = await world.bring_back(conflict=conflict, paths=("/Plan",))
        assert (counts["restored"], counts["same"]) == (1, 0)
        counts, _, _ = await world.bring_back(conflict=conflict, paths=("/Plan",))
        assert counts["same"] == 1
        texts = [i.revisions[-1].content.text for i in local.state.items.values() if folder in i.parents]
        assert len(texts) == (2 if conflict == "copy" else 1)
        assert texts.count("spoilt") == (1 if conflict == "copy" else 0)


async def test_a_document_that_changes_while_it_is_looked_at_is_not_replaced(local, monkeypatch):
    local.native("Plan", "document", text="the plan")
    async with opened(local) as world:
        target = local.folder("Target")
        mine = edits.create(
            local.state, "Plan", target.id, NativeContent("mine"), by=ANN, mime_type=f"{NATIVE}document"
        )
        find = DriveWriter.find

        async def then_edited(writer, *arguments):
            async for each in find(writer, *arguments):
                yield each
            if f"'{target.id}' in parents" in arguments[0]:
                edits.write(local.state, mine, NativeContent("newest"), by=ANN, at=LATER)

        monkeypatch.setattr(DriveWriter, "find", then_edited)
        _, [result], _ = await merge(world, target, paths=("/Plan",))
        assert result.outcome == "restored"
        assert result.target != mine.id
        assert mine.revisions[-1].content.text == "newest"


async def test_another_items_restored_copy_is_not_replaced(local):
    first = local.file("a.txt", content=b"first")
    second = local.file("a.txt", content=b"second")
    async with opened(local) as world:
        target = local.folder("Target")
        await merge(world, target, ids=(first.id,))
        await merge(world, target, ids=(second.id,))
        assert heads(world, target.id) == [b"first", b"second"]


@pytest.mark.parametrize("conflict", ["copy", "skip", "replace"])
async def test_a_folder_is_never_taken_for_a_file(local, conflict):
    local.file("a.txt", content=b"saved")
    async with opened(local) as world:
        target = local.folder("Target")
        edits.folder(local.state, "a.txt", target.id, by=ANN)
        _, [result], _ = await merge(world, target, paths=("/a.txt",), conflict=conflict)
        assert sorted(str(value) for _, value in world.tree(target.id)) == sorted([FOLDER, str(b"saved")])
        assert result.outcome == "restored"
        assert world.thrown_away() == []
