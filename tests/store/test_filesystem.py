"""Which kind of file system a folder is on."""

import sys
from pathlib import Path

import pytest

from ezpyp.store import files as _filesystem
from ezpyp.store.files import FileSystem, filesystem_of

MOUNTS = r"""
22 1 8:1 / / rw,relatime shared:1 - ext4 /dev/sda1 rw
23 22 0:21 / /proc rw - proc proc rw
24 22 0:40 / /home rw shared:2 - autofs systemd-1 rw
25 24 0:41 / /home rw shared:3 - nfs4 server:/home rw,vers=4.2
26 22 0:42 / /scratch rw - lustre 10.0.0.1@o2ib:/scratch rw
27 22 0:43 / /mnt/my\040disk rw - xfs /dev/sdb1 rw
28 22 0:44 / /home/ada/local rw - tmpfs tmpfs rw
29 22 0:45 / /ssh rw - fuse.sshfs host: rw
30 22 0:46 / /new rw - fastfs2030 x rw
31 22 0:47 / /scratch2 rw - gpfs x rw
""".strip()


@pytest.mark.parametrize(
    ("folder", "kind", "is_network"),
    [
        ("/var/cache", "ext4", False),
        ("/home/ada/cache", "nfs4", True),
        ("/home", "nfs4", True),
        ("/homeless", "ext4", False),
        ("/home/ada/local/cache", "tmpfs", False),
        ("/scratch/run", "lustre", True),
        ("/scratch2/run", "gpfs", True),
        ("/mnt/my disk/cache", "xfs", False),
        ("/ssh/cache", "fuse.sshfs", True),
        ("/new/cache", "fastfs2030", True),
        ("/", "ext4", False),
    ],
)
def test_the_deepest_mount_decides(folder: str, kind: str, is_network: bool) -> None:
    assert filesystem_of(Path(folder), mounts=MOUNTS) == FileSystem(kind, is_network)


def test_a_link_counts_as_where_it_leads(tmp_path: Path) -> None:
    (tmp_path / "cache").symlink_to("/scratch/run")

    assert filesystem_of(tmp_path / "cache", mounts=MOUNTS).kind == "lustre"


def test_this_machine_has_an_answer(tmp_path: Path) -> None:
    assert (filesystem_of(tmp_path).kind != "unknown") == sys.platform.startswith("linux")


def test_without_an_answer_a_network_is_assumed(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setattr(_filesystem, "_mount_table", lambda: "")
    monkeypatch.setattr(_filesystem.sys, "platform", "linux")

    assert filesystem_of(tmp_path) == FileSystem("unknown", is_network=True)
