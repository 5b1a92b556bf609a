"""The command line: look into the backup and restore from it with Blob access alone, on the day Airflow is gone."""
