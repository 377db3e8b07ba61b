"""Every published figure, measured on this machine beside its named peers. Run `python -m bench`.

Nothing heavy is imported here: the peers are started as modules of this package by interpreters that have
little else installed.
"""
