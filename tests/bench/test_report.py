"""The page says what was measured, losses included."""

from benchmarks.report import write


def run(contender, wall, calls=10):
    cost = {"cpu": wall / 200, "rss_mb": 100.0, "calls": calls, "units": 1000, "others": 0.1, "servers": {"drive": 1.0}}
    return {"contender": contender, "files": 100, "bytes": 10**6, "wall": wall, "load": 1.0, "detail": {}, **cost}


def page(tmp_path, *rounds):
    scenario = {"tree": "100 files", "blob": "null_blob", "latency": True, "rounds": list(rounds)}
    found = {"date": "2026-11-23", "cores": 2, "planned": ["small-null-latency", "list"]}
    found["results"] = {"small-null-latency": scenario}
    write(found, tmp_path / "page.md")
    return (tmp_path / "page.md").read_text()


def test_the_ratio_is_the_median_of_the_rounds(tmp_path):
    rounds = [[run("ours", 10.0), run("rclone tuned", wall)] for wall in (15.0, 20.0, 90.0)]
    text = page(tmp_path, *rounds)
    assert "| rclone tuned | 3 | 2.00 (1.50 to 9.00) |" in text
    assert "≥ 1.5 times rclone tuned | 2.00 times | met |" in text
    assert "**missed**" not in text
    assert "\nlist: `make bench`" in text


def test_a_loss_is_said(tmp_path):
    text = page(tmp_path, [run("ours", 10.0, calls=12), run("rclone tuned", 8.0)])
    assert "≥ 1.5 times rclone tuned | 0.80 times | **missed** |" in text
    assert "≤ 0.8 ms of CPU a file, all steps included | 0.50 ms | met |" in text
    assert (
        "| wall time: never worse, in any profile | worse in small-null-latency (rclone tuned) | **missed** |" in text
    )
    assert (
        "| API calls: never worse, in any profile | worse in small-null-latency (rclone tuned) | **missed** |" in text
    )
    assert "| API units: never worse, in any profile | never worse | met |" in text


def test_a_listing_has_no_steps(tmp_path):
    listed = {**run("ours", 10.0), "detail": {"rows": 100, "peak_mb": 90}}
    text = page(tmp_path, [listed, run("rclone tuned", 8.0)])
    assert "| 100 files to Null, with latency | rclone tuned | 1 |" in text


def increment(wall, units):
    return {"wall": wall, "cpu": 1.0, "rss_mb": 300, "calls": 3, "units": units, "downloads": 0}


def test_an_increment_is_held_against_its_goals(tmp_path):
    scenario = {"tree": "100 files", "blob": "null_blob", "latency": True, "rounds": [[run("ours", 1.0)]]}
    increments = {
        "items": 200_000,
        "changed": 1_800,
        "unchanged": {"ours": increment(5.0, 100), "rclone sync": increment(100.0, 50_000)},
        "renamed": {"ours": increment(20.0, 100), "rclone sync": increment(100.0, 50_000)},
    }
    found = {"date": "2026-11-23", "cores": 2, "planned": [], "results": {"small": scenario, "increments": increments}}
    write(found, tmp_path / "page.md")
    text = (tmp_path / "page.md").read_text()
    for way, time in (("nothing changed", "0.05 times | met"), ("1 % renamed", "0.20 times | **missed**")):
        assert f"{way}: units ≤ 1/50 of rclone sync's | 1/500 | met |" in text
        assert f"{way}: memory ≤ 512 MB | 300 MB | met |" in text
        assert f"{way}: time ≤ 1/10 of rclone sync's | {time} |" in text
    assert "| 1 % renamed | rclone sync | 100.0 | 100 |" in text
