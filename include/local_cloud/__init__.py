"""Stand-ins that speak the real protocols on loopback, for the demo, docker-compose and the tests.

The product never imports them, and they never import the product: they can only meet over the wire.
"""
