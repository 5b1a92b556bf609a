"""The demo: real Airflow and the local cloud on one machine, driven from outside. Tests use the same parts."""
