# SPDX-License-Identifier: LGPL-2.1-or-later
"""Files of the system's that only a test sees."""
import os
import sys


def own_mounts():
    """Before anything else: the program begins anew where what it mounts is seen by nobody else."""
    if os.environ.get("CALLGATE_OWN_MOUNTS") != "1":
        os.execvpe("unshare", ["unshare", "--mount", "--propagation", "private", "/usr/bin/python3", os.path.realpath(sys.argv[0])],
                   dict(os.environ, CALLGATE_OWN_MOUNTS="1"))
