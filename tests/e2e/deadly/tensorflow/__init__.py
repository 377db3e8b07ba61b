"""A TensorFlow whose import kills the process, as on a CPU without its instructions, for tests."""

import os
import signal

os.kill(os.getpid(), signal.SIGILL)
