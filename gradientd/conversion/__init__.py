"""Models of other libraries as networks that the service trains. Needs NumPy, and imports no Keras of its own."""
