# SPDX-License-Identifier: LGPL-2.1-or-later
"""What sway says of its windows."""


def find(tree):
    """The node of the question's window, or None."""
    rest = [tree]
    while rest:
        node = rest.pop()
        if node.get("name") == "Callgate" and node.get("pid"):
            return node
        rest += node.get("nodes", []) + node.get("floating_nodes", [])
    return None
