"""Hooks: Airflow connections become credentials and clients, nothing more."""
