"""A TensorFlow that cannot be imported, for tests."""

raise ImportError("this TensorFlow is broken on purpose")
