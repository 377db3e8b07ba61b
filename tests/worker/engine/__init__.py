"""Tests of the engine. Importing `worker` first settles how TensorFlow is set up."""

import worker  # noqa: F401
