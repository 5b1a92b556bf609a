"""What a person sees in Airflow's UI: the graph, the names of mapped tasks, the trigger form, a log, the links.

Screenshots go to ``.run/screenshots`` for people to look at.
"""

import re
import shutil

import pytest
from playwright.sync_api import expect, sync_playwright

from include.demo.airflow import ROOT, USER
from include.demo.world import DAG_ID

SCREENSHOTS = ROOT / ".run" / "screenshots"
# Debian's Chromium in a container: no sandbox, and no calls of its own to the outside.
ARGUMENTS = [
    "--no-sandbox",
    "--disable-gpu",
    "--disable-quic",
    "--no-first-run",
    "--disable-background-networking",
    "--disable-component-update",
    "--disable-sync",
]


@pytest.fixture(scope="module")
def page(world, first_run):
    chromium = next(filter(None, map(shutil.which, ("chromium", "chromium-browser", "google-chrome"))), None)
    assert chromium, "Chromium is missing; `make browser` installs it."
    SCREENSHOTS.mkdir(parents=True, exist_ok=True)
    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=chromium, args=ARGUMENTS)
        page = browser.new_page(viewport={"width": 1600, "height": 1000}, base_url=world.airflow().url)
        page.set_default_timeout(120_000)
        expect.set_options(timeout=120_000)
        page.goto("/")
        page.get_by_label(re.compile("username", re.IGNORECASE)).fill(USER)
        page.locator("input[type=password]").fill(world.airflow().password)
        page.get_by_role("button", name=re.compile("sign in|login", re.IGNORECASE)).click()
        page.wait_for_url(lambda url: "login" not in url)
        yield page
        browser.close()


def see(page, path, text, name):
    page.goto(path)
    expect(page.get_by_text(text).first).to_be_visible()
    page.wait_for_timeout(1500)
    page.screenshot(path=SCREENSHOTS / f"{name}.png")


def test_the_graph_shows_every_step(page, first_run):
    see(page, f"/dags/{DAG_ID}/runs/{first_run[0]}", "copy_batch", "run")
    for step in ("resolve_sources", "list_source", "plan_batches", "copy_batch", "commit_snapshot", "report"):
        expect(page.get_by_text(re.compile(step)).first).to_be_visible()


def test_mapped_tasks_have_readable_names(page, first_run):
    path = f"/dags/{DAG_ID}/runs/{first_run[0]}/tasks/copy_batch/mapped"
    see(page, path, "user/ann@example.com · batch 1 of 1", "mapped")


def test_the_log_is_a_report_that_a_person_can_read(page, first_run):
    see(page, f"/dags/{DAG_ID}/runs/{first_run[0]}/tasks/report", "complete", "log")


def test_the_commit_links_to_its_manifest(page, first_run):
    see(page, f"/dags/{DAG_ID}/runs/{first_run[0]}/tasks/commit_snapshot/mapped/0/details", "Open manifest", "links")
    link = page.get_by_role("link", name="Open manifest").first
    assert link.get_attribute("href").endswith("/manifest.json")


def test_the_trigger_form_explains_its_fields(page):
    page.goto(f"/dags/{DAG_ID}")
    page.get_by_role("button", name=re.compile("trigger", re.IGNORECASE)).first.click()
    for text in ("Sources", "As of", "Mode", "Dry run", "Filters"):
        expect(page.get_by_text(text, exact=False).first).to_be_visible()
    page.wait_for_timeout(1500)
    page.screenshot(path=SCREENSHOTS / "trigger.png")
