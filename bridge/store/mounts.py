"""Which folders lie on a network drive, told by what is mounted where."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from pathlib import Path, PurePath, PureWindowsPath
from typing import NamedTuple

import psutil

_NETWORK = (  # how the names of such file systems begin, without "fuse."; what a virtual machine shares is no better
    *("nfs", "cifs", "smb", "afs", "afp", "9p", "gluster", "ceph", "davfs", "webdav", "ncp", "sshfs", "rclone", "s3fs"),
    *("gvfs", "lustre", "beegfs", "gpfs", "orangefs", "pvfs", "coda", "macfuse", "osxfuse"),
    *("vboxsf", "vmhgfs", "virtiofs", "prl_fs"),
)


class Mount(NamedTuple):
    """One mounted file system, as the operating system names it."""

    mountpoint: str
    fstype: str
    opts: str = ""


def mounts() -> tuple[Mount, ...]:
    """Return what is mounted on this machine, also over the network, in the order of mounting."""
    return tuple(Mount(part.mountpoint, part.fstype, part.opts) for part in psutil.disk_partitions(all=True))


def is_network_path(path: Path, mounted: Callable[[], Iterable[Mount]] = mounts) -> bool:
    """Say whether a path, which need not exist, lies on a network drive; links are followed.

    Parameters
    ----------
    mounted
        Gives what is mounted; where several hold the path the deepest counts, of two at one place the later.
    """
    whole = path.resolve()
    if is_share(whole):
        return True
    holding = [mount for mount in mounted() if whole.is_relative_to(mount.mountpoint)]
    if not holding:
        return False
    depth = max(len(Path(mount.mountpoint).parts) for mount in holding)
    return _is_network([mount for mount in holding if len(Path(mount.mountpoint).parts) == depth][-1])


def is_share(path: PurePath) -> bool:
    r"""Say whether a path names its server itself, as Windows has it.

    Examples
    --------
    >>> is_share(PureWindowsPath(r"\\server\lab\slides")), is_share(PureWindowsPath(r"\\?\UNC\server\lab\slides"))
    (True, True)
    >>> is_share(PureWindowsPath(r"C:\slides")), is_share(PureWindowsPath(r"\\?\C:\slides"))
    (False, False)
    """
    drive = PureWindowsPath(path).drive.casefold()
    is_device = drive.startswith(("\\\\?\\", "\\\\.\\"))
    return drive.startswith("\\\\") and (not is_device or drive.startswith("\\\\?\\unc\\"))


def _is_network(mount: Mount) -> bool:
    return mount.fstype.casefold().removeprefix("fuse.").startswith(_NETWORK) or "remote" in mount.opts.split(",")
