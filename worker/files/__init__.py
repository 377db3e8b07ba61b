"""The files a job leaves: checkpoints and exports."""
