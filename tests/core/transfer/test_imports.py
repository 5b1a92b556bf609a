"""What the process of a copy task does not carry with it."""

import subprocess
import sys

FLOW = "listing", "planning.plan", "transfer.batch", "manifest.commit", "blob.azure", "drive.source"


def test_only_who_reads_or_writes_a_catalogue_loads_pyarrow():
    imports = "; ".join(f"import include.drive_backup.{name}" for name in FLOW)
    code = f"import sys; {imports}; print(sorted({{'pyarrow', 'numpy', 'pandas'}} & set(sys.modules)))"
    found = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert found.stdout.strip() == "[]"
