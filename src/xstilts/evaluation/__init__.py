"""From a checkpoint to the scores of a target."""
