"""The contract that the API and the workers share: what a job is and how it may change."""
