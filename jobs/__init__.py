"""The contract that the API and the workers share: what a job is, how it may change, where it is kept."""
