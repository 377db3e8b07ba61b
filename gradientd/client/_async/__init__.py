"""The client as it is written, asynchronous. `make client` makes the synchronous one, `_sync`, of it."""
