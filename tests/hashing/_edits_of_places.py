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
TOOLS = SITE.replace("import lab", "import lab.tools\nfrom lab import tools as lab")
RECORD = "{name},sha256=abc,42\nlab-1.dist-info/METADATA,,\nlab-1.dist-info/RECORD,,\n../../../bin/lab,,\n"


def place(name, rule, script, files, options=None, counts=None):
    """Add a scenario; ``rule`` is the one that makes the edit count, or be left out as what is installed."""
    said = "" if options is None else f"\n\noptions = {options}\n"
    before = {"script.py": HERE + dedent(script).lstrip("\n") + STEP + said, **files}
    after = {path: text.replace("x - 4", "x - 5") for path, text in before.items()}
    add(f"place: {name}", rule, before, after, counts=rule != "installed" if counts is None else counts)


def installed(origin, record="lab.py", **files):
    """Return the files of an installed distribution, as pip lays them out."""
    info = "site-packages/lab-1.dist-info/"
    said = {} if origin is None else {info + "direct_url.json": origin}
    return {info + "RECORD": RECORD.format(name=record), f"site-packages/{record}": LAB, **said, **files}


# Of whom it is by what its distribution says of itself (PEP 610).
FOLDER = '{"url": "file:///home/me/lab", "dir_info": {}}'
REPOSITORY = '{"url": "https://example.org/lab.git", "vcs_info": {"vcs": "git", "commit_id": "abc"}}'
WHEEL = '{"url": "file:///home/me/lab-1-py3-none-any.whl", "archive_info": {"hash": "sha256=abc"}}'
PACKAGE = {"site-packages/lab/__init__.py": "", "site-packages/lab/tools.py": LAB}
IN_SITE = {"site-packages/lab.py": LAB}
place("pip install ./folder", "direct url", SITE, installed(FOLDER))
place("pip install git+https://...", "direct url", SITE, installed(REPOSITORY))
place("package installed from a folder", "direct url", TOOLS, installed(FOLDER, "lab/tools.py", **PACKAGE))
place("pip install of a wheel", "installed", SITE, installed(WHEEL))
place("pip install from an index", "installed", SITE, installed(None))
place("direct_url.json that cannot be read", "installed", SITE, installed("{"))
place("beside what was installed from a folder", "installed", SITE, installed(FOLDER, "other.py", **IN_SITE))
place("dist-packages", "installed", SITE.replace("site-", "dist-"), {"dist-packages/lab.py": LAB})
VENV = ".venv/lib/python3/site-packages"
place(
    "virtual environment inside the project", "installed", SITE.replace("site-packages", VENV), {f"{VENV}/lab.py": LAB}
)

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
    {"src/lab.py": LAB, **installed(FOLDER.replace("{}", '{"editable": true}'), "unused.py")},
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
    {"src/lab/__init__.py": LAB, "site-packages/lab_finder.py": FINDER},
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
    {"src/group/lab.py": LAB, "site-packages/lab_finder.py": NAMESPACE},
)  # fmt: skip

# Places that are the user's whatever they are called.
BESIDE = "sys.path.insert(0, here)\nimport lab\n"
ALIKE = "sys.path.insert(0, here)\nsys.modules.pop('colorsys', None)\nimport colorsys as lab\n"
place("beside the script", "places", BESIDE, {"lab.py": LAB})
place("module called like one of the standard library", "places", ALIKE, {"colorsys.py": LAB})
place(
    "zip app", "places",
    """
    import zipfile
    with zipfile.ZipFile(os.path.join(here, "app.zip"), "w") as app:
        app.write(os.path.join(here, "src", "lab.py"), "lab.py")
    sys.path.insert(0, os.path.join(here, "app.zip"))
    import lab
    """,
    {"src/lab.py": LAB},
)  # fmt: skip
place(
    "module without a file, as a notebook's", "no file",
    """
    import types
    lab = types.ModuleType("lab")
    exec(open(os.path.join(here, "lab.txt")).read(), vars(lab))
    sys.modules["lab"] = lab
    """,
    {"lab.txt": LAB},
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
MINE, THEIRS = {"src/lab.so": "x - 4"}, {"site-packages/lab.so": "x - 4"}
OF_SITE = "FOLDER = 'site-packages'" + FUNCTION
place("compiled module of mine: function", "compiled", "FOLDER = 'src'" + FUNCTION, MINE)
place("compiled module of mine: class", "compiled", "FOLDER = 'src'" + CLASS, MINE)
place("compiled module installed from a folder", "compiled", OF_SITE, installed(FOLDER, "lab.so", **THEIRS))
place("compiled module of a library", "installed", OF_SITE, THEIRS)

# Told otherwise.
place("library that is tracked", "named packages", SITE, IN_SITE, {"track": ("lab",)})
place("module of a library that is tracked", "named packages", TOOLS, PACKAGE, {"track": ("lab.tools",)})
place("package of mine that is not tracked", "named packages", BESIDE, {"lab.py": LAB}, {"no_track": ("lab",)}, False)
place("package whose name only begins alike", "installed", SITE, IN_SITE, {"track": ("la",)})

ONE = "def step(x):\n    return x + 1\n"
HELPER, CALLER = "def helper(x):\n    return x + 1\n", "\n\ndef step(x):\n    return helper(x)\n"
MOVED = {"script.py": "from tools import helper" + CALLER, "tools.py": HELPER}
add("script renamed and moved", None, {"script.py": ONE}, {"deeper/other.py": ONE}, counts=False)
add("helper moved to another module", None, {"script.py": HELPER + CALLER}, MOVED, counts=False)
