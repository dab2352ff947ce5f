"""The condition of a trigger in a form that a dump and its restore do not change.

PostgreSQL stores a comparison of rows as nested pairs, ``((a OR b) OR c)``, and shows it so. A restore parses that text
again into one list, ``(a OR b OR c)``, and shows this one from then on. Both mean the same: AND and OR are associative.
"""

import re
from typing import Final, TypeAlias

Node: TypeAlias = "str | list[Node]"

_WHEN: Final = re.compile(r" WHEN (\(.*\)) EXECUTE FUNCTION ", re.DOTALL)
#: A literal, a quoted name, a parenthesis, or anything up to the next of these or a space.
_WORD: Final = re.compile(r"""'(?:[^']|'')*'|"(?:[^"]|"")*"|[()]|[^\s()'"]+""")
_OPERATORS: Final = frozenset({"AND", "OR"})


def canonical_trigger(definition: str) -> str:
    """Return the definition of a trigger with the canonical form of its condition."""
    found = _WHEN.search(definition)
    if found is None:
        return definition
    return definition[: found.start(1)] + _text(_flat(_parse(found.group(1)))) + definition[found.end(1) :]


def _parse(text: str) -> Node:
    root: list[Node] = []
    open_groups = [root]
    for word in _WORD.findall(text):
        if word == "(":
            group: list[Node] = []
            open_groups[-1].append(group)
            open_groups.append(group)
        elif word == ")":
            open_groups.pop()
        else:
            open_groups[-1].append(word)
    return root


def _flat(node: Node) -> Node:
    """Remove the parentheses of a group within a group, and of a chain of AND or OR within the same chain."""
    if isinstance(node, str):
        return node
    children = [_flat(child) for child in node]
    if len(children) == 1 and isinstance(children[0], list):
        return children[0]
    operator = _operator(children)
    flat: list[Node] = []
    for index, child in enumerate(children):
        neighbours = {str(each) for each in (*children[max(index - 1, 0) : index], *children[index + 1 : index + 2])}
        is_operand = operator is not None and neighbours == {operator}
        if is_operand and isinstance(child, list) and _operator(child) == operator:
            flat.extend(child)
        else:
            flat.append(child)
    return flat


def _operator(children: list[Node]) -> str | None:
    """Return the operator that alone joins the operands of a group."""
    found = {child for child in children if isinstance(child, str) and child in _OPERATORS}
    return found.pop() if len(found) == 1 else None


def _text(node: Node) -> str:
    return node if isinstance(node, str) else f"({' '.join(map(_text, node))})"
