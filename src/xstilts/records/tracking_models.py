"""Kept models as MLflow models: `mlflow models predict -m models:/<id>` answers as the kit does.

The flavor is `python_function` with a loader module of the kit, which the model's own model.json
names (evaluation/kept.py): the data is safetensors and JSON, no pickle is written or read. It is
asked where xstilts is installed. Weights are copied into the store, as a server serves them there.
"""

from __future__ import annotations

import tempfile
import warnings
from importlib.metadata import version
from pathlib import Path
from typing import TYPE_CHECKING, Any

from xstilts.core import files, paths
from xstilts.records import tracking_store, tracking_view

if TYPE_CHECKING:
    from mlflow import MlflowClient

NEEDED = ("xstilts", "torch", "transformers", "tokenizers", "safetensors", "numpy")
Json = dict[str, Any]


def log(client: MlflowClient, run: Any, record: Json) -> dict[str, str]:
    """Log the models that a stage kept, as outputs of its run; target -> model id.

    Args:
        run: of MLflow, the one that made them.
    """
    from mlflow.entities import LoggedModelOutput

    made = {}
    for target in record.get("models", ()):
        kept = paths.predicted(record["study"], record["key"]) / "models" / target
        if not kept.is_dir():  # a clone without what DVC keeps
            continue
        model = client.create_logged_model(
            run.info.experiment_id,
            f"{record['key']}-{target}",
            run.info.run_id,
            {"target": target, "run": record["key"], **tracking_view.facts(record["params"])},
        )
        made[target] = model.model_id
        try:
            _write(client, run, model, kept)
        except Exception:
            client.finalize_logged_model(model.model_id, "FAILED")
            raise
        client.finalize_logged_model(model.model_id, "READY")
    if made:
        client.log_outputs(run.info.run_id, [LoggedModelOutput(one, 0) for one in made.values()])
    return made


def _write(client: MlflowClient, run: Any, model: Any, kept: Path) -> None:
    """Put one model among the store's artifacts."""
    place = tracking_store.local_folder(client, model.artifact_location)
    if place:
        _save(run, model, kept, place)
        return
    with tempfile.TemporaryDirectory() as scratch:
        _save(run, model, kept, Path(scratch) / "model")
        client.log_model_artifacts(model.model_id, str(Path(scratch) / "model"))


def _save(run: Any, model: Any, kept: Path, place: Path) -> None:
    """Write a model as MLflow reads it."""
    from mlflow import pyfunc
    from mlflow.models import Model

    facts = files.read_json(kept / "model.json")
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # that an example is missing; it would load the model
        pyfunc.save_model(
            place,
            loader_module=facts["loader"],
            data_path=str(kept),
            signature=_signature(facts),
            mlflow_model=Model(run_id=run.info.run_id, model_id=model.model_id),
            pip_requirements=[f"{name}=={version(name)}" for name in NEEDED],
            metadata={name: facts[name] for name in ("task", "kind", "source_language")},
        )


def _signature(facts: Json) -> Any:
    """What is asked and answered, in MLflow's types."""
    from mlflow.models import ModelSignature
    from mlflow.types.schema import Array, ColSpec, DataType, Map, Schema

    types = {
        **{"text": DataType.string, "text?": DataType.string, "number": DataType.long},
        **{"texts": Array(DataType.string), "numbers": Map(DataType.double)},
    }
    schemas = [
        Schema([ColSpec(types[kind], name, not kind.endswith("?")) for name, kind in one.items()])
        for one in (facts["inputs"], facts["outputs"])
    ]
    return ModelSignature(*schemas)
