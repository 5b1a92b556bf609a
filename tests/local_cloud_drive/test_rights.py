"""Permissions, tokens, quota and whole-call faults."""

import json
import urllib.error
import urllib.parse
import urllib.request
from pathlib import Path

import google.auth.exceptions
import google.auth.transport.requests
import pytest
from google.oauth2 import service_account
from google.oauth2.credentials import Credentials
from googleapiclient.errors import HttpError

from include.local_cloud.drive import ANN, BOB, DriveState

READONLY = "https://www.googleapis.com/auth/drive.readonly"


def test_permissions_are_for_those_who_may_share_and_never_on_shared_drive_items(ann, bob, drive):
    folder = drive.named("Together").id
    shared = ann.files().get(fileId=folder, fields="permissions(emailAddress,role)").execute()["permissions"]
    assert {(p["emailAddress"], p["role"]) for p in shared} == {(ANN, "owner"), (BOB, "writer")}
    assert ann.files().get(fileId=drive.named("From Bob.txt").id, fields="permissions").execute() == {}
    assert bob.files().get(fileId=drive.named("From Bob.txt").id, fields="permissions").execute()["permissions"]
    item = drive.named("team.txt").id
    assert ann.files().get(fileId=item, fields="permissions,owners,ownedByMe", supportsAllDrives=True).execute() == {}


def test_inherited_permissions_show_on_what_is_inside(ann, drive):
    item = drive.named("Bob was here.txt").id
    found = ann.permissions().list(fileId=item, fields="permissions(emailAddress,role)").execute()["permissions"]
    assert {(p["emailAddress"], p["role"]) for p in found} == {(BOB, "owner"), (ANN, "writer")}


def test_shared_drive_items_say_where_a_permission_comes_from(ann, drive, team):
    fields = "permissions(emailAddress,permissionDetails(permissionType,inherited,inheritedFrom))"
    item = drive.named("plan.txt").id
    found = ann.permissions().list(fileId=item, supportsAllDrives=True, fields=fields).execute()["permissions"]
    assert {p["emailAddress"] for p in found} == {ANN, BOB}
    assert found[0]["permissionDetails"] == [{"permissionType": "member", "inherited": True, "inheritedFrom": team}]


def test_permissions_of_a_shared_drive_come_in_hundreds(ann, team, drive):
    for number in range(150):
        drive.admin("edit", {"action": "share", "file": team, "email": f"u{number}@example.com"})
    first = ann.permissions().list(fileId=team, supportsAllDrives=True).execute()
    token = first["nextPageToken"]
    second = ann.permissions().list(fileId=team, supportsAllDrives=True, pageToken=token).execute()
    assert (len(first["permissions"]), len(second["permissions"])) == (100, 52)


def test_sharing_gives_access_and_unsharing_takes_it(ann, bob, drive, refusal):
    item = drive.named("pixel.png").id
    assert refusal(bob.files().get(fileId=item))[0] == 404
    body = {"type": "user", "role": "reader", "emailAddress": BOB}
    made = ann.permissions().create(fileId=item, body=body, sendNotificationEmail=False).execute()
    assert bob.files().get(fileId=item).execute()["id"] == item
    ann.permissions().delete(fileId=item, permissionId=made["id"]).execute()
    assert refusal(bob.files().get(fileId=item))[0] == 404


@pytest.fixture
def account(drive):
    """The service account's key file that the server wrote."""
    return str(drive.server.folder / "service-account.json")


def test_a_service_account_acts_as_the_user_it_is_delegated_to(drive, account):
    credentials = service_account.Credentials.from_service_account_file(account, scopes=[READONLY])
    as_ann = drive.client(ANN, credentials=credentials.with_subject(ANN))
    assert as_ann.about().get(fields="user(emailAddress)").execute()["user"]["emailAddress"] == ANN
    assert as_ann.files().list().execute()["files"]


def test_a_bare_service_account_is_a_user_of_its_own_with_an_empty_drive(drive, account):
    credentials = service_account.Credentials.from_service_account_file(account, scopes=[READONLY])
    bare = drive.client(ANN, credentials=credentials)
    assert bare.about().get(fields="user").execute()["user"]["emailAddress"] == credentials.service_account_email
    assert bare.files().list().execute()["files"] == []


def test_a_refresh_token_acts_as_its_user_until_it_is_revoked(drive):
    info = json.loads((drive.server.folder / "authorized-user.json").read_text())
    make = {name: info[name] for name in ("refresh_token", "client_id", "client_secret", "token_uri")}
    client = drive.client(ANN, credentials=Credentials(token=None, **make))
    assert client.about().get(fields="user").execute()["user"]["emailAddress"] == ANN
    drive.admin("revoke-tokens", {"refresh": True})
    with pytest.raises(google.auth.exceptions.RefreshError, match="expired or revoked"):
        client.about().get(fields="user").execute()
    with pytest.raises(google.auth.exceptions.RefreshError, match="invalid_client"):
        Credentials(token=None, **{**make, "client_secret": "wrong"}).refresh(google.auth.transport.requests.Request())


def test_token_errors_speak_like_google(drive, account):
    request = google.auth.transport.requests.Request()
    credentials = service_account.Credentials.from_service_account_file(account, scopes=[READONLY])

    def error(changed):
        with pytest.raises(google.auth.exceptions.RefreshError) as caught:
            changed.refresh(request)
        return caught.value.args[1]["error"], caught.value.args[1]["error_description"]

    assert error(credentials.with_subject("nobody@example.com")) == ("invalid_grant", "Invalid email or User ID")
    assert error(credentials.with_subject("nobody")) == ("invalid_grant", "Not a valid email")
    assert error(credentials.with_scopes([]).with_subject(ANN))[0] == "invalid_scope"
    drive.admin("delegation", {"scopes": [READONLY]})
    wider = credentials.with_scopes(["https://www.googleapis.com/auth/drive"]).with_subject(ANN)
    assert error(wider)[0] == "unauthorized_client"
    credentials.with_subject(ANN).refresh(request)
    drive.admin("users", {"email": BOB, "suspended": True})
    assert error(credentials.with_subject(BOB)) == ("access_denied", "Account restricted")
    drive.admin("clock", {"offset_ms": 2 * 86_400_000})
    assert error(credentials.with_subject(ANN))[1].startswith("Invalid JWT: Token must be a short-lived token")


def test_another_key_does_not_sign_for_this_account(drive, account):
    from include.local_cloud.drive.credentials import Credentials as Known

    info = json.loads(Path(account).read_text())
    info["private_key"] = Known.generate(ANN).private_key_pem
    forged = service_account.Credentials.from_service_account_info(info, scopes=[READONLY]).with_subject(ANN)
    with pytest.raises(google.auth.exceptions.RefreshError, match="Invalid JWT Signature"):
        forged.refresh(google.auth.transport.requests.Request())


def test_access_tokens_expire_and_the_client_gets_new_ones(running, account, drive):
    credentials = service_account.Credentials.from_service_account_file(account, scopes=[READONLY]).with_subject(ANN)
    client = drive.client(ANN, credentials=credentials)
    client.files().list().execute()
    first = credentials.token
    drive.admin("revoke-tokens", {})
    client.files().list().execute()
    assert credentials.token != first
    stale = drive.client(ANN)
    drive.admin("clock", {"offset_ms": 3_601_000})
    with pytest.raises(google.auth.exceptions.RefreshError):
        stale.files().list().execute()


@pytest.mark.parametrize("header", [None, "Bearer nonsense", "Basic abc"])
def test_no_or_a_bad_token_is_401_auth_error(drive, header):
    request = urllib.request.Request(f"{drive.url}/drive/v3/files", headers={"Authorization": header} if header else {})
    with pytest.raises(urllib.error.HTTPError) as caught:
        urllib.request.urlopen(request)
    with caught.value as error:
        assert (error.code, json.loads(error.read())["error"]["errors"][0]["reason"]) == (401, "authError")


def test_a_user_without_drive_is_told_so(drive, bob, refusal):
    drive.admin("users", {"email": BOB, "drive_enabled": False})
    assert refusal(bob.files().list())[:2] == (403, "domainPolicy")


def test_credentials_survive_a_restart(running, tmp_path):
    def start():
        state = DriveState()
        state.add_user(ANN)
        return running(state, folder=tmp_path)

    first = start()
    before = json.loads((tmp_path / "service-account.json").read_text())
    first.run(first.server.stop())
    second = start()
    after = json.loads((tmp_path / "service-account.json").read_text())
    assert after["private_key"] == before["private_key"]
    assert after["token_uri"] == f"{second.url}/token"
    assert (tmp_path / "service-account.json").stat().st_mode & 0o077 == 0


def test_quota_counts_units_by_kind_and_refuses_what_is_over(drive, ann, bob, refusal):
    drive.admin("quota", {"user_units": 205, "project_units": 100_000})
    ann.files().list().execute()
    ann.files().get(fileId="root").execute()
    ann.files().list().execute()
    assert refusal(ann.files().list())[:2] == (403, "userRateLimitExceeded")
    bob.files().list().execute()
    stats = drive.admin("stats")
    assert stats["unitsByUser"] == {ANN: 205, BOB: 100}
    assert stats["quotaRefusals"] == 1
    drive.admin("quota", {"project_units": 150})
    ann.files().list().execute()
    assert refusal(bob.files().list())[:2] == (403, "rateLimitExceeded")
    drive.admin("quota", {"user_queries": 1, "use_429": True})
    ann.files().get(fileId="root").execute()
    assert refusal(ann.files().get(fileId="root"))[:2] == (429, "rateLimitExceeded")


def test_a_window_that_has_passed_costs_nothing():
    from include.local_cloud.drive import quota

    now = [60.0 * 5]
    counted = quota.Quota(quota.Limits(user_units=200), lambda: now[0])
    counted.charge("list", ANN)
    counted.charge("list", ANN)
    with pytest.raises(Exception, match="User Rate Limit"):
        counted.charge("get", ANN)
    now[0] += 90
    counted.charge("list", ANN)
    with pytest.raises(Exception, match="User Rate Limit"):
        counted.charge("list", ANN)
    now[0] += 120
    counted.charge("list", ANN)
    counted.charge("list", ANN)


@pytest.mark.parametrize(
    ("status", "reason", "domain"),
    [
        (403, "userRateLimitExceeded", "usageLimits"),
        (403, "dailyLimitExceeded", "usageLimits"),
        (403, "downloadQuotaExceeded", "global"),
        (429, "rateLimitExceeded", "usageLimits"),
        (500, "internalError", "global"),
        (503, "backendError", "global"),
    ],
)
def test_any_error_can_be_made(drive, ann, status, reason, domain):
    drive.faults({"kind": "error", "routes": ["files.list"], "status": status, "reason": reason, "count": 1})
    with pytest.raises(HttpError) as caught:
        ann.files().list().execute()
    detail = caught.value.error_details[0]
    assert (caught.value.status_code, detail["reason"], detail["domain"]) == (status, reason, domain)
    assert ann.files().list().execute()["files"]


def test_retry_after_is_there_or_not(drive, ann):
    for wanted in (None, 7):
        rule = {"kind": "error", "status": 429, "reason": "rateLimitExceeded", "count": 1}
        drive.faults(rule | ({"retry_after": wanted} if wanted else {}))
        with pytest.raises(HttpError) as caught:
            ann.files().list().execute()
        assert caught.value.resp.get("retry-after") == (str(wanted) if wanted else None)


def test_rules_pick_routes_files_users_rates_and_places(drive, ann, bob):
    item = drive.named("pixel.png").id
    drive.faults(
        {"kind": "error", "routes": ["files.get"], "files": [item], "users": [ANN], "skip": 1, "count": 1},
        {"kind": "html", "routes": ["drives.*"], "status": 502},
    )
    ann.files().get(fileId=item).execute()
    ann.files().get(fileId="root").execute()
    with pytest.raises(HttpError, match="503"):
        ann.files().get(fileId=item).execute()
    ann.files().get(fileId=item).execute()
    with pytest.raises(HttpError) as caught:
        bob.drives().list().execute()
    assert caught.value.status_code == 502
    assert b"<html" in caught.value.content
    drive.admin("faults", verb="DELETE")
    drive.faults({"kind": "error", "rate": 0.5})
    outcomes = set()
    for _ in range(40):
        try:
            bob.drives().list().execute()
            outcomes.add("good")
        except HttpError:
            outcomes.add("bad")
    assert outcomes == {"good", "bad"}


def test_the_real_client_gets_through_transient_errors(drive, ann, monkeypatch):
    import googleapiclient.http

    monkeypatch.setattr(googleapiclient.http.HttpRequest, "_sleep", lambda *_: None, raising=False)
    drive.faults({"kind": "error", "status": 503, "count": 1})
    assert ann.files().list().execute(num_retries=2)["files"]


def test_latency_is_added(drive, ann):
    import time

    drive.faults(latency_ms=200)
    start = time.monotonic()
    ann.files().get(fileId="root").execute()
    assert time.monotonic() - start >= 0.2


def test_reset_forgets_faults_counters_quota_and_clock(drive, ann):
    drive.faults({"kind": "error"}, latency_ms=5)
    drive.admin("quota", {"user_units": 1})
    drive.admin("clock", {"at": "2020-01-01T00:00:00Z"})
    drive.admin("reset", {})
    assert drive.client(ANN).files().list().execute()["files"]
    assert drive.admin("stats")["totalCalls"] == 1


@pytest.mark.parametrize("body", [{"rules": [{"kind": "nonsense"}]}, {"settings": {"typo": 1}}, {"unknown": 1}])
def test_a_wrong_fault_is_refused_instead_of_ignored(drive, body):
    with pytest.raises(urllib.error.HTTPError) as caught:
        drive.admin("faults", body)
    with caught.value as error:
        assert error.code == 400


def test_a_call_can_hang_and_then_fail(drive, ann):
    import time

    drive.faults({"kind": "hang", "seconds": 0.5, "count": 1})
    start = time.monotonic()
    with pytest.raises(HttpError, match="503"):
        ann.files().list().execute()
    assert time.monotonic() - start >= 0.5


def test_the_token_endpoint_can_be_down(drive, account):
    credentials = service_account.Credentials.from_service_account_file(account, scopes=[READONLY]).with_subject(ANN)
    drive.faults({"kind": "error", "routes": ["token"], "status": 400, "reason": "invalid_grant", "message": "no"})
    with pytest.raises(google.auth.exceptions.RefreshError, match="invalid_grant"):
        credentials.refresh(google.auth.transport.requests.Request())
