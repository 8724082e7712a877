from __future__ import annotations

from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from bridge.store.mounts import Mount, is_network_path, mounts


@pytest.mark.parametrize(
    ("fstype", "opts", "is_network"),
    [
        ("nfs4", "rw", True),
        ("cifs", "rw", True),
        ("smb3", "rw", True),
        ("smbfs", "rw", True),
        ("fuse.sshfs", "rw", True),
        ("fuse.gvfsd-fuse", "rw", True),
        ("afpfs", "rw", True),
        ("9p", "rw", True),
        ("ceph", "rw", True),
        ("fuse.glusterfs", "rw", True),
        ("davfs", "rw", True),
        ("NTFS", "rw,remote", True),
        ("NTFS", "rw,fixed", False),
        ("ext4", "rw", False),
        ("xfs", "rw", False),
        ("apfs", "rw", False),
        ("autofs", "rw", False),
        ("fuseblk", "rw", False),
        ("overlay", "rw", False),
        ("", "", False),
    ],
)
def test_network_file_systems_are_known_by_their_names(
    tmp_path: Path, fstype: str, opts: str, is_network: bool
) -> None:
    root = Mount(tmp_path.anchor, "ext4")
    assert is_network_path(tmp_path / "not" / "there", lambda: [root, Mount(str(tmp_path), fstype, opts)]) is is_network


def test_deepest_mount_counts_and_of_two_at_one_place_the_later(tmp_path: Path) -> None:
    share, disk = Mount(str(tmp_path / "a"), "nfs"), Mount(str(tmp_path / "a" / "disk"), "ext4")
    root = Mount(tmp_path.anchor, "ext4")
    assert not is_network_path(tmp_path / "a" / "disk" / "x", lambda: [disk, share, root])
    assert is_network_path(tmp_path / "a" / "diskette", lambda: [disk, share, root])
    assert not is_network_path(tmp_path / "ab", lambda: [share, root])
    over = Mount(str(tmp_path / "a"), "ext4")
    assert not is_network_path(tmp_path / "a", lambda: [root, share, over])
    assert is_network_path(tmp_path / "a", lambda: [root, over, share])


@settings(max_examples=40, deadline=None)
@given(st.lists(st.sampled_from(["a", "a b", "ä"]), max_size=4), st.lists(st.sampled_from(["nfs", "ext4"]), max_size=4))
def test_order_of_mounts_at_different_depths_does_not_matter(parts: list[str], types: list[str]) -> None:
    root = Path("/").resolve()
    path = root.joinpath(*parts)
    held = [Mount(str(root.joinpath(*parts[:depth])), name) for depth, name in enumerate(types) if depth <= len(parts)]
    said = is_network_path(path, lambda: held)
    assert said is is_network_path(path, lambda: reversed(held))
    assert said is (bool(held) and held[-1].fstype == "nfs")


def test_link_to_a_share_is_on_the_share(tmp_path: Path) -> None:
    (tmp_path / "share").mkdir()
    (tmp_path / "link").symlink_to(tmp_path / "share", target_is_directory=True)
    assert is_network_path(tmp_path / "link" / "lab", lambda: [Mount(str(tmp_path / "share"), "cifs")])


def test_what_is_mounted_here_is_listed() -> None:
    assert any(mount.mountpoint == Path(mount.mountpoint).anchor for mount in mounts())
    assert isinstance(is_network_path(Path.cwd()), bool)
