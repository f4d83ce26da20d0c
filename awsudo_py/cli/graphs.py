"""Draws targets as a graph: Mermaid, Graphviz dot, or SVG without another program.

Nodes are sources and roles; an edge is a call of STS. Roles are grouped by account.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, NamedTuple

from awsudo_py.display import escape
from awsudo_py.errors import shortened
from awsudo_py.model import RoleHop
from awsudo_py.resolve.outline import account_and_role
from awsudo_py.resolve.source_kinds import kind_of

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Sequence

    from awsudo_py.resolve.outline import Outline

#: What Mermaid draws unless it is configured otherwise (its documentation, "maxEdges" and "maxTextSize").
_MERMAID_EDGES, _MERMAID_TEXT = 500, 50_000


class Node(NamedTuple):
    """A source, a role, or a target that does not resolve (kind `source`, `role`, `fault`)."""

    name: str  # unique
    kind: str
    title: str
    targets: tuple[str, ...] = ()  # the profiles that lead to it
    account: str = ""


class Edge(NamedTuple):
    """A call from one node to another."""

    start: str
    end: str
    mfa: bool = False
    chained: bool = False


class Graph(NamedTuple):
    """Nodes in the order of their depth, edges, and the names of the accounts."""

    nodes: tuple[Node, ...]
    edges: tuple[Edge, ...]
    accounts: dict[str, str]


def graph(form: str, found: Sequence[Outline]) -> str:
    """The targets drawn in a form of _FORMS."""
    return _FORMS[form](made(found))


def made(found: Iterable[Outline]) -> Graph:
    """The graph of these targets."""
    nodes: dict[str, Node] = {}
    edges: dict[Edge, None] = {}
    accounts: dict[str, str] = {}

    def node(name: str, kind: str, title: str, account: str = "", target: str = "") -> str:
        before = nodes.get(name, Node(name, kind, title, (), account))
        targets = before.targets if not target or target in before.targets else (*before.targets, target)
        nodes[name] = before._replace(targets=targets)
        return name

    for each in found:
        if each.account:
            accounts[each.account] = each.account_name or accounts.get(each.account, "")
        if each.chain is None:
            node(f"fault {each.name}", "fault", shortened(each.fault, 100), each.account, each.name)
            continue
        source, arn = each.chain.source, each.role_arn
        noun = kind_of(source).noun
        at = node(
            f"source {source.kind} {source.profile or source.where}",
            "source",
            f"{noun}: {source.profile}" if source.profile else noun,
        )
        if each.role_arn and source.setting("role_arn") == arn:  # the source itself is the role
            start, at = at, node(arn, "role", account_and_role(arn)[1] or arn, account_and_role(arn)[0], each.name)
            edges[Edge(start, at)] = None
        elif source.setting("sso_role_name") and not each.chain.hops:
            start, own = at, f"sso {each.account} {each.role}"
            at = node(own, "role", each.role, each.account, each.name)
            edges[Edge(start, at)] = None
        mfa = chained = False
        for hop in each.chain.hops:
            mfa = mfa or bool(hop.mfa_serial)
            if not isinstance(hop, RoleHop):
                continue
            account, role = account_and_role(hop.role_arn)
            target = each.name if hop.role_arn == arn else hop.profile or ""
            end = node(hop.role_arn, "role", role or hop.role_arn, account, target)
            edges[Edge(at, end, mfa, chained)] = None
            at, mfa, chained = end, False, True
        if not each.role_arn and nodes[at].kind == "source" and not nodes[at].targets:
            node(at, "source", nodes[at].title, "", each.name)
    return Graph(tuple(nodes.values()), tuple(edges), accounts)


def _by_account(nodes: Iterable[Node]) -> dict[str, list[Node]]:
    """The roles of each account; those without an account under the empty name."""
    found: dict[str, list[Node]] = {}
    for node in nodes:
        found.setdefault(node.account if node.kind == "role" else "", []).append(node)
    return found


def _account(drawn: Graph, account: str) -> str:
    return " ".join(filter(None, (account, drawn.accounts.get(account, ""))))


def _label(node: Node) -> list[str]:
    """The lines of a node: its title, and the targets that it is."""
    names = [name for name in node.targets if name != node.title and not node.title.endswith(f": {name}")]
    more = f" and {len(names) - 3} more" if len(names) > 3 else ""
    return [node.title, *([", ".join(names[:3]) + more] if names else [])]


def _edge_label(edge: Edge) -> str:
    return ", ".join(filter(None, ("MFA" if edge.mfa else "", "chained, 1h at most" if edge.chained else "")))


# Mermaid


def _mermaid(drawn: Graph) -> str:
    ids = {node.name: f"n{number}" for number, node in enumerate(drawn.nodes)}
    lines = ["flowchart LR"]
    for account, nodes in _by_account(drawn.nodes).items():
        if account:
            lines.append(f'  subgraph a{account}["{_mermaid_text(_account(drawn, account))}"]')
        for node in nodes:
            text = "<br>".join(map(_mermaid_text, _label(node)))
            before, after = {"source": ('(["', '"])'), "fault": ('{{"', '"}}')}.get(node.kind, ('["', '"]'))
            lines.append(f"  {'  ' if account else ''}{ids[node.name]}{before}{text}{after}")
        if account:
            lines.append("  end")
    for edge in drawn.edges:
        label, arrow = _edge_label(edge), "-.->" if edge.chained else "-->"
        lines.append(f"  {ids[edge.start]} {arrow}{f'|{label}|' if label else ''} {ids[edge.end]}")
    faults = [ids[node.name] for node in drawn.nodes if node.kind == "fault"]
    if faults:
        lines += ["  classDef fault stroke:#c00,color:#c00", f"  class {','.join(faults)} fault"]
    text = "\n".join(lines) + "\n"
    limits = []
    if len(drawn.edges) > _MERMAID_EDGES:
        limits.append(f'%% {len(drawn.edges)} edges: Mermaid draws {_MERMAID_EDGES} unless "maxEdges" is raised.')
    if len(text) > _MERMAID_TEXT:
        limits.append(f'%% {len(text)} characters: Mermaid reads {_MERMAID_TEXT} unless "maxTextSize" is raised.')
    return "".join(f"{line}\n" for line in limits) + text


def _mermaid_text(text: str) -> str:
    """The text with every character that is special to Mermaid or HTML written as a number."""
    return "".join(
        character if character.isalnum() or character in " ._/:+=,@-" else f"#{ord(character)};"
        for character in escape(text)
    )


# dot


def _dot(drawn: Graph) -> str:
    ids = {node.name: f"n{number}" for number, node in enumerate(drawn.nodes)}
    lines = [
        "digraph awsudo {",
        # without newrank, Graphviz 2.43 crashes on labelled edges between hundreds of clusters
        '  rankdir=LR; newrank=true; node [shape=box, style=rounded, fontname="sans-serif", fontsize=11];',
        '  edge [fontname="sans-serif", fontsize=9]; fontname="sans-serif"; fontsize=11;',
    ]
    for account, nodes in _by_account(drawn.nodes).items():
        if account:
            lines.append(f"  subgraph cluster_{account} {{ label={_dot_text(_account(drawn, account))}; color=gray;")
        for node in nodes:
            text = _dot_text("\n".join(_label(node)))
            look = {"source": ", shape=ellipse", "fault": ", color=red, fontcolor=red"}.get(node.kind, "")
            lines.append(f"  {'  ' if account else ''}{ids[node.name]} [label={text}{look}];")
        if account:
            lines.append("  }")
    for edge in drawn.edges:
        label = _edge_label(edge)
        more = [*([f"label={_dot_text(label)}"] if label else []), *(["style=dashed"] if edge.chained else [])]
        attributes = f" [{', '.join(more)}]" if more else ""
        lines.append(f"  {ids[edge.start]} -> {ids[edge.end]}{attributes};")
    return "\n".join([*lines, "}"]) + "\n"


def _dot_text(text: str) -> str:
    lines = (escape(line).replace("\\", "\\\\").replace('"', '\\"') for line in text.split("\n"))
    return '"' + "\\n".join(lines) + '"'


# SVG

#: Pixels: the height of a row, the width of a character at 12 px (sans-serif, on average), gaps and margins.
_ROW, _CHARACTER, _GAP, _MARGIN, _PAD = 20, 6.7, 90, 24, 10
#: Boxes of one depth are stacked up to this height, then in another column beside it.
_TALLEST = 1_400
_LONGEST = 46


#: With more edges than this, lines cannot be followed, and each role names where it is assumed from.
_MANY = 60


class _Row(NamedTuple):
    """A node's line: its texts, each with its style, and its tooltip."""

    name: str
    parts: tuple[tuple[str, str], ...]
    about: str

    @property
    def text(self) -> str:
        """All of it."""
        return "  ".join(text for text, _ in self.parts)


class _Box(NamedTuple):
    """Nodes that are drawn in one box: an account at one depth, a source, or a target that does not resolve."""

    kind: str
    title: str
    rows: list[_Row]

    @property
    def height(self) -> float:
        """In pixels."""
        return _ROW * (len(self.rows) + bool(self.title)) + 2 * _PAD

    @property
    def width(self) -> float:
        """In pixels."""
        texts = [self.title, *(row.text for row in self.rows)]
        return max(len(text) for text in texts) * _CHARACTER + 3 * _PAD


def _svg(drawn: Graph) -> str:
    boxes = _columns(drawn)
    placed: dict[str, tuple[float, float, float]] = {}  # of each node: left, right, middle
    shapes: list[str] = []
    x, bottom = float(_MARGIN), 0.0
    for depth in boxes:
        for column in depth:
            width, y = max(box.width for box in column), float(_MARGIN)
            for box in column:
                shapes += _drawn_box(box, x, y, width, placed)
                y += box.height + _PAD
            bottom = max(bottom, y)
            x += width + 1.5 * _PAD
        x += _GAP
    legend = (
        f"{len(drawn.nodes)} nodes, {len(drawn.edges)} calls of STS",
        "solid: assumed from a source; dashed: role chaining, 1h at most",
    )
    right = max(x - _GAP + _MARGIN, max(map(len, legend)) * _CHARACTER + 2 * _MARGIN)
    height = bottom + _MARGIN + len(legend) * _ROW
    lines = [_curve(edge, placed, faint=len(drawn.edges) > _MANY) for edge in drawn.edges]
    notes = [
        f'<text x="{_MARGIN}" y="{bottom + 14 + number * _ROW:.0f}" class="dim">{_xml(text)}</text>'
        for number, text in enumerate(legend)
    ]
    return "\n".join(
        [
            f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {right:.0f} {height:.0f}" '
            f'width="{right:.0f}" height="{height:.0f}" font-family="sans-serif" font-size="12">',
            "<title>awsudo targets</title>",
            "<style>.box{fill:#fff;stroke:#8a94a6}.source{fill:#eef4ff;stroke:#5b7fc4}.fault{fill:#fff3f3;stroke:#c33}"
            ".dim{fill:#667}.bad{fill:#b00}.name{font-weight:600}.code{fill:#8a6500;font-size:10px}"
            ".edge{fill:none;stroke:#5b7fc4;stroke-width:1.2}.faint{stroke-opacity:.3}.mfa{stroke:#b8860b}"
            ".chained{stroke-dasharray:5 3}</style>",
            f'<rect width="{right:.0f}" height="{height:.0f}" fill="#fbfbfd"/>',
            *lines,
            *shapes,
            *notes,
            "</svg>",
            "",
        ]
    )


def _columns(drawn: Graph) -> list[list[list[_Box]]]:
    """By depth, the columns of boxes. The depth of a node is the longest path to it."""
    depth = {node.name: 0 for node in drawn.nodes}
    for _ in drawn.nodes:  # as many times as the longest path has edges
        before = dict(depth)
        for edge in drawn.edges:
            depth[edge.end] = max(depth[edge.end], min(depth[edge.start] + 1, len(depth)))
        if depth == before:
            break
    by_depth: dict[int, dict[str, _Box]] = {}
    titles = {node.name: node.title for node in drawn.nodes} if len(drawn.edges) > _MANY else {}
    incoming: dict[str, list[Edge]] = {}
    for edge in drawn.edges:
        incoming.setdefault(edge.end, []).append(edge)
    for node in drawn.nodes:
        if node.kind == "role":
            key, title = node.account or " ", _account(drawn, node.account) or "no account"
        else:
            key, title = (node.name, "") if node.kind == "source" else ("", "not resolved")
        box = by_depth.setdefault(depth[node.name], {}).setdefault(key, _Box(node.kind, title, []))
        box.rows.append(_row(node, incoming.get(node.name, ()), titles))
    found = []
    for level in sorted(by_depth):
        columns: list[list[_Box]] = [[]]
        height = 0.0
        for box in by_depth[level].values():
            if columns[-1] and height + box.height > _TALLEST:
                columns.append([])
                height = 0.0
            columns[-1].append(box)
            height += box.height + _PAD
        found.append(columns)
    return found


def _row(node: Node, incoming: Sequence[Edge], titles: dict[str, str]) -> _Row:
    """titles: those of all nodes, if each row names where it is assumed from."""
    title, *rest = _label(node)
    parts = [(_cut(title), "name")]
    if rest:
        parts.append((_cut(rest[0], _LONGEST - len(parts[0][0])), "dim"))
    if any(edge.mfa for edge in incoming):
        parts.append(("MFA", "code"))
    if titles and incoming:
        parts.append((_cut(f"← {titles[incoming[0].start]}", 24), "dim"))
    return _Row(node.name, tuple(parts), "\n".join((title, *node.targets)))


def _drawn_box(box: _Box, x: float, y: float, width: float, placed: dict[str, tuple[float, float, float]]) -> list[str]:
    style, radius = {"source": ("source", 14), "fault": ("fault", 5)}.get(box.kind, ("box", 5))
    shapes = [
        f'<rect class="{style}" x="{x:.0f}" y="{y:.0f}" width="{width:.0f}" height="{box.height:.0f}" rx="{radius}"/>'
    ]
    top = y + _PAD
    if box.title:
        style = "bad" if box.kind == "fault" else "dim"
        shapes.append(f'<text class="{style}" x="{x + _PAD:.0f}" y="{top + 14:.0f}">{_xml(box.title)}</text>')
        top += _ROW
    for row in box.rows:
        spans = "  ".join(f'<tspan class="{look}">{_xml(text)}</tspan>' for text, look in row.parts)
        shapes.append(
            f'<text x="{x + 1.5 * _PAD:.0f}" y="{top + 14:.0f}" xml:space="preserve">'
            f"<title>{_xml(row.about)}</title>{spans}</text>"
        )
        placed[row.name] = (x, x + width, top + _ROW / 2)
        top += _ROW
    return shapes


def _cut(text: str, most: int = _LONGEST) -> str:
    most = max(most, 12)
    return text if len(text) <= most else f"{text[: most - 1]}…"


def _curve(edge: Edge, placed: dict[str, tuple[float, float, float]], *, faint: bool) -> str:
    start, end = placed[edge.start][1], placed[edge.end][0]
    top, bottom = placed[edge.start][2], placed[edge.end][2]
    bend = max((end - start) / 2, 30)
    marks = {"faint": faint, "mfa": edge.mfa, "chained": edge.chained}
    style = " ".join(["edge", *(name for name, on in marks.items() if on)])
    path = f"M{start:.0f} {top:.0f}C{start + bend:.0f} {top:.0f} {end - bend:.0f} {bottom:.0f} {end:.0f} {bottom:.0f}"
    return f'<path class="{style}" d="{path}"/>'


def _xml(text: str) -> str:
    from xml.sax.saxutils import escape as xml_escape

    lines = (escape(line) for line in text.split("\n"))
    return xml_escape("\n".join(lines), {'"': "&quot;"})


_FORMS: dict[str, Callable[[Graph], str]] = {"mermaid": _mermaid, "dot": _dot, "svg": _svg}
