"""What users send to be trained on: received, checked, split, and made into arrays. No request and no store in here."""
