"""TAB completion, from files only."""
