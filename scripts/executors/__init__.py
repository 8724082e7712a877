"""Where independent pieces of work run: in the caller's thread, in processes of this machine, or on a Dask cluster.

The interface is the standard library's `concurrent.futures.Executor`; whoever has work takes one as an argument. Knows
no slide. Dask is imported only where a cluster is asked for.
"""

from scripts.executors.choice import open_chosen
from scripts.executors.cluster import Cluster, StopAskedError, host_of, open_cluster
from scripts.executors.connecting import cores_here
from scripts.executors.dask_executor import ClusterGoneError, LostWorkError, is_wanted
from scripts.executors.processes import InlineExecutor, begin_logging, open_executor
from scripts.executors.scheduler import LOCAL, check_scheduler

__all__ = [
    "LOCAL",
    "Cluster",
    "ClusterGoneError",
    "InlineExecutor",
    "LostWorkError",
    "StopAskedError",
    "begin_logging",
    "check_scheduler",
    "cores_here",
    "host_of",
    "is_wanted",
    "open_chosen",
    "open_cluster",
    "open_executor",
]
