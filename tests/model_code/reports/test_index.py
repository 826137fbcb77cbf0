"""The index page links every report, the newest run first."""

import json
import os

from model_code.reports.index import render_index


def test_links_runs_newest_first(tmp_path):
    for age, run in ((1, "older"), (2, "newer <b>")):
        folder = tmp_path / "training_pipeline" / run
        folder.mkdir(parents=True)
        for page in ("validation.html", "comparison.html"):
            (folder / page).write_text("")
            os.utime(folder / page, (age, age))
    (tmp_path / "training_pipeline" / "empty").mkdir()
    page = render_index(tmp_path).read_text()
    assert page.index("newer &lt;b&gt;") < page.index("older")
    assert 'href="training_pipeline/older/comparison.html"' in page
    assert page.index("older/validation.html") < page.index("older/comparison.html")
    assert "empty" not in page
    assert "registry" not in page
    file = tmp_path / "training_pipeline" / "older" / "lineage.json"
    file.write_text(json.dumps({"data.dvc md5": "d41d8cd98f.dir", "raw files": "e5", "git commit": "abc"}))
    page = render_index(tmp_path).read_text()
    assert '<code title="d41d8cd98f.dir">d41d8cd9</code>' in page
    assert '<code title="abc">abc</code>' in page
    (tmp_path / "registry.html").write_text("")
    assert 'href="registry.html"' in render_index(tmp_path).read_text()
