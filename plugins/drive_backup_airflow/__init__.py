"""Airflow's side of Drive Backup: operators, hooks, notifier, links, and the wiring that joins them with the core."""
