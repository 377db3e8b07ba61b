"""The layers of which a network can be written: one class a kind, with Keras' parameters, and what each makes of its
inputs. `catalogue` has them all.
"""
