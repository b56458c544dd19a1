"""One training loop on DeepSpeed, and all it needs: batches, schedules, states, predictions."""
