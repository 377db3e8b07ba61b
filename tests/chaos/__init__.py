"""A program that breaks a real stack at every joint and then looks, from outside, whether a job suffered.

`python -m tests.chaos --help`; nothing here is a pytest test, and nothing of it is in the product.
"""
