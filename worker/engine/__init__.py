"""Trains one job: the model, the step, the programs that run the step, the loop around them."""
