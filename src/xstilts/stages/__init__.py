"""The flow, one file a step: read, call functions, write. Stages know no MLflow and no SLURM."""
