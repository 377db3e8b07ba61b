"""Claims jobs, trains them, reports. The only home of TensorFlow."""

import os

# TensorFlow reads this once, when it is imported. Without oneDNN, which it uses by itself only on some makes of
# CPU, convolutions and pooling take twice the time; and results would not have the same bits on two makes.
os.environ.setdefault("TF_ENABLE_ONEDNN_OPTS", "1")
