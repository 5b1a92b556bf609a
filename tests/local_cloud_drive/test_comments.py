"""Comments and labels are read as from Drive: masks, pages, rights."""

import pytest

FIELDS = "nextPageToken,comments(id,content,author(emailAddress),replies(content))"


@pytest.fixture
def letter(drive):
    return drive.named("Letter")


def test_a_comment_comes_with_its_replies_through_the_mask(ann, letter):
    found = ann.comments().list(fileId=letter.id, fields=FIELDS).execute()
    assert found["comments"] == [
        {
            "id": "C1",
            "content": "Who is the reader?",
            "author": {"emailAddress": "bob@example.com"},
            "replies": [{"content": "Done."}],
        }
    ]
    assert ann.comments().get(fileId=letter.id, commentId="C1", fields="resolved").execute() == {"resolved": True}
    replies = ann.replies().list(fileId=letter.id, commentId="C1", fields="replies(id)").execute()
    assert replies == {"replies": [{"id": "R1"}]}


def test_comments_have_no_default_mask(ann, letter, refusal):
    assert refusal(ann.comments().list(fileId=letter.id))[0] == 400


def test_deleted_comments_are_left_out_and_pages_hold_what_is_asked(ann, letter):
    letter.comments += [{"id": f"C{number}", "content": "x", "deleted": number == 3} for number in (2, 3, 4)]
    ids, request = [], ann.comments().list(fileId=letter.id, fields=FIELDS, pageSize=2)
    while request is not None:
        page = request.execute()
        ids += [each["id"] for each in page["comments"]]
        request = ann.comments().list_next(request, page)
    assert ids == ["C1", "C2", "C4"]


def test_who_may_not_comment_sees_no_comments(drive, ann, bob, letter, refusal):
    drive.admin("edit", {"action": "share", "file": letter.id, "email": "bob@example.com", "role": "reader"})
    assert refusal(bob.comments().list(fileId=letter.id, fields="comments"))[1] == "insufficientFilePermissions"


def test_labels_are_listed_with_their_fields(ann, letter):
    [label] = ann.files().listLabels(fileId=letter.id).execute()["labels"]
    assert (label["id"], label["fields"]["F1"]["selection"]) == ("L1", ["internal"])
