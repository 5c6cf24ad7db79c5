"""How long a client is not served when the master goes: measured, and compared with a peer."""
