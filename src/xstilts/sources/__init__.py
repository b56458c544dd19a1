"""Where raw data and checkpoints come from: hub, mirror, folder, world; and how files are read."""
