"""One namespace with other llama_index packages, from a checkout and from wheels."""

from __future__ import annotations

import subprocess
import sys
import tomllib
import venv
import zipfile
from pathlib import Path

import llama_index.postprocessor.thresher as package
import pytest

import thresher

HERE = Path(__file__).parents[1]
CHECK = """
import importlib.metadata, llama_index.core
import llama_index.postprocessor.thresher as ours
import llama_index.{other} as other
from llama_index.postprocessor.thresher import ThresherPostprocessor
from llama_index.core.schema import NodeWithScore, TextNode
text = "The library was founded in 1924 by Peter Halvorsen, a shipowner from Bergen. " * 9
node = NodeWithScore(node=TextNode(text=text), score=1.0)
(out,) = ThresherPostprocessor(max_tokens=40).postprocess_nodes([node], query_str="Who?")
assert 0 < len(out.text) < len(text)
assert importlib.metadata.version("llama-index-postprocessor-thresher") == "0.1.0"
print(ours.__file__)
"""


def test_the_namespace_stays_open():
    for folder in (HERE / "llama_index", HERE / "llama_index" / "postprocessor"):
        assert not (folder / "__init__.py").exists()
    import llama_index
    import llama_index.postprocessor

    assert llama_index.__file__ is None
    assert (
        len(list(llama_index.__path__)) > 1 or HERE not in Path(llama_index.core.__file__).parents
    )
    assert (Path(package.__file__).parent / "py.typed").exists()


def test_the_hub_table_names_what_there_is():
    project = tomllib.loads((HERE / "pyproject.toml").read_text(encoding="utf-8"))
    table = project["tool"]["llamahub"]
    assert table["import_path"] == package.__name__
    for name in table["class_authors"]:
        assert name in package.__all__


def test_the_public_names_are_documented():
    for name in package.__all__:
        value = getattr(package, name)
        assert value.__doc__
        for key, field in getattr(value, "model_fields", {}).items():
            if key not in ("callback_manager", "timestamp", "id_", "span_id", "tags"):
                assert field.description, f"{name}.{key}"


@pytest.mark.slow
@pytest.mark.parametrize("editable", [False, True])
def test_install_next_to_another_package(tmp_path, editable):
    """Our wheel (or checkout) and another distribution of the namespace in a fresh environment.

    The other one is made here from two lines, so that nothing depends on an index; heavy
    dependencies come from this environment.
    """
    pytest.importorskip("hatchling")
    pytest.importorskip("editables")
    other = tmp_path / "other"
    module = other / "llama_index" / "postprocessor" / "neighbour"
    module.mkdir(parents=True)
    (module / "__init__.py").write_text("NAME = 'neighbour'\n")
    (other / "pyproject.toml").write_text(
        '[build-system]\nrequires = ["hatchling"]\nbuild-backend = "hatchling.build"\n'
        '[project]\nname = "llama-index-postprocessor-neighbour"\nversion = "0.1.0"\n'
        '[tool.hatch.build.targets.wheel]\ninclude = ["llama_index/"]\n'
    )
    made = tmp_path / "env"
    venv.create(made, with_pip=False)
    python = made / "bin" / "python"
    site = next((made / "lib").glob("python*/site-packages"))
    host = [p for p in sys.path if p.endswith("site-packages")]  # without its .pth files
    core = str(Path(thresher.__file__).parents[1])
    (site / "zz_host.pth").write_text("\n".join([*host, core]) + "\n")
    pip = [sys.executable, "-m", "pip", "--python", str(python), "install", "-q", "--no-deps"]
    pip += ["--no-build-isolation", "--ignore-installed"]
    if editable:
        subprocess.run([*pip, "-e", str(HERE), "-e", str(other)], check=True)
    else:
        wheels = tmp_path / "wheels"
        for source in (HERE, other):
            command = [sys.executable, "-m", "pip", "wheel", "-q", "--no-deps"]
            command += ["--no-build-isolation", "-w", str(wheels), str(source)]
            subprocess.run(command, check=True)
        (ours,) = wheels.glob("llama_index_postprocessor_thresher-*.whl")
        names = zipfile.ZipFile(ours).namelist()
        assert "llama_index/postprocessor/thresher/py.typed" in names
        assert "llama_index/__init__.py" not in names
        assert "llama_index/postprocessor/__init__.py" not in names
        assert not any(n.startswith("tests/") for n in names)
        subprocess.run([*pip, *map(str, wheels.glob("*.whl"))], check=True)
    check = CHECK.format(other="postprocessor.neighbour")
    found = subprocess.run([str(python), "-c", check], capture_output=True, text=True, cwd=tmp_path)
    assert found.returncode == 0, found.stderr
    assert str(HERE if editable else site) in found.stdout
