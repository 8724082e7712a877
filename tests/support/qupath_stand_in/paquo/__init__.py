"""A stand-in for paquo, put before it on the child's path where there is no QuPath.

Shows what our own reader reads, under the names of QuPath's Java methods, and talks a lot on standard output, as
QuPath does. ``STAND_IN`` in the environment makes it misbehave.
"""

import os
import sys

BEHAVIOUR = os.environ.get("STAND_IN", "")
sys.stdout.write("INFO: paquo was loaded\n")
os.system("echo DEBUG: and a process of its own prints, too")
