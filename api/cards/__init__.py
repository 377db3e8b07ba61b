"""Model cards: what is to be known of a trained model, as JSON and as a page."""
