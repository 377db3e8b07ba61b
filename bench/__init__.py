"""Every published figure, measured on this machine beside its named peers. Run `python -m bench`.

Nothing heavy is imported here: the peers are started as modules of this package by interpreters that have
little else installed.
"""

import os

INHERITED = dict(os.environ)
"""The environment that the bench was started in. Importing `worker` adds to the environment what the worker wants of
TensorFlow; a peer must not inherit that, but run as it does for anybody else."""
