"""Stage `report`: the page, figures, tables and plot data of a study, and the verdict on claims.

Run by `xstilts report` or `dvc repro`. Reads `results/aggregate/<study>/`, the curves and the
weights of layers in the record of each run, what `statistics/<study>/` says of rows and leaks,
`claims.yaml`, and for studies that follow a published protocol `references.yaml`. Writes
`report/<study>/`, and claims and metrics beside it; their bytes depend on these and params alone.
"""

from __future__ import annotations

from xstilts.claims import answers
from xstilts.core import paths
from xstilts.core.files import output_folder, write_bytes, write_json
from xstilts.core.params import Params
from xstilts.core.progress import Observe, Record
from xstilts.records import record
from xstilts.report import data as reading


def run(params: Params, key: str, observe: Observe) -> Record:
    """Write index.html, figures/, tables/, plots/ and record.json; claims and metrics beside them.

    Raises:
        UserError: a file of the aggregate is missing or broken; an entry of claims.yaml is wrong.
    """
    # matplotlib takes a second to import: only now.
    from xstilts.report import figure_panels, main_table, page, plots, table, tables

    results = reading.load(params, paths.aggregated(params.study))
    with output_folder(paths.report(params.study)) as out:
        drawn = page.build(results)
        with observe.progress("figures", len(drawn)) as advance:
            for figure in drawn:
                figure_panels.save(figure, out / "figures")
                advance(1)
        built = tables.build(results)
        for one in built.values():
            table.save(one, out / "tables")
        main_table.save(results, out / "tables")
        page.save(results, out / "plots")
        plots.save(results, out / "plots")
        write_bytes(out / "index.html", page.render(results, drawn, built).encode())
        written = sorted(str(p.relative_to(out)) for p in out.rglob("*") if p.is_file())
        inputs = [*results.files, *plots.record_files(results)]
        made = record.make(params, "report", key, params.report, inputs, {}, None, tuple(written))
        write_json(out / "record.json", made)
    write_json(paths.answers(params.study), answers.content(results.answers))
    write_json(paths.report_metrics(params.study), plots.metrics(results))
    return made
