"""Edits of modules that stand in places of every kind: whose code it is decides whether they count.

A step calls ``lab.norm``; the edit changes a constant of it. Only where ``lab`` stands, and what is said of it there,
differs from scenario to scenario.
"""

from textwrap import dedent

from tests.hashing._edits import add

LAB = "def norm(x):\n    return x - 4\n"
STEP = "\n\ndef step(x):\n    return lab.norm(x)\n"
HERE = "import os, sys\n\nhere = os.path.dirname(os.path.abspath(__file__))\n"
SITE = "sys.path.insert(0, os.path.join(here, 'site-packages'))\nimport lab\n"
RECORD = "{name},sha256=abc,42\nlab-1.dist-info/METADATA,,\nlab-1.dist-info/RECORD,,\n../../../bin/lab,,\n"


def place(name, rule, script, counts=True, said="", **files):
    """Add a scenario; ``rule`` is the one that makes the edit count, or be left out."""
    before = {"script.py": HERE + dedent(script).lstrip("\n") + STEP + said, **files}
    after = {path: text.replace("x - 4", "x - 5") for path, text in before.items()}
    add(f"place: {name}", rule, before, after, counts=counts)


def installed(origin, record="lab.py", **files):
    """Return the files of an installed distribution, as pip lays them out."""
    info = "site-packages/lab-1.dist-info/"
    said = {} if origin is None else {info + "direct_url.json": origin}
    return {info + "RECORD": RECORD.format(name=record), f"site-packages/{record}": LAB, **said, **files}


# Of whom it is by what its distribution says of itself (PEP 610).
FOLDER = '{"url": "file:///home/me/lab", "dir_info": {}}'
REPOSITORY = '{"url": "https://example.org/lab.git", "vcs_info": {"vcs": "git", "commit_id": "abc"}}'
WHEEL = '{"url": "file:///home/me/lab-1-py3-none-any.whl", "archive_info": {"hash": "sha256=abc"}}'
place("pip install ./folder", "direct url", SITE, **installed(FOLDER))
place("pip install git+https://...", "direct url", SITE, **installed(REPOSITORY))
place(
    "package installed from a folder", "direct url",
    SITE.replace("import lab", "import lab.tools\nfrom lab import tools as lab"),
    **installed(FOLDER, "lab/tools.py", **{"site-packages/lab/__init__.py": ""}),
)  # fmt: skip
place("pip install of a wheel", "installed", SITE, counts=False, **installed(WHEEL))
place("pip install from an index", "installed", SITE, counts=False, **installed(None))
place("direct_url.json that cannot be read", "installed", SITE, counts=False, **installed("{"))
place(
    "beside what was installed from a folder", "installed", SITE, counts=False,
    **installed(FOLDER, "other.py", **{"site-packages/lab.py": LAB}),
)  # fmt: skip
place(
    "dist-packages", "installed", SITE.replace("site-", "dist-"), counts=False, **{"dist-packages/lab.py": LAB},
)  # fmt: skip
place(
    "virtual environment inside the project", "installed",
    "sys.path.insert(0, os.path.join(here, '.venv', 'lib', 'python3', 'site-packages'))\nimport lab\n",
    counts=False, **{".venv/lib/python3/site-packages/lab.py": LAB},
)  # fmt: skip

# Editable installs: the module stands in the user's folder, however it is found there.
place(
    "editable by a .pth file", "places",
    """
    import site
    pth = os.path.join(here, "site-packages", "__editable__.lab-1.pth")
    open(pth, "w").write(os.path.join(here, "src") + chr(10))
    site.addsitedir(os.path.join(here, "site-packages"))
    import lab
    """,
    **{"src/lab.py": LAB}, **installed(FOLDER.replace("{}", '{"editable": true}'), "unused.py"),
)  # fmt: skip
FINDER = """
import os, sys
from importlib.machinery import PathFinder
from importlib.util import spec_from_file_location

SOURCE = os.path.join(os.path.dirname(os.path.dirname(os.path.abspath(__file__))), "src")
MAPPING = {"lab": os.path.join(SOURCE, "lab")}


class EditableFinder:
    @classmethod
    def find_spec(cls, fullname, path=None, target=None):
        if fullname in MAPPING:
            return spec_from_file_location(fullname, os.path.join(MAPPING[fullname], "__init__.py"))


def install():
    sys.meta_path.append(EditableFinder)
"""
place(
    "editable by an import hook", "places",
    """
    import site
    open(os.path.join(here, "site-packages", "lab.pth"), "w").write("import lab_finder; lab_finder.install()")
    site.addsitedir(os.path.join(here, "site-packages"))
    import lab
    """,
    **{"src/lab/__init__.py": LAB, "site-packages/lab_finder.py": FINDER},
)  # fmt: skip
NAMESPACE = (
    FINDER
    + """

class NamespaceFinder:
    @classmethod
    def find_spec(cls, fullname, path=None, target=None):
        if fullname == "group":
            spec = PathFinder.find_spec("group", [SOURCE])
            spec.submodule_search_locations = [os.path.join(SOURCE, "group"), "__editable__.lab.finder.__path_hook__"]
            return spec


def install():
    sys.meta_path.append(NamespaceFinder)
"""
)
place(
    "editable namespace package", "places",
    """
    sys.path.insert(0, os.path.join(here, "site-packages"))
    import lab_finder
    lab_finder.install()
    import group.lab as lab
    """,
    **{"src/group/lab.py": LAB, "site-packages/lab_finder.py": NAMESPACE},
)  # fmt: skip

# Places that are the user's whatever they are called.
place("beside the script", "places", "sys.path.insert(0, here)\nimport lab\n", **{"lab.py": LAB})
place(
    "module called like one of the standard library", "places",
    "sys.path.insert(0, here)\nsys.modules.pop('colorsys', None)\nimport colorsys as lab\n", **{"colorsys.py": LAB},
)  # fmt: skip
place(
    "zip app", "places",
    """
    import zipfile
    with zipfile.ZipFile(os.path.join(here, "app.zip"), "w") as app:
        app.write(os.path.join(here, "src", "lab.py"), "lab.py")
    sys.path.insert(0, os.path.join(here, "app.zip"))
    import lab
    """,
    **{"src/lab.py": LAB},
)  # fmt: skip
place(
    "module without a file, as a notebook's", "no file",
    """
    import types
    lab = types.ModuleType("lab")
    exec(open(os.path.join(here, "lab.txt")).read(), vars(lab))
    sys.modules["lab"] = lab
    """,
    **{"lab.txt": LAB},
)  # fmt: skip

# A console script, or python -m lab: __main__ is the user's wherever it stands.
MAIN = LAB + "\n\ndef step(x):\n    return norm(x)\n"
MAINS = [{"site-packages/script.py": text} for text in (MAIN, MAIN.replace("x - 4", "x - 5"))]
add("place: __main__ inside site-packages", "main", *MAINS, counts=True)

# Compiled modules: no code to read, so the file counts.
COMPILED = """
import math, types
lab = types.ModuleType("lab")
lab.__file__ = os.path.join(here, FOLDER, "lab.so")
sys.modules["lab"] = lab
math.floor.__module__ = "lab"
"""
FUNCTION = COMPILED + "lab.norm = math.floor\n"
CLASS = COMPILED + "lab.norm = type('norm', (), {'__module__': 'lab'})\n"
place("compiled module of mine: function", "compiled", "FOLDER = 'src'" + FUNCTION, **{"src/lab.so": "x - 4"})
place("compiled module of mine: class", "compiled", "FOLDER = 'src'" + CLASS, **{"src/lab.so": "x - 4"})
place(
    "compiled module installed from a folder", "compiled", "FOLDER = 'site-packages'" + FUNCTION,
    **installed(FOLDER, "lab.so", **{"site-packages/lab.so": "x - 4"}),
)  # fmt: skip
place(
    "compiled module of a library", "installed", "FOLDER = 'site-packages'" + FUNCTION, counts=False,
    **{"site-packages/lab.so": "x - 4"},
)  # fmt: skip

# Told otherwise.
place(
    "library that is tracked", "named packages", SITE, said="\n\noptions = {'track': ('lab',)}\n",
    **{"site-packages/lab.py": LAB},
)  # fmt: skip
place(
    "module of a library that is tracked", "named packages",
    SITE.replace("import lab", "import lab.tools\nfrom lab import tools as lab"),
    said="\n\noptions = {'track': ('lab.tools',)}\n",
    **{"site-packages/lab/tools.py": LAB, "site-packages/lab/__init__.py": ""},
)  # fmt: skip
place(
    "package of mine that is not tracked", "named packages", "sys.path.insert(0, here)\nimport lab\n", counts=False,
    said="\n\noptions = {'no_track': ('lab',)}\n", **{"lab.py": LAB},
)  # fmt: skip
place(
    "package whose name only begins alike", "installed", SITE, counts=False,
    said="\n\noptions = {'track': ('la',)}\n", **{"site-packages/lab.py": LAB},
)  # fmt: skip

ONE = "def step(x):\n    return x + 1\n"
add("script renamed and moved", None, {"script.py": ONE}, {"deeper/other.py": ONE}, counts=False)
add(
    "helper moved to another module", None,
    {"script.py": "def helper(x):\n    return x + 1\n\n\ndef step(x):\n    return helper(x)\n"},
    {
        "script.py": "from tools import helper\n\n\ndef step(x):\n    return helper(x)\n",
        "tools.py": "def helper(x):\n    return x + 1\n",
    },
    counts=False,
)  # fmt: skip
