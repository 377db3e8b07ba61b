"""The HTTP side: accepts jobs, tells what became of them. Knows no TensorFlow and no worker."""
