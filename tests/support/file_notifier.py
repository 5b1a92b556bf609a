"""A further notifier, as the config file can name one: writes a line per call. Airflow's processes import it."""

import json
from pathlib import Path

from airflow.sdk import BaseNotifier


class FileNotifier(BaseNotifier):
    def __init__(self, path):
        super().__init__()
        self.path = Path(path)

    def notify(self, context):
        ti = context.get("ti")
        line = {"run_id": context["run_id"], "dag_id": context["dag"].dag_id, "task_id": ti and ti.task_id}
        with self.path.open("a", encoding="utf-8") as file:
            file.write(json.dumps(line) + "\n")
