"""``python -m include.drive_backup.cli``, for a checkout that is not installed."""

from include.drive_backup.cli.app import main

main()
