"""Python code of the project: the core (``drive_backup``) and the local stand-ins (``local_cloud``)."""
