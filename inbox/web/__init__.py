"""The page: plain HTML, CSS and ES modules, served by `inbox.api.web`."""
