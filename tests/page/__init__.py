"""The page at `/` as people meet it: in a real browser, on a real stack."""
