"""One verb per file: the steps of a backup as Airflow operators. Each builds its parts in ``wiring`` and calls one core function."""
