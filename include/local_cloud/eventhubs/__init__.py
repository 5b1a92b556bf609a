"""Event Hubs on loopback: an AMQP 1.0 server that the unmodified ``azure-eventhub`` client talks to.

``codec`` turns bytes into values, ``frames`` values into performatives; ``connection``, ``session`` and ``links``
are the three layers of AMQP; ``nodes`` answers ``$cbs`` and ``$management``, ``hub`` knows partitions and consumer
groups, and ``log`` keeps the events of a partition in a file.

Sources: OASIS AMQP 1.0 parts 1-3; the "AMQP 1.0 in Azure Service Bus and Event Hubs protocol guide" for ``$cbs`` and
``$management``; ``azure.eventhub._pyamqp`` 5.15.1 for what that client needs on top.
"""
