"""What everything else stands on: errors, files, paths, params, machine, progress, the words."""
