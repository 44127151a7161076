"""How the documentation is built: Markdown, no request to any other host, and every warning an error (`make docs`)."""

project = "rescind"
author = "The rescind authors"
copyright = "The rescind authors"
extensions = ["myst_parser"]
source_suffix = {".md": "markdown"}
exclude_patterns = ["_build"]
myst_enable_extensions = ["deflist"]
myst_heading_anchors = 3
nitpicky = True
html_theme = "furo"
html_title = "rescind"
html_static_path = ["static"]
html_css_files = ["phone.css"]
pygments_style = "default"
pygments_dark_style = "github-dark"
html_show_sphinx = False
html_copy_source = False
html_show_sourcelink = False
