"""The synchronous client, made of `_async` by `make client`; only `runtime.py` is written by hand."""
