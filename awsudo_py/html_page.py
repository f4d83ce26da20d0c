"""Makes one self-contained HTML page: data, style and script in one file that loads nothing."""

from __future__ import annotations

import html
import json

#: The style of every page, light and dark.
_STYLE = """
:root { color-scheme: light dark; --text: #1c2024; --dim: #667079; --line: #d8dde2; --back: #fff; --panel: #f5f7f9;
  --accent: #2563c4; --bad: #c0392b; --good: #1e7e4a; --warn: #a86500; }
@media (prefers-color-scheme: dark) { :root { --text: #e4e7ea; --dim: #98a2ab; --line: #343a40; --back: #15181b;
  --panel: #1d2125; --accent: #7aa9f7; --bad: #ef8a7e; --good: #6cc694; --warn: #e0b04c; } }
* { box-sizing: border-box; }
body { margin: 0 auto; max-width: 1200px; padding: 24px; background: var(--back); color: var(--text);
  font: 14px/1.5 system-ui, -apple-system, "Segoe UI", "DejaVu Sans", sans-serif; }
h1 { font-size: 22px; margin: 0 0 4px; } h2 { font-size: 16px; margin: 28px 0 8px; }
.dim { color: var(--dim); } .bad { color: var(--bad); } .good { color: var(--good); } .warn { color: var(--warn); }
table { border-collapse: collapse; width: 100%; }
th { white-space: nowrap; text-align: left; font-weight: 600; color: var(--dim); }
th button { all: unset; cursor: pointer; }
:is(th button, input, select, button):focus-visible { outline: 2px solid var(--accent); }
td, th { padding: 5px 12px 5px 0; border-bottom: 1px solid var(--line);
  vertical-align: top; }
td.long { overflow-wrap: anywhere; }
td.time, td.nowrap { white-space: nowrap; font-variant-numeric: tabular-nums; }
input, select, .button { font: inherit; color: inherit; background: var(--panel); border: 1px solid var(--line);
  border-radius: 6px; padding: 6px 10px; } input { width: min(100%, 420px); } .button { cursor: pointer; }
code, pre, .mono { font-family: ui-monospace, "SF Mono", Menlo, "DejaVu Sans Mono", monospace; font-size: 12.5px; }
"""


def document(title: str, data: object, body: str, script: str, style: str = "") -> str:
    """A page with this title. body and script are ours; text from elsewhere is in data, as JSON.

    The script finds it as DATA.
    """
    # < > & as escapes: no text in the data can end the script, nor begin a comment in it
    embedded = json.dumps(data, ensure_ascii=True, separators=(",", ":"))
    for character in "<>&":
        embedded = embedded.replace(character, f"\\u{ord(character):04x}")
    return f"{opening(title, style)}{body}\n{closing(f'const DATA = {embedded};{chr(10)}{script}')}"


def opening(title: str, style: str = "") -> str:
    """The beginning of a page, up to its body. The page's policy lets it load nothing and send nothing anywhere."""
    policy = (
        "default-src 'none'; style-src 'unsafe-inline'; script-src 'unsafe-inline'; base-uri 'none'; form-action 'none'"
    )
    return f"""<!DOCTYPE html>
<html lang="en">
<head>
<meta charset="utf-8">
<meta http-equiv="Content-Security-Policy" content="{policy}">
<meta name="viewport" content="width=device-width, initial-scale=1">
<meta name="referrer" content="no-referrer">
<title>{html.escape(title)}</title>
<style>{_STYLE}{style}</style>
</head>
<body>
"""


def closing(script: str) -> str:
    """The end of a page, with its script."""
    return f"""<script>
"use strict";
{script}
</script>
</body>
</html>
"""
