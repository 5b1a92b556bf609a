"""The core of Drive Backup: what is backed up, how it is stored, and what is promised. No Airflow in it.

Map of the package, in the order in which data flows:

- ``errors``, ``model``, ``ports``, ``globs``, ``settings``: the vocabulary; they import nothing else of ours.
- ``pacing``: back-off and quota budgets.
- ``drive``: Google Drive v3 over HTTP; implements ``ports.Drive``.
- ``blob``: Azure Blob Storage; implements ``ports.BlobStore``; ``blob.names`` is the layout of the container.
- ``work``: the files of one run's work area.
- ``increment``: a listing from the one before and the change feed.
- ``listing`` → ``planning`` → ``transfer`` → ``manifest``: the steps of a backup.
- ``report``: what a person is told at the end.
- ``events``: CloudEvents, and how none is lost.
"""

__version__ = "0.1.0"
