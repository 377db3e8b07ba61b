"""A program that reads the published document and sends the API whatever it allows, and what it does not.

`python -m tests.fuzz --help`; nothing here is a pytest test.
"""
