"""CloudEvents about runs, and how none of them is lost.

``envelope`` makes an event of a fact; ``eventhub`` sends it; ``outbox`` (in Blob) and ``spool`` (on the local disk)
keep what could not be sent; ``emitter`` joins them behind one call that neither raises nor takes long.
"""
