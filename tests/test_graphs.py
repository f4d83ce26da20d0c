"""Targets as graphs: each form is read by the program that it is for, and no name from outside breaks out of it."""

from __future__ import annotations

import html
import json
import re
import subprocess
import xml.etree.ElementTree as ET
from collections.abc import Sequence
from pathlib import Path

import pytest

from awsudo_py.cli.graphs import Edge, Graph, Node, graph, made
from awsudo_py.model import Endpoint, RoleChain, RoleHop, Source
from awsudo_py.resolve.outline import Outline, account_and_role
from tests.conftest import needs
from tests.servers.strict_sts import StrictSts
from tests.world import World

FORMS = ("mermaid", "dot", "svg")
MERMAID = Path(__file__).parent / "node" / "node_modules" / "mermaid.min.js"
#: Each would mean something to a form, to HTML or to a terminal.
HOSTILE = (
    '"];x-->y["',
    "a]b}c)d|e",
    "<script>alert(1)</script>",
    "&amp;\\\\",
    "end",
    "%% subgraph",
    "\x1b[2J",
    "}; evil [label=x];",
    "日本",
    "#35;",
)


def _target(name: str, *arns: str, source: str = "base", mfa: bool = False, account_name: str = "") -> Outline:
    hops = tuple(RoleHop(arn, profile=name, mfa_serial="device" if mfa else None) for arn in arns)
    chain = RoleChain(name, Source("keys", source, "file"), hops, Endpoint("aws", None, None, "aws global"), None, name)
    account, role = account_and_role(arns[-1]) if arns else ("", "")
    return Outline(name, arns[-1] if arns else "", role, account, account_name, "key", (source,), chain=chain)


def _many(count: int) -> list[Outline]:
    """So many targets in a quarter as many accounts, every third behind another role, some with MFA, one broken."""
    found = []
    for number in range(count):
        arns = [f"arn:aws:iam::{100_000_000_000 + number // 4}:role/admin-{number % 4}"]
        if number % 3 == 2:
            arns.insert(0, "arn:aws:iam::111111111111:role/hub")
        found.append(
            _target(f"t{number}", *arns, source=f"base-{number % 2}", mfa=number % 5 == 0, account_name="acme")
        )
    return [*found, Outline("old", fault="no profile 'gone'")]


CASES = {"none": [], "1": _many(1), "30": _many(30), "500": _many(500), "hostile": [
    _target(name, f"arn:aws:iam::111111111111:role/{name}", source=name, account_name=name) for name in HOSTILE
] + [Outline(name, fault=name) for name in HOSTILE]}  # fmt: skip


@needs("dot")
@pytest.mark.parametrize("case", CASES)
def test_dot_reads_it_without_a_word(case: str) -> None:
    """Every node is there, in the cluster of its account."""
    text = graph("dot", CASES[case])

    done = subprocess.run(["dot", "-Tcanon"], input=text, capture_output=True, text=True, check=True)

    assert done.stderr == ""
    assert len(re.findall(r"^\s*n\d+\s*\[", done.stdout, re.MULTILINE)) == len(made(CASES[case]).nodes)
    assert len(re.findall(r"^\s*n\d+ -> n\d+", done.stdout, re.MULTILINE)) == len(made(CASES[case]).edges)


def _parsed_by_mermaid(texts: Sequence[str], tmp_path: Path, *, most: int = 500) -> list[str]:
    """What mermaid.parse makes of each: its type of diagram, or its error."""
    page = tmp_path / "page.html"
    page.write_text(
        f'<body></body><script src="file://{MERMAID}"></script><script>\n'
        f"mermaid.initialize({{startOnLoad: false, maxEdges: {most}, maxTextSize: 1e6}});\n"
        "const ask = text => mermaid.parse(text).then(found => found.diagramType, error => `error: ${error}`);\n"
        f"Promise.all({json.dumps(texts).replace('<', chr(92) + 'u003c')}.map(ask))\n"
        ".then(found => document.body.textContent = 'result' + JSON.stringify(found) + 'end');\n</script>"
    )
    browser = ["chromium-headless-shell", "--no-sandbox", "--disable-gpu", "--allow-file-access-from-files"]
    browser += [f"--user-data-dir={tmp_path}/data", "--virtual-time-budget=20000", "--dump-dom", f"file://{page}"]
    done = subprocess.run(browser, capture_output=True, text=True, check=False, timeout=120)
    found = re.search(r"result(\[.*?\])end", done.stdout, re.DOTALL)
    assert found, done.stdout[-500:] + done.stderr[-500:]
    return list(json.loads(html.unescape(found[1])))


@needs("chromium-headless-shell", *([] if MERMAID.exists() else ["mermaid"]))
def test_mermaid_reads_it(tmp_path: Path) -> None:
    """mermaid.parse takes every case; beyond its 500 edges it does not, and the output says so above."""
    texts = {case: graph("mermaid", found) for case, found in CASES.items() if found}
    beyond = graph("mermaid", _many(800))

    assert _parsed_by_mermaid([*texts.values(), beyond], tmp_path)[-1].startswith("error: ")
    assert _parsed_by_mermaid([*texts.values(), beyond], tmp_path, most=2_000) == ["flowchart-v2"] * (len(texts) + 1)
    assert re.match(r'%% \d{3} edges: Mermaid draws 500 unless "maxEdges" is raised.\n', beyond)
    assert not texts["30"].startswith("%%")


@pytest.mark.parametrize("case", CASES)
def test_svg_is_whole_and_holds_every_target(case: str) -> None:
    """Well-formed, without a script, a link or a font from elsewhere; nothing overlaps, nothing is outside."""
    root = ET.fromstring(graph("svg", CASES[case]))  # noqa: S314 (it is our own)
    space = "{http://www.w3.org/2000/svg}"

    width, height = float(root.get("width", 0)), float(root.get("height", 0))
    boxes = [
        tuple(float(rect.get(name, 0)) for name in ("x", "y", "width", "height"))
        for rect in root.iter(f"{space}rect")
        if rect.get("class")
    ]
    for x, y, wide, high in boxes:
        assert x >= 0 and y >= 0 and x + wide <= width and y + high <= height
    overlaps = [
        (one, other)
        for number, one in enumerate(boxes)
        for other in boxes[:number]
        if one[0] < other[0] + other[2]
        and other[0] < one[0] + one[2]
        and one[1] < other[1] + other[3]
        and other[1] < one[1] + one[3]
    ]
    assert overlaps == []
    assert {each.tag.removeprefix(space) for each in root.iter()} <= {
        *("svg", "title", "style", "rect", "path", "text", "tspan")
    }
    paths = list(root.iter(f"{space}path"))
    assert len(paths) == len(made(CASES[case]).edges)


def test_what_the_edges_are_is_marked() -> None:
    """MFA and role chaining, in every form; accounts with their names; a role of two profiles is one node."""
    arn, hub = "arn:aws:iam::222222222222:role/ops", "arn:aws:iam::111111111111:role/hub"
    found = [_target("a", hub, arn, mfa=True, account_name="acme"), _target("b", hub, arn, mfa=True)]

    drawn = made(found)
    mermaid, dot, svg = (graph(form, found) for form in FORMS)

    assert drawn.edges == (
        Edge("source keys base", hub, mfa=True),
        Edge(hub, arn, mfa=True, chained=True),
    )
    assert [node.targets for node in drawn.nodes if node.name == arn] == [("a", "b")]
    assert "|MFA|" in mermaid and "-.->|MFA, chained, 1h at most|" in mermaid
    assert 'subgraph a222222222222["222222222222 acme"]' in mermaid
    assert "style=dashed" in dot and 'label="222222222222 acme"' in dot
    assert 'class="edge mfa chained"' in svg and ">222222222222 acme<" in svg


@pytest.mark.parametrize("form", FORMS)
def test_list_and_explain_draw_without_a_call(world: World, sts: StrictSts, form: str) -> None:
    """All targets, those of a filter, or one."""
    with (world.home / ".aws" / "config").open("a") as config:
        config.write("[profile gone]\nrole_arn = arn:aws:iam::222222222222:role/x\nsource_profile = nope\n")

    everything = world.run("list", "--graph", form)
    one, explained = world.run("list", "--graph", form, "dev"), world.run("explain", "dev", "--graph", form)

    assert (everything.code, everything.err) == (0, "") and "gone" in everything.out
    assert "gone" not in one.out and explained.out == one.out and sts.calls == []


def test_a_graph_of_nothing_is_a_graph() -> None:
    """An empty diagram, and no failure."""
    assert made([]) == Graph((), (), {})
    assert isinstance(made(_many(1)).nodes[0], Node)
