"""Settings of the documentation: `make docs` builds it, and every warning is an error."""

project = "Eucentric"
author = "the Eucentric contributors"
extensions = ["myst_parser", "sphinx.ext.autodoc", "sphinx.ext.napoleon"]
html_theme = "furo"
html_title = "Eucentric"
exclude_patterns = ["_build"]
# Links to headings of other pages, and blocks that begin with colons.
myst_heading_anchors = 3
myst_enable_extensions = ["colon_fence", "deflist"]
autodoc_member_order = "bysource"
autodoc_typehints = "description"
