"""How jobs, datasets and keys are kept: atomically in Redis, and as files."""
