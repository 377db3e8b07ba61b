"""Claims jobs, trains them, reports. The only home of TensorFlow."""
